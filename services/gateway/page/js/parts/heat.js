// The matrix as a grid: only the rows in sight are elements, and only what changed is written.
import { dress, make, say } from "./elements.js";
import { heat } from "./format.js";

const SPARE_ROWS = 6; // drawn above and below what is in sight

// columns: {label, group?, rem, cell(row) → text, tone?(row), note?(row), value?(row), whole?, title?}
// Told by `touch` that rows changed, it writes them in the next frame.
export function heatGrid({ label, open, sorted }) {
  const heads = make("div", { class: "line heads", role: "row" });
  const groups = make("div", { class: "line heads", role: "row" });
  const space = make("div", { role: "presentation" });
  const element = make(
    "div",
    {
      class: "heat fades",
      role: "grid",
      tabindex: 0,
      "aria-label": label,
      "aria-readonly": "true",
    },
    groups,
    heads,
    space,
  );
  let columns = [],
    rows = [],
    pool = [],
    frame = 0,
    now = -1,
    height = 25,
    top = 54,
    by = 0,
    down = false,
    changed = true;

  function setColumns(fresh, sortBy, isDown) {
    columns = fresh;
    by = sortBy;
    down = isDown;
    element.setAttribute("aria-colcount", String(columns.length));
    groups.replaceChildren(...groupCells());
    heads.replaceChildren(
      ...columns.map((column, at) =>
        make(
          "div",
          {
            role: "columnheader",
            class: column.note ? "cell" : "",
            title: column.title ?? column.label,
          },
          make("button", { type: "button", onclick: () => sorted(at) }, column.label),
        ),
      ),
    );
    marked();
    for (const line of pool) line.element.remove();
    pool = [];
    measured();
  }
  function groupCells() {
    const cells = [];
    for (let at = 0; at < columns.length;) {
      let until = at + 1;
      while (until < columns.length && columns[until].group === columns[at].group) until += 1;
      const cell = make(
        "div",
        { class: columns[at].group ? "group" : "", role: "presentation" },
        columns[at].group ?? "",
        columns[at].under && make("span", { class: "quiet" }, columns[at].under),
      );
      cell.style.gridColumn = `span ${until - at}`;
      cells.push(cell);
      at = until;
    }
    return cells;
  }
  function marked() {
    [...heads.children].forEach((head, at) => {
      head.setAttribute("aria-sort", at === by ? (down ? "descending" : "ascending") : "none");
      const words = columns[at].label + (at === by ? (down ? " ▾" : " ▴") : "");
      say(head.firstChild, words);
    });
  }
  // Every line is a grid of its own: their columns are alike because all have the same widths.
  function widths() {
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const known = columns.map((each) => each.rem * rem);
    const free = element.clientWidth - known.reduce((all, each) => all + each, 0);
    const growing = columns.filter((each) => each.note).length;
    const more = growing ? Math.max(0, free / growing) : 0;
    element.style.setProperty(
      "--columns",
      columns.map((each, at) => `${known[at] + (each.note ? more : 0)}px`).join(" "),
    );
  }
  function measured() {
    widths();
    height = matchMedia("(max-width: 760px)").matches ? 31 : 25;
    groups.style.top = "0";
    groups.style.position = heads.style.position = "sticky";
    heads.style.top = `${groups.offsetHeight}px`;
    top = groups.offsetHeight + heads.offsetHeight;
    for (const each of pool) each.at = -1; // their places are other ones
    space.style.height = `${rows.length * height}px`;
    element.setAttribute("aria-rowcount", String(rows.length));
    touch();
  }
  function setRows(fresh) {
    rows = fresh;
    now = Math.min(now, rows.length - 1);
    space.style.height = `${rows.length * height}px`;
    element.setAttribute("aria-rowcount", String(rows.length));
    touch();
  }
  function sort(at, isDown) {
    by = at;
    down = isDown;
    marked();
  }
  // Rows have changed: what is in sight is written in the next frame.
  function touch() {
    changed = true;
    soon();
  }
  function soon() {
    if (!frame) frame = requestAnimationFrame(paint);
  }
  function line() {
    const cells = columns.map((column) =>
      make("div", { role: "gridcell", class: column.note ? "cell" : "" }),
    );
    const found = make("div", { class: "line", role: "row" }, cells);
    const made = { element: found, cells, at: -1, texts: [], names: [] };
    found.addEventListener("click", () => {
      if (rows[made.at]) open(rows[made.at]);
    });
    element.append(found);
    return made;
  }
  function paint() {
    frame = 0;
    const first = Math.max(0, Math.floor(element.scrollTop / height) - SPARE_ROWS);
    const count = Math.min(
      rows.length - first,
      Math.ceil(element.clientHeight / height) + 2 * SPARE_ROWS,
    );
    while (pool.length < count) pool.push(line());
    // A row keeps its place in the pool while it is scrolled: only what enters is written whole.
    const used = new Set();
    for (let at = first; at < first + count; at += 1) {
      const each = pool[at % pool.length];
      used.add(each);
      const enters = each.at !== at;
      if (enters) {
        each.at = at;
        each.element.setAttribute("aria-rowindex", String(at + 1));
        each.element.style.transform = `translateY(${top + at * height}px)`;
      }
      if (enters || changed) written(each, rows[at]);
    }
    changed = false;
    for (const each of pool) {
      if (each.element.hidden === used.has(each)) each.element.hidden = !used.has(each);
      if (!used.has(each)) each.at = -1;
    }
  }
  function written(line, row) {
    dress(line.element, line.at === now ? "line now" : "line");
    for (let at = 0; at < columns.length; at += 1) {
      const column = columns[at],
        cell = line.cells[at];
      const text = column.cell(row);
      if (text !== line.texts[at]) cell.textContent = line.texts[at] = text;
      const name = column.note
        ? noteClass(column, column.note(row))
        : column.tone
          ? column.tone(row)
          : "";
      if (name !== line.names[at]) cell.className = line.names[at] = name;
    }
  }
  function moveTo(at) {
    if (!rows.length) return;
    now = Math.max(0, Math.min(at, rows.length - 1));
    const y = now * height;
    const room = element.clientHeight - top;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + height > element.scrollTop + room) element.scrollTop = y + height - room;
    element.setAttribute("aria-activedescendant", "");
    changed = true;
    paint();
    const shown = pool.find((each) => each.at === now);
    if (shown) {
      shown.element.id = `row-${now}`;
      element.setAttribute("aria-activedescendant", `row-${now}`);
    }
  }
  element.addEventListener("scroll", soon, { passive: true });
  element.addEventListener("keydown", (event) => {
    if (event.target !== element) return;
    const page = Math.max(1, Math.floor((element.clientHeight - top) / height) - 1);
    const to = {
      ArrowDown: now + 1,
      ArrowUp: now - 1,
      PageDown: now + page,
      PageUp: now - page,
      Home: 0,
      End: rows.length - 1,
    }[event.key];
    if (to !== undefined) moveTo(to);
    else if (event.key === "Enter" && rows[now]) open(rows[now]);
    else return;
    event.preventDefault();
  });
  const watcher = new ResizeObserver(measured);
  watcher.observe(element);
  return {
    element,
    setColumns,
    setRows,
    sort,
    touch,
    end() {
      watcher.disconnect();
      cancelAnimationFrame(frame);
    },
  };
}

function noteClass(column, value) {
  const step = heat(value);
  const is = value === null || value === undefined ? " none" : step ? ` h${step}` : "";
  return `cell${column.whole ? " whole" : ""}${is}`;
}
