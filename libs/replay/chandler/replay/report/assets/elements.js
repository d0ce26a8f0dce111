// Elements, tables, the theme. Strings become text nodes, never markup.
function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}
function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}
function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((each) => isThere(each) && each !== false));
  return element;
}
const section = (id, title, hint, ...children) =>
  make("section", { id, "aria-label": title }, make("h2", {}, title), hint && make("p", { class: "quiet small" }, hint), ...children);
const empty = (...words) => make("p", { class: "empty" }, ...words);
const scrolling = (label, table) => make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label }, table);
const facts = (pairs) => make("dl", { class: "facts" }, pairs.filter(([, value]) => isThere(value)).map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
const toned = (value, text) => make("span", { class: tone(value) }, text);

// Calls `then(width)` now and whenever the width changes.
function sized(element, then) {
  let width = 0;
  const look = () => {
    const now = Math.round(element.clientWidth);
    if (now && now !== width) then((width = now));
  };
  new ResizeObserver(look).observe(element);
  addEventListener("beforeprint", look);
}

// A bar to the right of a middle line for gains, to the left for losses.
function bar(value, greatest) {
  const share = greatest ? (Math.abs(value) / greatest) * 49 : 0;
  return draw("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { x: value < 0 ? 50 - share : 50, y: 2, width: Math.max(share, value ? 0.5 : 0), height: 8, class: value < 0 ? "down" : "up", stroke: "none", style: "stroke:none" }),
    draw("line", { x1: 50, x2: 50, y1: 0, y2: 12, class: "zero" }));
}

// A table that is sorted by its headings and has pages.
// columns: {label, value(row), cell(row), number, class}; what has no value comes last.
function table(label, columns, rows, { by = 0, down = true, size = 0, caption = null } = {}) {
  const body = make("tbody");
  const heads = columns.map((column, at) =>
    make("th", { class: column.number ? "number" : "", scope: "col" },
      column.value ? make("button", { type: "button", onclick: () => { down = at === by ? !down : !!column.number; by = at; page = 0; render(); } }, column.label) : column.label));
  const said = make("span", { class: "quiet small", role: "status" });
  const back = make("button", { type: "button", "aria-label": "Previous page", onclick: () => { page--; render(); } }, "‹");
  const on = make("button", { type: "button", "aria-label": "Next page", onclick: () => { page++; render(); } }, "›");
  let page = 0, shown = rows;
  function render() {
    const value = columns[by].value;
    const sorted = [...shown].sort((one, other) => {
      const a = value(one), b = value(other);
      if (!isThere(a) || !isThere(b)) return isThere(b) - isThere(a);
      return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1);
    });
    const last = size ? Math.max(0, Math.ceil(sorted.length / size) - 1) : 0;
    page = Math.min(Math.max(page, 0), last);
    const part = size ? sorted.slice(page * size, page * size + size) : sorted;
    body.replaceChildren(...part.map((row) => make("tr", {}, columns.map((column) =>
      make("td", { class: [column.number ? "number" : "", column.class || ""].join(" ").trim() || null }, column.cell(row))))));
    heads.forEach((head, at) => {
      head.setAttribute("aria-sort", at === by ? (down ? "descending" : "ascending") : "none");
      if (columns[at].value) head.firstChild.textContent = columns[at].label + (at === by ? (down ? " ▾" : " ▴") : "");
    });
    back.disabled = page === 0;
    on.disabled = page === last;
    said.textContent = size ? (sorted.length ? `${show.count(page * size + 1)}–${show.count(page * size + part.length)} of ${show.count(sorted.length)}` : "none") : "";
  }
  render();
  const element = make("div", {},
    scrolling(label, make("table", {}, caption, make("thead", {}, make("tr", {}, heads)), body)),
    size && rows.length > size && make("div", { class: "controls" }, back, on, said));
  return { element, said, filter: (keep) => { shown = rows.filter(keep); page = 0; render(); return shown.length; } };
}

function choice(label, options, then, chosen) {
  const select = make("select", { onchange: () => then(select.value) }, options.map(([value, text]) => make("option", { value, selected: value === chosen }, text)));
  return { element: make("label", {}, label, select), select };
}

function tools() {
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches);
  const theme = make("button", { type: "button", onclick: () => { root.dataset.theme = isDark() ? "light" : "dark"; named(); } });
  const named = () => { theme.textContent = isDark() ? "Light" : "Dark"; theme.setAttribute("aria-label", `Show in ${isDark() ? "light" : "dark"} colours`); };
  named();
  return make("div", { class: "tools" }, theme, make("button", { type: "button", onclick: () => print() }, "Print"));
}
