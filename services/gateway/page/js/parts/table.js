// A table whose rows are kept by key: what comes anew changes only the cells that differ.
import { empty, make, scrolling } from "./elements.js";

// columns: {label, cell(row) → text or node, value?(row), number?, tone?(row), name?, spare?}
// `spare` columns are left out on a telephone, `rich` ones where there is little room; a column
// with `value` can be sorted by.
export function table(
  label,
  columns,
  {
    key = (row) => row.id,
    by = -1,
    down = true,
    open = null,
    opens = "",
    none = ["Nothing yet", ""],
    tall = false,
    chosen = null,
  } = {},
) {
  const body = make("tbody");
  const heads = columns.map((column, at) =>
    make(
      "th",
      { scope: "col", class: classOf(column) },
      column.value
        ? make("button", { type: "button", onclick: () => sortBy(at) }, column.label)
        : column.label,
    ),
  );
  const nothing = empty(...none);
  const grid = make(
    "table",
    {},
    make("caption", {}, label),
    make("thead", {}, make("tr", {}, heads)),
    body,
  );
  const scroll = scrolling(label, tall ? "tall" : "", grid);
  const element = make("div", {}, scroll, nothing);
  const known = new Map(); // key → {tr, cells, texts, row}
  let rows = [],
    marked = chosen;

  function sortBy(at) {
    down = at === by ? !down : Boolean(columns[at].number);
    by = at;
    arrange();
  }

  function sorted() {
    const value = columns[by]?.value;
    if (!value) return rows;
    return [...rows].sort((one, other) => {
      const a = value(one),
        b = value(other);
      const hasA = a !== null && a !== undefined && a === a,
        hasB = b !== null && b !== undefined && b === b;
      if (!hasA || !hasB) return hasB - hasA;
      return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    });
  }

  function arrange() {
    heads.forEach((head, at) => {
      if (columns[at].value)
        head.setAttribute("aria-sort", at === by ? (down ? "descending" : "ascending") : "none");
    });
    let before = body.firstChild;
    for (const row of sorted()) {
      const { tr } = known.get(key(row));
      if (tr === before) before = before.nextSibling;
      else body.insertBefore(tr, before);
    }
  }

  function made(row) {
    const cells = columns.map((column) => make("td", { class: classOf(column) }));
    const tr = make("tr", {}, cells);
    const line = { tr, cells, texts: columns.map(() => null), row };
    if (open) {
      tr.className = "opens";
      tr.tabIndex = 0;
      if (opens) tr.setAttribute("aria-label", `${opens} ${key(row)}`.slice(0, 160));
      tr.addEventListener("click", (event) => {
        if (!event.target.closest("a, button, input")) open(line.row);
      });
      tr.addEventListener("keydown", (event) => move(event, line));
    }
    return line;
  }

  function move(event, line) {
    if (event.target !== line.tr) return;
    if (event.key === "Enter" || event.key === " ") open(line.row);
    else if (event.key === "ArrowDown") line.tr.nextElementSibling?.focus();
    else if (event.key === "ArrowUp") line.tr.previousElementSibling?.focus();
    else return;
    event.preventDefault();
  }

  function show(line) {
    columns.forEach((column, at) => {
      const cell = line.cells[at];
      const content = column.cell(line.row);
      if (content instanceof Node) {
        const mark = column.mark ? column.mark(line.row) : NaN;
        if (mark !== line.texts[at]) cell.replaceChildren(content);
        line.texts[at] = mark;
      } else if (line.texts[at] !== content) {
        cell.textContent = line.texts[at] = content ?? "";
      }
      if (column.tone) {
        const name = `${classOf(column)} ${column.tone(line.row)}`.trim();
        if (cell.className !== name) cell.className = name;
      }
    });
    if (open) line.tr.setAttribute("aria-selected", String(key(line.row) === marked));
  }

  function set(fresh) {
    rows = fresh;
    const keys = new Set();
    for (const row of rows) {
      const name = key(row);
      keys.add(name);
      let line = known.get(name);
      if (!line) known.set(name, (line = made(row)));
      line.row = row;
      show(line);
    }
    for (const [name, line] of known) {
      if (!keys.has(name)) {
        line.tr.remove();
        known.delete(name);
      }
    }
    arrange();
    nothing.hidden = rows.length > 0;
    scroll.hidden = rows.length === 0;
  }

  // Looks again at the rows as they are: what their cells read elsewhere has changed.
  const refresh = () => {
    for (const line of known.values()) show(line);
  };
  const mark = (name) => {
    marked = name;
    refresh();
  };
  set([]);
  return {
    element,
    scroll,
    set,
    refresh,
    mark,
    get rows() {
      return rows;
    },
  };
}

const classOf = (column) =>
  [
    column.number ? "number" : "",
    column.name ?? "",
    column.spare ? "spare" : "",
    column.rich ? "rich" : "",
  ]
    .filter(Boolean)
    .join(" ");

// A button that brings more rows of a list with a cursor.
export function paged(fetchPage, then) {
  let after = "",
    rows = [],
    turn = 0;
  const button = make(
    "button",
    { type: "button", class: "plain", hidden: true, onclick: () => more() },
    "Show more",
  );
  async function more() {
    const mine = turn;
    button.disabled = true;
    try {
      const page = await fetchPage(after);
      if (mine !== turn) return;
      rows = [...rows, ...page.items];
      after = page.next;
      button.hidden = !after;
      then(rows);
    } finally {
      button.disabled = false;
    }
  }
  async function restart() {
    turn += 1;
    after = "";
    rows = [];
    await more();
  }
  return { button, restart };
}
