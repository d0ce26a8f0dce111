// Scanner: the matrix of all symbols × engines, as a grid or as a map of tiles, live.
import { choice, empty, failed, loading, make, panel, say, segments } from "../parts/elements.js";
import { count, heat, note, share, tone, words } from "../parts/format.js";
import { heatGrid } from "../parts/heat.js";
import { heatMap } from "../parts/heatmap.js";
import { live, on, stream, TOPICS } from "../data/live.js";
import { matrix, noted } from "../data/matrix.js";
import { about, priceOf, symbols } from "../data/symbols.js";

const SORT_AGAIN_MS = 2_000; // rows that are sorted by something live move at most so often
const KEPT = "chandler.scanner";

import { scoreOf, verdictTone } from "../shown/notes.js";

export const title = () => "Scanner";
export const wide = true;

export function show(root, { go, signal: left }) {
  let rows = new Map(); // symbol → {symbol, engines}
  const chosen = {
    look: "grid",
    of: "",
    text: "",
    least: "0",
    only: "all",
    by: "symbol",
    down: false,
    ...kept(),
  };
  const said = make("span", { class: "quiet small", role: "status" });
  const body = panel("Matrix", {});
  body.replaceChildren(loading());
  const search = make("input", {
    type: "search",
    placeholder: "Filter symbols",
    "aria-label": "Filter symbols",
    value: chosen.text,
    oninput: () => {
      chosen.text = search.value;
      arrange();
    },
  });
  const engines = choice("Engine", [["", "All engines"]], "", (of) => {
    chosen.of = of;
    columned();
    save();
  });
  const least = choice(
    "Strength",
    [
      ["0", "Any strength"],
      ["0.2", "≥ 0.2"],
      ["0.4", "≥ 0.4"],
      ["0.6", "≥ 0.6"],
    ],
    chosen.least,
    (value) => {
      chosen.least = value;
      arrange();
      save();
    },
  );
  const only = choice(
    "Which",
    [
      ["all", "All symbols"],
      ["signal", "With a signal"],
      ["held", "With a position"],
      ["pumped", "In a pump"],
    ],
    chosen.only,
    (value) => {
      chosen.only = value;
      arrange();
      save();
    },
  );
  const looks = segments(
    "Look",
    [
      ["grid", "Grid"],
      ["map", "Map"],
    ],
    chosen.look,
    (look) => {
      chosen.look = look;
      laid();
      save();
    },
  );
  root.append(
    make(
      "div",
      { class: "scanner" },
      make(
        "div",
        { class: "headline" },
        make("h1", {}, "Scanner"),
        said,
        make(
          "span",
          { class: "filters push" },
          search,
          engines,
          only,
          least,
          looks.element,
          scale(),
        ),
      ),
      body,
    ),
  );

  const open = (row) => go(`/symbol/${encodeURIComponent(row.symbol)}`);
  const grid = heatGrid({ label: "Notes of all symbols by engine", open, sorted: sortBy });
  const map = heatMap({ label: "Notes of all symbols", open });
  let columns = [],
    names = [],
    order = [],
    timer = 0;

  function columned() {
    columns = [
      {
        id: "symbol",
        label: "Symbol",
        rem: 7.6,
        cell: (row) => row.symbol + (live.pumps.has(row.symbol) ? "  ◆" : ""),
        value: (row) => row.symbol,
        title: "◆ in a pump or crash",
      },
      {
        id: "last",
        label: "Last",
        rem: 7.2,
        cell: (row) => priceOf(row.symbol, lastOf(row)),
        value: (row) => Number(lastOf(row)),
      },
      {
        id: "change",
        label: "24 h",
        rem: 4.9,
        cell: (row) => share(changeOf(row)),
        tone: (row) => tone(changeOf(row)),
        value: changeOf,
      },
    ];
    for (const name of names) {
      if (chosen.of && chosen.of !== name) continue;
      const first = [...rows.values()].find((row) => row.engines[name]);
      const evaluators = evaluatorsOf(name);
      columns.push({
        id: `${name}|score`,
        group: name,
        under: first?.engines[name].granularity ?? "",
        label: "score",
        rem: 3.9,
        whole: true,
        cell: (row) => note(scoreOf(row, name)),
        note: (row) => scoreOf(row, name),
        value: (row) => scoreOf(row, name),
      });
      for (const each of evaluators) {
        columns.push({
          id: `${name}|${each}`,
          group: name,
          label: words(each),
          rem: 3.9,
          cell: (row) => note(row.engines[name]?.notes?.[each]),
          note: (row) => row.engines[name]?.notes?.[each] ?? null,
          value: (row) => row.engines[name]?.notes?.[each],
          title: `${words(each)} (${name})`,
        });
      }
      columns.push({
        id: `${name}|verdict`,
        group: name,
        label: "verdict",
        rem: 6.2,
        cell: (row) => verdictOf(row.engines[name]),
        tone: (row) => verdictTone(row.engines[name]?.verdict),
        value: (row) => row.engines[name]?.verdict,
      });
    }
    const at = Math.max(
      0,
      columns.findIndex((each) => each.id === chosen.by),
    );
    grid.setColumns(columns, at, chosen.down);
    arrange();
  }
  function evaluatorsOf(name) {
    const found = new Set();
    for (const row of rows.values()) {
      const engine = row.engines[name];
      for (const each of Object.keys(engine?.notes ?? {})) found.add(each);
      for (const each of Object.keys(engine?.absent ?? {})) found.add(each);
    }
    return [...found].slice(0, 12);
  }
  const lastOf = (row) => live.prices.get(row.symbol)?.[0] ?? about(row.symbol)?.last;
  const changeOf = (row) => live.changes.get(row.symbol) ?? null;

  function sortBy(at) {
    const { id } = columns[at];
    chosen.down = id === chosen.by ? !chosen.down : id !== "symbol";
    chosen.by = id;
    grid.sort(at, chosen.down);
    arrange();
    save();
  }
  function keeps(row) {
    if (chosen.text && !row.symbol.toUpperCase().includes(chosen.text.trim().toUpperCase()))
      return false;
    if (
      Number(chosen.least) &&
      !shownEngines().some((name) => Math.abs(scoreOf(row, name) ?? 0) >= Number(chosen.least))
    )
      return false;
    if (chosen.only === "pumped") return live.pumps.has(row.symbol);
    if (chosen.only === "held")
      return [...live.positions.values()].some((each) => each.symbol === row.symbol);
    if (chosen.only === "signal")
      return shownEngines().some((name) => ["long", "short"].includes(row.engines[name]?.verdict));
    return true;
  }
  const shownEngines = () => (chosen.of ? [chosen.of] : names);

  function arrange() {
    const column = columns.find((each) => each.id === chosen.by) ?? columns[0];
    if (!column) return;
    order = [...rows.values()].filter(keeps).map((row) => [row, column.value(row)]);
    order.sort(([one, a], [other, b]) => {
      const hasA = a !== null && a !== undefined && a === a,
        hasB = b !== null && b !== undefined && b === b;
      if (hasA !== hasB) return hasB - hasA;
      return (
        (a < b ? -1 : a > b ? 1 : 0) * (chosen.down ? -1 : 1) ||
        (one.symbol < other.symbol ? -1 : 1)
      );
    });
    order = order.map(([row]) => row);
    say(said, `${count(order.length)} of ${count(rows.size)} symbols`);
    grid.setRows(order);
    tiled();
    const nothing = order.length === 0;
    if (nothing !== body.classList.contains("nothing")) laid();
  }
  function laid() {
    const nothing = order.length === 0;
    body.classList.toggle("nothing", nothing);
    if (nothing)
      body.replaceChildren(
        rows.size
          ? empty("No symbol fits", "Take a filter away.")
          : empty("No notes yet", "The first candle that closes brings them."),
      );
    else body.replaceChildren(chosen.look === "map" ? map.element : grid.element);
    if (!nothing) tiled();
  }
  function tiled() {
    if (chosen.look !== "map") return;
    const shown = shownEngines();
    map.set(
      order.map((row) => {
        const scores = shown.map((name) => scoreOf(row, name)).filter((each) => each !== null);
        const value = scores.length
          ? scores.reduce((all, each) => (Math.abs(each) > Math.abs(all) ? each : all))
          : null;
        return {
          symbol: row.symbol,
          short: row.symbol.replace(/USD[TC]$/, ""),
          value,
          step: heat(value),
          said: value === null ? "–" : note(value),
          words: [
            ["Last", priceOf(row.symbol, lastOf(row))],
            ["24 h", share(changeOf(row))],
            ...shown.map((name) => [name, note(scoreOf(row, name))]),
          ],
        };
      }),
    );
  }
  function taken(items) {
    const fresh = items.map((each) => noted(rows, each)).some(Boolean);
    if (fresh) begun();
    else soon();
  }
  function soon() {
    grid.touch();
    if (!timer)
      timer = setTimeout(() => {
        timer = 0;
        arrange();
      }, SORT_AGAIN_MS);
  }
  function begun() {
    names = [...new Set([...rows.values()].flatMap((row) => Object.keys(row.engines)))].sort();
    engines.replaceChildren(
      ...[["", "All engines"], ...names.map((name) => [name, name])].map(([value, text]) =>
        make("option", { value }, text),
      ),
    );
    if (!names.includes(chosen.of)) chosen.of = "";
    engines.value = chosen.of;
    columned();
    laid();
  }
  const save = () => localStorage.setItem(KEPT, JSON.stringify({ ...chosen, text: "" }));

  async function load() {
    body.replaceChildren(loading());
    try {
      [rows] = await Promise.all([matrix("", left), symbols().catch(() => [])]);
      begun();
    } catch (error) {
      if (!left.aborted) body.replaceChildren(failed(error, load));
    }
  }
  const offs = [
    on("prices", soon),
    on("matrix", (message) => taken(message.rows)),
    on("pumps", soon),
  ];
  stream.watch({ topics: [...TOPICS, "matrix"] });
  load();
  return {
    leave() {
      clearTimeout(timer);
      offs.forEach((off) => off());
      grid.end();
      map.end();
    },
    keys(event) {
      if (event.key === "m") {
        chosen.look = chosen.look === "map" ? "grid" : "map";
        looks.set(chosen.look);
        laid();
        save();
      }
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

// What most engines say of most symbols is no news: a dot.
const verdictOf = (engine) =>
  engine ? (engine.verdict === "below threshold" ? "·" : engine.verdict) : "–";

function scale() {
  return make(
    "span",
    {
      class: "scale",
      role: "img",
      "aria-label": "Colours from short, minus one, to long, plus one",
    },
    "short",
    make(
      "span",
      {},
      [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5].map((step) =>
        make("i", { class: step ? `h${step}` : "" }),
      ),
    ),
    "long",
  );
}
