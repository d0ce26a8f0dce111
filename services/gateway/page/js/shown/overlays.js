// What lies over a symbol's candles: indicators, signals, entries, exits, stops.
import { number, toneOf, words } from "../parts/format.js";

// Lines near the price lie over the candles; others stand beneath, one pane an indicator.
export function linesOf(keys, bars, values) {
  const close = bars.at(-1)?.close ?? 1;
  const panes = new Map();
  return keys.map((key, at) => {
    const points = bars.map((each) => ({
      time_ms: each.open_ms,
      value: values.get(each.open_ms)?.[key],
    }));
    const known = points.filter((each) => Number.isFinite(each.value));
    const middle = known.length ? known[known.length >> 1].value : 0;
    const over = middle / close > 0.5 && middle / close < 2;
    const family = key.split(".")[0];
    if (!over && !panes.has(family)) panes.set(family, panes.size + 1);
    return {
      key,
      at: at + 1,
      pane: over ? 0 : panes.get(family),
      kind: !over && /hist/.test(key) ? "bars" : "line",
      points,
    };
  });
}

// Signals as dots, entries as arrows, exits as squares.
export function marksOf(signals, trades, positions) {
  const marks = [];
  for (const each of signals) {
    if (each.side !== "flat")
      marks.push({
        at_ms: each.close_ms - 1,
        below: each.side === "long",
        shape: "circle",
        tone: "quiet",
        text: "",
      });
  }
  for (const each of trades) {
    const long = each.side === "long";
    marks.push({
      at_ms: each.opened_ms,
      below: long,
      shape: long ? "arrowUp" : "arrowDown",
      tone: long ? "gain" : "loss",
      text: each.agent.slice(0, 12),
    });
    if (each.closed_ms)
      marks.push({
        at_ms: each.closed_ms,
        below: !long,
        shape: "square",
        tone: Number(each.pnl) >= 0 ? "gain" : "loss",
        text: words(each.reason).slice(0, 14),
      });
  }
  for (const each of positions)
    marks.push({
      at_ms: each.opened_ms,
      below: each.side === "long",
      shape: each.side === "long" ? "arrowUp" : "arrowDown",
      tone: toneOf(each.side),
      text: each.agent.slice(0, 12),
    });
  return marks;
}

// Entry, stop and targets of what is open.
export function levelsOf(positions) {
  return positions.flatMap((each) => [
    { value: Number(each.entry), tone: "accent", text: `${each.agent} entry` },
    ...(number(each.stop)
      ? [{ value: Number(each.stop), tone: "loss", text: `${each.agent} stop` }]
      : []),
    ...(each.targets ?? []).map((target) => ({
      value: Number(target),
      tone: "gain",
      text: "target",
    })),
  ]);
}

// Each trade as a line from its entry to its exit, with its stop beneath or above.
export function tripsOf(trades) {
  return trades
    .filter((each) => each.closed_ms)
    .flatMap((each) => [
      {
        from_ms: each.opened_ms,
        to_ms: each.closed_ms,
        from: Number(each.entry_price),
        to: Number(each.exit_price),
        tone: Number(each.pnl) >= 0 ? "gain" : "loss",
      },
      ...(number(each.stop)
        ? [
            {
              from_ms: each.opened_ms,
              to_ms: each.closed_ms,
              from: Number(each.stop),
              to: Number(each.stop),
              tone: "loss",
              dotted: true,
            },
          ]
        : []),
    ]);
}
