// Symbol: candles with indicators, signals, entries, exits and stops; the notes beneath.
import { feed, shortTime, signalLine } from "../parts/cells.js";
import { candles } from "../parts/charts.js";
import { failed, loading as loadingBars, make, say } from "../parts/elements.js";
import { moment, plain, share, tone, toneOf } from "../parts/format.js";
import { live, on, stream, TOPICS } from "../data/live.js";
import { matrix, noted as noting } from "../data/matrix.js";
import { get } from "../data/rest.js";
import { followed, granularities, places, priceOf, symbols } from "../data/symbols.js";
import { engineNotes, scoreOf } from "../shown/notes.js";
import { laidOut, offerPicks, positionFacts, tradeLine } from "../shown/symbol.js";
import { levelsOf, linesOf, marksOf, tripsOf } from "../shown/overlays.js";

const MINUTES = { "1m": 1, "5m": 5, "15m": 15, "30m": 30, "1H": 60, "4H": 240, "1D": 1_440 };
const PAGE = 400;
const BARS_MAX = 6_000;
const TRADES_DRAWN = 60;
const KEPT = "chandler.symbol";
const PICKED = [
  "ema(20)",
  "ema(50)",
  "bollinger(20,2.0).lower",
  "bollinger(20,2.0).upper",
  "rsi(14)",
];
const OF_CANDLE = new Set(["open", "high", "low", "close", "volume"]); // no lines of their own

export const title = (symbol) => symbol || "Symbol";

export async function show(root, { argument, signal: left }) {
  const saved = kept();
  root.append(loadingBars());
  await symbols().catch(() => {});
  if (!argument) {
    const symbol = saved.symbol && followed().includes(saved.symbol) ? saved.symbol : followed()[0];
    if (symbol) history.replaceState(null, "", `/symbol/${encodeURIComponent(symbol)}`);
    argument = symbol ?? "BTCUSDT";
    document.title = `${argument} · Chandler`;
  }
  const symbol = argument;
  const state = {
    granularity: saved.granularity ?? "5m",
    picked: new Set(saved.picked ?? PICKED),
    rows: [],
    before: 0,
    trades: [],
    signals: [],
    engines: {},
    known: new Map(),
    bars: [],
  };
  const lengths = granularities().length ? granularities() : ["5m", "1H", "4H"];
  if (!lengths.includes(state.granularity)) [state.granularity] = lengths;
  const save = () =>
    localStorage.setItem(
      KEPT,
      JSON.stringify({ symbol, granularity: state.granularity, picked: [...state.picked] }),
    );
  save();

  const parts = laidOut(root, symbol, lengths, state.granularity, {
    chosen: (granularity) => chosen(granularity),
    goTo: (at_ms) => goTo(at_ms),
    latest: () => latest(),
  });
  const { last, change, mark, pump, box, says, picks, trouble, steps, when } = parts;
  const { notes, notesOf, position, signals, trades } = parts;
  const cost = (value) => priceOf(symbol, value);
  let loading = false;
  const chart = candles(box, { early: (open_ms) => older(open_ms), hover: hovered });

  function hovered(bar, pointed) {
    if (!bar) return;
    const values = [...state.picked]
      .map((key) => {
        const value = state.values?.get(bar.open_ms)?.[key];
        return value === undefined ? "" : `${key} ${plain(value, 4)}`;
      })
      .filter(Boolean);
    const move = bar.open ? (bar.close - bar.open) / bar.open : 0;
    say(
      says,
      `${moment(bar.open_ms)}  O ${cost(bar.open)}  H ${cost(bar.high)}  L ${cost(bar.low)}  C ${cost(bar.close)}  ${share(move)}  V ${plain(bar.volume, 0)}  ${pointed ? values.join("  ") : values.slice(0, 3).join("  ")}`,
    );
  }
  async function load(before_ms = "") {
    const query = { symbol, granularity: state.granularity, before_ms, limit: PAGE };
    const [bars, rows] = await Promise.all([
      get("/candles", query, left),
      get("/indicators", query, left).catch(() => ({ items: [] })),
    ]);
    return [bars.items.map(bar), rows.items, bars.before_ms === 0];
  }
  const bar = (each) => ({
    open_ms: each.open_ms,
    open: Number(each.open),
    high: Number(each.high),
    low: Number(each.low),
    close: Number(each.close),
    volume: Number(each.volume),
  });

  async function fresh(before_ms = "", around_ms = 0) {
    loading = true;
    try {
      const [bars, rows, first] = await load(before_ms);
      trouble.replaceChildren(
        bars.length
          ? ""
          : make(
              "p",
              { class: "state" },
              make("strong", {}, "No candle of this"),
              `There is none of ${symbol} at ${state.granularity}${before_ms ? " before that time" : " yet"}.`,
            ),
      );
      state.bars = bars;
      state.rows = rows;
      state.done = first;
      state.fixed = Boolean(before_ms);
      drawn(true);
      if (around_ms) chart.around(around_ms);
      else chart.show(Math.min(160, bars.length));
    } catch (error) {
      if (!left.aborted) trouble.replaceChildren(failed(error, () => fresh(before_ms, around_ms)));
    } finally {
      loading = false;
    }
  }
  async function older(open_ms) {
    if (loading || state.done || state.bars.length >= BARS_MAX) return;
    loading = true;
    try {
      const [bars, rows, first] = await load(open_ms);
      const before = bars.filter((each) => each.open_ms < state.bars[0].open_ms);
      state.done = first;
      state.bars = [...before, ...state.bars];
      state.rows = [...rows, ...state.rows];
      drawn(false);
    } catch (error) {
      state.done = true;
      if (!left.aborted)
        trouble.replaceChildren(
          failed(error, () => {
            state.done = false;
            older(open_ms);
          }),
        );
    } finally {
      loading = false;
    }
  }
  function drawn() {
    const close = state.bars.at(-1)?.close;
    chart.set(
      state.bars,
      places(symbol) ?? (close ? Math.min(10, Math.max(0, 5 - Math.floor(Math.log10(close)))) : 2),
    );
    const step_ms = MINUTES[state.granularity] * 60_000;
    state.values = new Map(state.rows.map((row) => [row.close_ms - step_ms, row.values]));
    offered();
    lined();
    told();
    hovered(state.bars.at(-1), false);
  }
  // Which indicators there are, as boxes to tick.
  function offered() {
    const keys = [...new Set(state.rows.flatMap((row) => Object.keys(row.values)))]
      .filter((key) => !OF_CANDLE.has(key))
      .sort();
    state.keys = keys;
    offerPicks(picks, keys, state.picked, () => {
      save();
      lined();
    });
  }
  // Lines near the price lie over the candles; others stand beneath, one pane an indicator.
  function lined() {
    const picked = (state.keys ?? []).filter((key) => state.picked.has(key));
    const lines = linesOf(picked, state.bars, state.values);
    chart.setLines(lines.filter((each) => each.pane < 5));
  }
  // Signals, entries and exits on the candles; stops as lines.
  function told() {
    const mine = held();
    chart.setMarks(marksOf(state.signals, state.trades, mine));
    chart.setLevels(levelsOf(mine));
    chart.setTrips(tripsOf(state.trades.slice(0, TRADES_DRAWN)));
  }
  const held = () => [...live.positions.values()].filter((each) => each.symbol === symbol);

  function positioned() {
    const mine = held();
    position.replaceChildren(
      ...(mine.length
        ? mine.map((each) => positionFacts(each, live.prices.get(symbol)?.[1]))
        : [make("p", { class: "quiet" }, "No open position in this symbol.")]),
    );
  }

  function noted() {
    const names = Object.keys(state.engines).sort();
    const row = { engines: state.engines };
    say(notesOf, state.close_ms ? `of ${shortTime(state.close_ms)}` : "");
    notes.replaceChildren(
      ...(names.length
        ? [
            make(
              "div",
              { class: "notes" },
              names.map((name) => engineNotes(name, state.engines[name], scoreOf(row, name))),
            ),
          ]
        : [make("p", { class: "state" }, "No notes of this symbol yet.")]),
    );
  }
  function priced() {
    const found = live.prices.get(symbol);
    if (!found) return;
    say(last, cost(found[0]));
    say(mark, `mark ${cost(found[1])}`);
    const moved = live.changes.get(symbol);
    say(change, moved === undefined ? "" : share(moved));
    change.className = tone(moved);
    positioned();
    if (!state.bars.length || state.fixed) return;
    const step_ms = MINUTES[state.granularity] * 60_000,
      open_ms = found[2] - (found[2] % step_ms),
      value = Number(found[0]);
    const now = state.bars.at(-1);
    if (open_ms < now.open_ms) return;
    const grown =
      open_ms === now.open_ms
        ? { ...now, close: value, high: Math.max(now.high, value), low: Math.min(now.low, value) }
        : {
            open_ms,
            open: now.close,
            high: Math.max(now.close, value),
            low: Math.min(now.close, value),
            close: value,
            volume: 0,
          };
    chart.update(grown);
  }
  function candle(message) {
    if (
      message.symbol !== symbol ||
      message.granularity !== state.granularity ||
      state.fixed ||
      !state.bars.length
    )
      return;
    const now = state.bars.at(-1),
      fresh = bar(message);
    // What the gateway saw only a part of is no less than what is known here.
    if (!message.sealed && !message.whole && now.open_ms === fresh.open_ms) {
      Object.assign(fresh, {
        open: now.open,
        high: Math.max(now.high, fresh.high),
        low: Math.min(now.low, fresh.low),
        volume: now.volume,
      });
    }
    chart.update(fresh);
    if (message.sealed) indicated();
  }
  async function indicated() {
    const found = await get(
      "/indicators",
      { symbol, granularity: state.granularity, limit: 5 },
      left,
    ).catch(() => ({ items: [] }));
    const step_ms = MINUTES[state.granularity] * 60_000;
    for (const row of found.items) {
      if (!state.values.has(row.close_ms - step_ms)) state.rows.push(row);
      state.values.set(row.close_ms - step_ms, row.values);
    }
    lined();
  }
  function pumping() {
    const found = live.pumps.get(symbol);
    pump.replaceChildren(
      found
        ? make(
            "span",
            { class: `tag ${toneOf(found.pump)}` },
            found.pump === "up" ? "pump" : "crash",
            ` ${share(found.change, 1)}`,
          )
        : "",
    );
  }
  function listed() {
    feed(signals, state.signals, signalLine, 40, "No signal in this symbol");
    feed(trades, state.trades, tradeLine, 40, "No trade in this symbol");
  }
  function chosen(granularity) {
    state.granularity = granularity;
    steps.set(granularity);
    save();
    watch();
    fresh();
  }
  const watch = () =>
    stream.watch({
      topics: [...TOPICS, "matrix", "candles"],
      symbols: [symbol],
      granularities: [state.granularity],
    });
  function goTo(at_ms) {
    if (Number.isFinite(at_ms))
      fresh(at_ms + MINUTES[state.granularity] * 60_000 * (PAGE / 2), at_ms);
  }
  const latest = () => {
    when.value = "";
    if (state.fixed) fresh();
    else chart.latest();
  };

  function engined() {
    state.engines = state.known.get(symbol)?.engines ?? {};
    state.close_ms = state.known.get(symbol)?.close_ms;
  }
  const nothing = () => ({ items: [] });
  async function rest() {
    const [traded, signalled, known] = await Promise.all([
      get("/trades", { symbol, limit: 100 }, left).catch(nothing),
      get("/signals", { symbol, limit: 200 }, left).catch(nothing),
      matrix(symbol, left).catch(() => new Map()),
    ]);
    if (left.aborted) return;
    state.trades = traded.items;
    state.signals = signalled.items;
    state.known = known;
    engined();
    listed();
    noted();
    told();
  }
  const offs = [
    on("prices", (names) => {
      if (names.includes(symbol)) priced();
    }),
    on("candle", candle),
    on("pumps", pumping),
    on("positions", () => {
      positioned();
      told();
    }),
    on("signal", ({ signal: each }) => {
      if (each.symbol === symbol) {
        state.signals = [each, ...state.signals];
        listed();
        told();
      }
    }),
    on("matrix", (message) => {
      for (const row of message.rows) if (row.symbol === symbol) noting(state.known, row);
      engined();
      noted();
    }),
  ];
  positioned();
  pumping();
  noted();
  listed();
  priced();
  watch();
  fresh();
  rest();
  return {
    leave() {
      offs.forEach((off) => off());
      chart.end();
    },
    keys(event) {
      const at = lengths.indexOf(state.granularity);
      if (event.key === "[" && at > 0) chosen(lengths[at - 1]);
      if (event.key === "]" && at < lengths.length - 1) chosen(lengths[at + 1]);
    },
  };
}

function kept() {
  try {
    return JSON.parse(localStorage.getItem(KEPT)) ?? {};
  } catch {
    return {};
  }
}
