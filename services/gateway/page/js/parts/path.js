// How an order came about, drawn as a path from the candles to the fills.
import { draw, make } from "./elements.js";

// The columns from left to right; a link belongs to the first whose words its name begins with.
const COLUMNS = [
  ["candle", "ticker"],
  ["indicators"],
  ["matrix"],
  ["again", "signal", "exit", "command", "cause"],
  ["opening"],
  ["guard", "desk"],
  ["request", "order"],
  ["fill"],
];
const TITLES = {
  matrix: "Notes",
  again: "Asked again",
  desk: "Decision",
  guard: "Guard",
  request: "Intent",
  order: "Life",
  fill: "Fill",
  signal: "Signal",
};

// links: [{name, place, says, faults, unchecked}], in any order.
export function whyPath({ links }) {
  const stacks = COLUMNS.map((names) =>
    links.filter((each) => names.some((name) => each.name.startsWith(name))),
  );
  const known = new Set(stacks.flat());
  stacks.at(-2).push(...links.filter((each) => !known.has(each)));
  const shown = stacks.filter((each) => each.length);
  const nodes = shown.map((stack) => stack.map(node));
  const lines = draw("svg", { "aria-hidden": "true" });
  const steps = make(
    "div",
    { class: "steps" },
    lines,
    nodes.map((stack) => make("div", { class: "stack", role: "list" }, stack)),
  );
  const faults = links.filter((each) => each.faults.length).length;
  const open = links.filter((each) => each.unchecked?.length).length;
  const element = make(
    "div",
    {
      class: "path",
      tabindex: 0,
      role: "region",
      "aria-label": "How the order came about, from candle to fill",
    },
    steps,
  );
  const drawn = () => joined(lines, steps, nodes);
  new ResizeObserver(drawn).observe(steps);
  return make(
    "div",
    {},
    make(
      "p",
      { class: "inside" },
      make(
        "span",
        { class: `tag ${faults ? "bad" : "gain"}` },
        faults ? `${faults} differ` : "every link fits",
      ),
      " ",
      open > 0 && make("span", { class: "tag warn" }, `${open} not looked at`),
      " ",
      make("span", { class: "quiet" }, `${links.length} records, each checked against the next`),
    ),
    element,
  );
}

function node(each) {
  const state = each.faults.length ? "bad" : each.unchecked?.length ? "open" : "good";
  return make(
    "div",
    { class: `step ${state}`, role: "listitem" },
    make("h3", {}, make("span", {}, TITLES[each.name] ?? capital(each.name))),
    each.says.map((line) => make("p", {}, line)),
    each.faults.map((line) => make("p", { class: "bad" }, line)),
    (each.unchecked ?? []).map((line) => make("p", { class: "warn" }, line)),
    each.place && make("p", { class: "place mono" }, each.place),
  );
}

const capital = (name) => name.charAt(0).toUpperCase() + name.slice(1);

// A curve from each step to each one of the next column.
function joined(lines, steps, nodes) {
  const box = steps.getBoundingClientRect();
  lines.setAttribute("width", steps.scrollWidth);
  lines.setAttribute("height", steps.scrollHeight);
  const paths = [];
  for (let at = 0; at + 1 < nodes.length; at += 1) {
    for (const one of nodes[at]) {
      for (const other of nodes[at + 1]) {
        const a = one.getBoundingClientRect(),
          b = other.getBoundingClientRect();
        const [x, y, u, v] = [
          a.right - box.left,
          a.top + a.height / 2 - box.top,
          b.left - box.left,
          b.top + b.height / 2 - box.top,
        ];
        paths.push(draw("path", { d: `M${x} ${y}C${x + 20} ${y} ${u - 20} ${v} ${u} ${v}` }));
      }
    }
  }
  lines.replaceChildren(...paths);
}
