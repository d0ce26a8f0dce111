// Trades: a table with filters, and how a trade came about, drawn from candle to fill.

import { choice, failed, loading, make, panel, segments } from "../parts/elements.js";
import { count, duration, gain, money, percent, tone, words } from "../parts/format.js";
import { live, stream } from "../data/live.js";
import { get } from "../data/rest.js";

import { paged, table } from "../parts/table.js";
import { whyPath } from "../parts/path.js";
import { tileRow } from "../shown/tiles.js";

const PAGE = 100;
const DAY_MS = 86_400_000;

import { COLUMNS, figures, ORDERS, REFUSALS } from "../shown/trades.js";

export const title = () => "Trades";

export function show(root, { argument, signal: left }) {
  const asked = new URLSearchParams(location.search);
  const chosen = {
    agent: asked.get("agent") ?? "",
    symbol: asked.get("symbol") ?? "",
    side: "",
    source: "",
    reason: "",
    span: "0",
    list: asked.get("list") ?? "trades",
  };
  const tiles = tileRow(["Trades", "PnL", "Won", "Average", "Fees", "Held for"]);
  const detail = make("div", { class: "split" });
  const symbol = make("input", {
    type: "search",
    placeholder: "Symbol",
    "aria-label": "Symbol",
    value: chosen.symbol,
    onchange: () => {
      chosen.symbol = symbol.value.trim().toUpperCase();
      load();
    },
  });
  const agent = choice("Agent", [["", "All agents"]], "", (value) => {
    chosen.agent = value;
    load();
  });
  const source = choice("Source", [["", "All sources"]], "", (value) => {
    chosen.source = value;
    load();
  });
  const side = choice(
    "Side",
    [
      ["", "Both sides"],
      ["long", "long"],
      ["short", "short"],
    ],
    "",
    (value) => {
      chosen.side = value;
      load();
    },
  );
  const reason = choice(
    "Reason",
    [
      ["", "All reasons"],
      ...["take_profit", "stop", "trailing", "stale", "opposite", "person", "liquidated"].map(
        (each) => [each, words(each)],
      ),
    ],
    "",
    (value) => {
      chosen.reason = value;
      load();
    },
  );
  const span = choice(
    "Time",
    [
      ["0", "All time"],
      ["1", "Last day"],
      ["7", "Last 7 days"],
      ["30", "Last 30 days"],
    ],
    "0",
    (value) => {
      chosen.span = value;
      load();
    },
  );
  const lists = segments(
    "List",
    [
      ["trades", "Trades"],
      ["orders", "Orders"],
      ["refusals", "Refusals"],
    ],
    chosen.list,
    (list) => {
      chosen.list = list;
      laid();
    },
  );
  const trades = table("Trades", COLUMNS, {
    by: 8,
    open: opened,
    opens: "Trade",
    chosen: argument,
    none: ["No trade fits", "Take a filter away, or wait for the first one to close."],
  });
  const orders = table("Orders", ORDERS, {
    open: (row) => why(row.id),
    opens: "Order",
    none: ["No order fits", "What agents ask the venue for stands here."],
  });
  const refusals = table("Refusals", REFUSALS, {
    key: (row) => `${row.cause}${row.agent}${row.at}`,
    none: ["No refusal fits", "Signals that led to no order stand here, with the reason."],
  });
  const said = make("div", {});
  const body = make("section", { class: "panel", "aria-label": "List" });
  root.append(
    make(
      "div",
      { class: "headline" },
      make("h1", {}, "Trades"),
      make("span", { class: "push" }, lists.element),
    ),
    tiles.element,
    make("div", { class: "filters", role: "search" }, symbol, agent, side, source, reason, span),
    make("div", { class: "split" }, detail, body),
  );

  const pages = {
    trades: paged(
      (after) => get("/trades", { ...query(), after }, left),
      (rows) => {
        trades.set(rows);
        tallied(rows);
      },
    ),
    orders: paged(
      (after) =>
        get("/orders", { agent: chosen.agent, symbol: chosen.symbol, limit: PAGE, after }, left),
      (rows) => orders.set(rows),
    ),
    refusals: paged(
      (after) =>
        get("/refusals", { agent: chosen.agent, symbol: chosen.symbol, limit: PAGE, after }, left),
      (rows) => refusals.set(rows),
    ),
  };
  const tables = { trades, orders, refusals };
  function query() {
    const since_ms =
      Number(chosen.span) && live.clock_ms ? live.clock_ms - Number(chosen.span) * DAY_MS : "";
    return {
      agent: chosen.agent,
      symbol: chosen.symbol,
      side: chosen.side,
      source: chosen.source,
      reason: chosen.reason,
      since_ms,
      limit: PAGE,
    };
  }
  function laid() {
    const is = chosen.list === "trades";
    for (const each of [side, source, reason, span, tiles.element]) each.hidden = !is;
    load();
  }
  let turn = 0;
  async function load() {
    const mine = ++turn;
    const found = pages[chosen.list];
    said.replaceChildren(loading());
    body.replaceChildren(said);
    try {
      await found.restart();
      if (mine === turn)
        body.replaceChildren(
          tables[chosen.list].element,
          make("div", { class: "row inside" }, found.button),
        );
    } catch (error) {
      if (!left.aborted && mine === turn) said.replaceChildren(failed(error, load));
    }
  }
  function tallied(rows) {
    const pnl = rows.map((each) => Number(each.pnl));
    const sum = (values) => values.reduce((all, each) => all + each, 0);
    const won = pnl.filter((each) => each > 0).length;
    tiles.set(0, count(rows.length), pages.trades.button.hidden ? "all that fit" : "shown so far");
    tiles.set(1, gain(sum(pnl)), "after fees and funding", tone(sum(pnl)));
    tiles.set(2, rows.length ? percent(won / rows.length) : "–", `${won} of ${rows.length}`);
    tiles.set(
      3,
      rows.length ? gain(sum(pnl) / rows.length) : "–",
      "PnL of a trade",
      tone(sum(pnl)),
    );
    tiles.set(4, money(sum(rows.map((each) => Number(each.fees)))), "paid");
    tiles.set(
      5,
      rows.length ? duration(sum(rows.map((each) => each.duration_ms ?? 0)) / rows.length) : "–",
      "on average",
    );
  }
  function opened(row) {
    history.replaceState(null, "", `/trades/${encodeURIComponent(row.id)}${location.search}`);
    trades.mark(row.id);
    shown(row);
  }
  function shown(row) {
    const orders = [
      ["entry", row.entry_order],
      ["exit", row.exit_order],
    ].filter(([, id]) => id);
    const box = make("div", {}, loading());
    const pick = segments(
      "Order",
      orders.map(([name, id]) => [id, `Why the ${name}?`]),
      orders[0]?.[1],
      (id) => chain(box, id),
    );
    const element = panel(
      `${row.symbol} ${row.side} by ${row.agent}`,
      {
        more: [
          make("span", { class: `strong ${tone(row.pnl)}` }, gain(row.pnl)),
          make(
            "span",
            { class: "push row" },
            pick.element,
            make("button", { type: "button", class: "plain", onclick: closed }, "Close"),
          ),
        ],
      },
      make("dl", { class: "figures" }, figures(row)),
      box,
    );
    detail.replaceChildren(element);
    element.scrollIntoView({ block: "nearest" });
    if (orders.length) chain(box, orders[0][1]);
    else box.replaceChildren(make("p", { class: "state" }, "None of its orders is known."));
  }
  function why(id) {
    const box = make("div", {}, loading());
    detail.replaceChildren(
      panel(
        `Order ${id}`,
        { more: make("button", { type: "button", class: "plain push", onclick: closed }, "Close") },
        box,
      ),
    );
    chain(box, id);
  }
  async function chain(box, id) {
    box.replaceChildren(loading());
    try {
      box.replaceChildren(whyPath(await get(`/why/${encodeURIComponent(id)}`, {}, left)));
    } catch (error) {
      if (!left.aborted) box.replaceChildren(failed(error, () => chain(box, id)));
    }
  }
  function closed() {
    detail.replaceChildren();
    trades.mark(null);
    history.replaceState(null, "", `/trades${location.search}`);
  }
  async function choices() {
    const [agents, engines] = await Promise.all([
      get("/agents", {}, left),
      get("/engines", {}, left),
    ]);
    const option = (value) => make("option", { value }, value);
    agent.append(...agents.items.map((each) => option(each.agent)));
    source.append(
      ...engines.items.map((each) => option(each.engine)),
      option("external"),
      option("person"),
    );
    agent.value = chosen.agent;
  }
  stream.watch({});
  choices().catch(() => {});
  laid();
  if (argument) {
    get(`/trades/${encodeURIComponent(argument)}`, {}, left).then(shown, (error) => {
      if (!left.aborted) detail.replaceChildren(failed(error));
    });
  }
  return {
    keys(event) {
      if (event.key === "Escape") closed();
    },
  };
}
