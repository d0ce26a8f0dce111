// Elements. Strings become text nodes, never markup; nothing here reads a string as HTML.
const SVG = "http://www.w3.org/2000/svg";

export function make(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function draw(name, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value") element.value = value;
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(key, value === true ? "" : value);
    }
  }
  element.append(...children.flat(Infinity).filter(isShown));
  return element;
}

const isShown = (each) => each !== null && each !== undefined && each !== false && each !== "";

// Sets an element's text only where it differs: nothing is laid out for what stays.
export function say(element, text) {
  const wanted = text === null || text === undefined ? "" : String(text);
  if (element.textContent !== wanted) element.textContent = wanted;
}

// Sets an element's class only where it differs.
export function dress(element, name) {
  if (element.className !== name) element.className = name;
}

// A link within the page.
export const link = (to, attributes, ...children) =>
  make("a", { href: to, ...attributes }, ...children);

export const symbolLink = (symbol) =>
  link(`/symbol/${encodeURIComponent(symbol)}`, { class: "name-of" }, symbol);

// A panel with a heading; `more` stands beside the heading.
export function panel(title, { more = [], id = null, level = "h2" } = {}, ...children) {
  const heading = make(level, {}, title);
  const element = make(
    "section",
    { class: "panel", id, "aria-label": title },
    make("header", {}, heading, more),
    children,
  );
  return element;
}

export const scrolling = (label, name, ...children) =>
  make(
    "div",
    { class: `scroll ${name}`, tabindex: 0, role: "region", "aria-label": label },
    ...children,
  );

// What stands where there is nothing to show: what it means, and what to do.
export const empty = (title, words = "") =>
  make("div", { class: "state" }, make("strong", {}, title), words);

// What stands where something can't be shown, with a way to try again.
export const failed = (error, again) =>
  make(
    "div",
    { class: "state bad", role: "alert" },
    make("strong", {}, error.title || "It can't be shown"),
    error.detail || String(error.message || error),
    again && make("div", {}, make("button", { type: "button", onclick: again }, "Try again")),
  );

export const loading = () =>
  make(
    "div",
    { class: "bars", role: "status", "aria-label": "Loading" },
    [1, 2, 3, 4].map(() => make("i")),
  );

// A row of buttons of which one is pressed.
export function segments(label, options, chosen, then) {
  const buttons = options.map(([value, text]) =>
    make(
      "button",
      { type: "button", "aria-pressed": String(value === chosen), onclick: () => set(value, true) },
      text,
    ),
  );
  function set(value, tell = false) {
    options.forEach(([each], at) =>
      buttons[at].setAttribute("aria-pressed", String(each === value)),
    );
    if (tell) then(value);
  }
  return {
    element: make("div", { class: "segments", role: "group", "aria-label": label }, buttons),
    set,
  };
}

export function choice(label, options, chosen, then, attributes = {}) {
  const select = make(
    "select",
    { "aria-label": label, onchange: () => then(select.value), ...attributes },
    options.map(([value, text]) => make("option", { value }, text)),
  );
  select.value = chosen;
  return select;
}

// Line drawings of 24 by 24.
const SHAPES = {
  overview: "M4 5h7v8H4zM13 5h7v4h-7zM13 11h7v8h-7zM4 15h7v4H4z",
  scanner:
    "M4 5h4v4H4zM10 5h4v4h-4zM16 5h4v4h-4zM4 11h4v4H4zM10 11h4v4h-4zM16 11h4v4h-4zM4 17h4v2H4zM10 17h4v2h-4z",
  symbol: "M7 4v3M7 15v4M5 7h4v8H5zM16 5v4M16 16v3M14 9h4v7h-4z",
  trades: "M5 8h13l-3-3M19 16H6l3 3",
  backtests: "M5 5v14h15M8 15l4-5 3 3 5-7",
  controls: "M4 8h9M17 8h3M4 16h3M11 16h9M13 6v4h4V6zM7 14v4h4v-4z",
  system: "M4 5h16v6H4zM4 13h16v6H4zM7 8h1M7 16h1",
  theme: "M12 4a8 8 0 1 0 0 16zM12 4a8 8 0 0 1 0 16",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM4 20c1-4 4-6 8-6s7 2 8 6",
  keys: "M3 7h18v11H3zM7 11h1M11 11h1M15 11h1M8 15h8",
};

export const icon = (name) =>
  draw(
    "svg",
    {
      viewBox: "0 0 24 24",
      fill: "none",
      stroke: "currentColor",
      "stroke-width": 1.6,
      "stroke-linejoin": "round",
      "stroke-linecap": "round",
      "aria-hidden": "true",
    },
    draw("path", { d: SHAPES[name] }),
  );
