// What stands around a symbol's candles: its head, indicators to tick, position, trades.
import { pnlOf } from "../data/live.js";
import { priceOf } from "../data/symbols.js";
import { shortTime, sideTag } from "../parts/cells.js";
import { icon, link, make, panel, scrolling, segments } from "../parts/elements.js";
import { gain, plain, tone, words } from "../parts/format.js";

// The view's elements, in place; `does`: {chosen, goTo, latest}.
export function laidOut(root, symbol, lengths, granularity, does) {
  const last = make("span", { class: "price" }, "–"),
    change = make("span", {}),
    mark = make("span", { class: "quiet" }),
    pump = make("span", {});
  const box = make("div", {
    class: "candles fades",
    role: "img",
    "aria-label": `Candles of ${symbol}`,
  });
  const says = make("div", { class: "candles-say", "aria-hidden": "true" });
  const picks = make("div", { class: "picks small", role: "group", "aria-label": "Indicators" });
  const trouble = make("div", {});
  const steps = segments(
    "Granularity",
    lengths.map((each) => [each, each]),
    granularity,
    does.chosen,
  );
  const when = make("input", {
    type: "datetime-local",
    "aria-label": "Go to a time, UTC",
    title: "Go to a time, UTC",
    onchange: () => does.goTo(Date.parse(`${when.value}Z`)),
  });
  const notes = make("div", {}),
    position = make("div", { class: "inside" });
  const notesOf = make("span", { class: "count" });
  const signals = make("ul", { class: "feed" }),
    trades = make("ul", { class: "feed" });
  root.replaceChildren(
    make(
      "div",
      { class: "headline fades" },
      make(
        "h1",
        {},
        make(
          "button",
          {
            type: "button",
            class: "symbol-head",
            "aria-label": `${symbol}: go to another symbol`,
            onclick: () =>
              document.body.dispatchEvent(
                new KeyboardEvent("keydown", { key: "/", bubbles: true }),
              ),
          },
          symbol,
          icon("search"),
        ),
      ),
      last,
      change,
      mark,
      pump,
      make(
        "span",
        { class: "push row" },
        steps.element,
        when,
        make("button", { type: "button", onclick: does.latest }, "Latest"),
      ),
    ),
    make(
      "div",
      { class: "symbol" },
      make(
        "div",
        { class: "column" },
        make(
          "section",
          { class: "panel", "aria-label": "Chart" },
          picks,
          trouble,
          make("div", { class: "candles-wrap" }, says, box),
          make(
            "p",
            { class: "credit" },
            "Charts by",
            make(
              "a",
              {
                href: "https://www.tradingview.com/",
                target: "_blank",
                rel: "noopener noreferrer",
              },
              "TradingView Lightweight Charts™",
            ),
            "· times are UTC",
          ),
        ),
        panel("Notes", { more: notesOf }, notes),
      ),
      make(
        "div",
        { class: "column" },
        panel("Position", {}, position),
        panel("Signals", {}, scrolling("Signals of the symbol", "tall", signals)),
        panel(
          "Trades",
          {
            more: link(
              `/trades?symbol=${encodeURIComponent(symbol)}`,
              { class: "push small" },
              "All",
            ),
          },
          scrolling("Trades of the symbol", "tall", trades),
        ),
      ),
    ),
  );

  return {
    last,
    change,
    mark,
    pump,
    box,
    says,
    picks,
    trouble,
    steps,
    when,
    notes,
    notesOf,
    position,
    signals,
    trades,
  };
}

// Indicators as boxes to tick.
export function offerPicks(picks, keys, picked, then) {
  picks.hidden = keys.length === 0;
  picks.replaceChildren(
    make("span", { class: "quiet" }, "Indicators"),
    ...keys.map((key) =>
      make(
        "label",
        { class: "beside" },
        make("input", {
          type: "checkbox",
          checked: picked.has(key),
          onchange: (event) => {
            if (event.target.checked) picked.add(key);
            else picked.delete(key);
            then();
          },
        }),
        key,
      ),
    ),
  );
}

export function positionFacts(each, mark) {
  const cost = (value) => priceOf(each.symbol, value);
  return make(
    "dl",
    { class: "facts" },
    fact(
      make("span", {}, each.agent, " ", sideTag(each.side)),
      make("span", { class: `strong ${tone(pnlOf(each))}` }, gain(pnlOf(each))),
    ),
    fact("Size", plain(each.size)),
    fact("Entry", cost(each.entry)),
    fact("Mark", cost(mark ?? each.mark)),
    fact("Stop", cost(each.stop)),
    fact("Peak", cost(each.peak)),
    fact("From", each.source),
  );
}
const fact = (name, value) => [make("dt", {}, name), make("dd", {}, value)];

export const tradeLine = (each) =>
  make(
    "li",
    {},
    make("span", { class: "quiet" }, shortTime(each.closed_ms || each.opened_ms)),
    make(
      "span",
      {},
      link(`/trades/${encodeURIComponent(each.id)}`, {}, each.agent),
      " ",
      sideTag(each.side),
      " ",
      make("span", { class: "quiet" }, words(each.reason) || "open"),
    ),
    make("span", { class: tone(each.pnl) }, gain(each.pnl)),
  );
