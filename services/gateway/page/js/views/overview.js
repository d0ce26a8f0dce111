// Overview: equity and drawdown by agent, open positions with live PnL, signals, pumps, health.
import { feed, POSITION_COLUMNS, sideTag, signalLine } from "../parts/cells.js";
import { curves, swatch } from "../parts/charts.js";
import {
  empty,
  failed,
  link,
  make,
  panel,
  say,
  scrolling,
  segments,
  symbolLink,
} from "../parts/elements.js";
import { count, gain, money, number, share, time, tone } from "../parts/format.js";
import { live, on, pnlOf, stream } from "../data/live.js";
import { get } from "../data/rest.js";
import { symbols } from "../data/symbols.js";
import { table } from "../parts/table.js";
import { agentColumns } from "../shown/agents.js";
import { healthy, tileRow } from "../shown/tiles.js";

const AGAIN_MS = 15_000;
const SIGNALS_SHOWN = 40;
const HOUR_MS = 3_600_000;
const SPANS = [
  [6 * HOUR_MS, "6 h"],
  [24 * HOUR_MS, "24 h"],
  [7 * 24 * HOUR_MS, "7 d"],
  [0, "All"],
];

export const title = () => "Overview";

export function show(root, { signal: left }) {
  const known = {
    agents: [],
    totals: [],
    mode: "",
    signals: [],
    curves: [],
    span: 24 * HOUR_MS,
    shown: "equity",
    hidden: new Set(),
  };
  const tiles = tileRow([
    "Equity",
    "Today",
    "Open PnL",
    "Drawdown",
    "Open positions",
    "Since start",
  ]);
  const ofMoney = make("span", { class: "push" });
  const curveBox = make("div", { class: "curve" });
  const bare = make(
    "div",
    { class: "over" },
    empty("No equity yet", "The first trade begins the curve."),
  );
  bare.hidden = true;
  const legend = make("div", {
    class: "legend",
    role: "group",
    "aria-label": "Agents in the chart",
  });
  const chart = curves(curveBox, {
    label: "Equity",
    format: (value) => (known.shown === "equity" ? money(value) : share(value)),
  });
  const spans = segments("Time", SPANS, known.span, (span) => {
    known.span = span;
    equity();
  });
  const kinds = segments(
    "What is drawn",
    [
      ["equity", "Equity"],
      ["return", "Return"],
      ["drawdown", "Drawdown"],
    ],
    "equity",
    (kind) => {
      known.shown = kind;
      drawn();
    },
  );
  const agents = table("Agents", agentColumns(), {
    key: (row) => row.agent,
    none: ["No agent", "Agents are set in the profile."],
  });
  const positions = table("Open positions", POSITION_COLUMNS, {
    by: 2,
    none: ["No open position", "What agents open stands here, with live PnL."],
  });
  const openCount = make("span", { class: "count" });
  const signals = make("ul", { class: "feed" });
  const pumps = make("ul", { class: "feed" });
  const health = make("ul", { class: "health" }, make("li", { class: "quiet" }, "…"));
  root.append(
    make("div", { class: "headline" }, make("h1", {}, "Overview"), ofMoney),
    tiles.element,
    make(
      "div",
      { class: "overview" },
      make(
        "div",
        { class: "column" },
        panel(
          "Equity",
          { more: [legend, make("span", { class: "push row" }, kinds.element, spans.element)] },
          make("div", { class: "curve-wrap" }, curveBox, bare),
        ),
        panel("Open positions", { more: openCount }, positions.element),
        panel(
          "Agents",
          { more: link("/controls", { class: "push small" }, "Controls") },
          agents.element,
        ),
      ),
      make(
        "div",
        { class: "column" },
        panel("Health", { more: link("/system", { class: "push small" }, "System") }, health),
        panel("Pumps", {}, scrolling("Pumps", "", pumps)),
        panel("Last signals", {}, scrolling("Last signals", "tall", signals)),
      ),
    ),
  );

  // Money on paper and real money are never mixed: all that is shown is of one mode.
  const ofMode = () => known.agents.filter((each) => !known.mode || each.mode === known.mode);
  function openOfMode() {
    const names = new Set(ofMode().map((each) => each.agent));
    return [...live.positions.values()].filter((each) => !known.mode || names.has(each.agent));
  }
  function figures() {
    const total = known.totals.find((each) => each.mode === known.mode);
    const mine = ofMode();
    const open = openOfMode();
    const pnl = open.map(pnlOf).filter(Number.isFinite);
    const unrealised = pnl.reduce((all, each) => all + each, 0);
    const falls = known.curves
      .filter((each) => each.mode === known.mode && each.points.length)
      .map((each) => each.points.at(-1).drawdown);
    const balance = number(total?.balance);
    tiles.set(
      0,
      balance === null ? "–" : money(balance + unrealised),
      `balance ${money(total?.balance)}`,
    );
    tiles.set(1, gain(total?.pnl_today), "realised, UTC day", tone(total?.pnl_today));
    tiles.set(
      2,
      gain(unrealised),
      `${pnl.filter((each) => each > 0).length} up, ${pnl.filter((each) => each < 0).length} down`,
      tone(unrealised),
    );
    tiles.set(
      3,
      falls.length ? share(-Math.max(...falls)) : "–",
      "deepest agent now",
      falls.length ? tone(-Math.max(...falls)) : "",
    );
    tiles.set(4, count(open.length), `${mine.length} ${mine.length === 1 ? "agent" : "agents"}`);
    tiles.set(5, gain(total?.pnl), "realised, after fees", tone(total?.pnl));
    say(openCount, open.length ? count(open.length) : "");
  }
  function modes() {
    const names = known.totals.map((each) => each.mode);
    if (!names.includes(known.mode)) known.mode = names[0] ?? "";
    const pick = segments(
      "Money",
      names.map((name) => [name, name === "live" ? "Live accounts" : "Paper accounts"]),
      known.mode,
      (mode) => {
        known.mode = mode;
        agents.set(ofMode());
        held();
        drawn();
      },
    );
    ofMoney.replaceChildren(names.length > 1 ? pick.element : "");
  }
  function held() {
    positions.set(openOfMode());
    figures();
  }
  function priced() {
    positions.refresh();
    figures();
  }
  function drawn() {
    const mine = known.curves.filter((each) => each.mode === known.mode || !known.mode);
    legend.replaceChildren(
      ...mine.map(({ agent }, at) =>
        make(
          "button",
          {
            type: "button",
            "aria-pressed": String(!known.hidden.has(agent)),
            onclick: () => {
              if (!known.hidden.delete(agent)) known.hidden.add(agent);
              drawn();
            },
          },
          make("span", { class: `swatch ${swatch(at)}` }),
          agent,
        ),
      ),
    );
    const points = (curve) =>
      curve.points.map((each) => ({
        time_ms: each.at,
        value: {
          equity: Number(each.equity),
          return: Number(each.equity) / Number(curve.start) - 1,
          drawdown: -each.drawdown,
        }[known.shown],
      }));
    chart.set(
      mine
        .map((curve, at) => ({ name: curve.agent, at, points: points(curve) }))
        .filter((each) => !known.hidden.has(each.name) && each.points.length),
    );
    bare.hidden = mine.some((each) => each.points.length);
    figures();
  }
  async function equity() {
    const since_ms = known.span && clock() ? Math.max(0, clock() - known.span) : "";
    known.curves = (await get("/equity", { since_ms, points: 500 }, left)).items;
    drawn();
  }
  const clock = () => live.clock_ms || Math.max(0, ...known.signals.map((each) => each.close_ms));

  async function slow(first = false) {
    await Promise.all([
      part(agents.element, async () => {
        const [found, money] = await Promise.all([
          get("/agents", {}, left),
          get("/balances", {}, left),
        ]);
        known.agents = found.items;
        known.totals = money.totals;
        modes();
        agents.set(ofMode());
        held();
      }),
      part(signals, async () => {
        known.signals = (await get("/signals", { limit: SIGNALS_SHOWN }, left)).items;
        signalled();
      }),
      part(health, async () => healthy(health, (await get("/infra", {}, left)).items)),
      first && symbols().catch(() => {}),
    ]);
    if (!left.aborted) await part(curveBox.parentElement, equity);
  }
  // A part that can't be had says so in its own place; the others stand.
  async function part(element, work) {
    try {
      await work();
      if (element.nextSibling?.dataset?.failed) element.nextSibling.remove();
    } catch (error) {
      if (left.aborted || element.nextSibling?.dataset?.failed) return;
      const said = failed(error, () => {
        said.remove();
        slow(true);
      });
      said.dataset.failed = "1";
      element.after(said);
    }
  }
  const signalled = () => feed(signals, known.signals, signalLine, SIGNALS_SHOWN, "No signal yet");
  const pumping = () =>
    feed(
      pumps,
      [...live.pumps.values()].sort((one, other) => other.since_ms - one.since_ms),
      pumpLine,
      30,
      "No pump, no crash",
    );

  const offs = [
    on("prices", priced),
    on("positions", held),
    on("pumps", pumping),
    on("signal", ({ signal }) => {
      known.signals = [signal, ...known.signals].slice(0, SIGNALS_SHOWN);
      signalled();
    }),
  ];
  stream.watch({});
  held();
  pumping();
  slow(true);
  const timer = setInterval(() => {
    if (!document.hidden) slow();
  }, AGAIN_MS);
  return {
    leave() {
      clearInterval(timer);
      offs.forEach((off) => off());
      chart.end();
    },
  };
}

function pumpLine(state) {
  const up = state.pump === "up";
  return make(
    "li",
    {},
    sideTag(state.pump),
    make(
      "span",
      {},
      symbolLink(state.symbol),
      " ",
      make(
        "span",
        { class: "quiet" },
        state.since_ms ? `since ${time(state.since_ms).slice(0, 5)}` : "",
      ),
    ),
    make("span", { class: up ? "gain" : "loss" }, share(state.change, 1)),
  );
}
