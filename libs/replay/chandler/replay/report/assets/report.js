// The report of one backtest.
const data = JSON.parse(document.getElementById("data").textContent);
const { metrics, unit, origin } = data;
const word = (place) => data.words[place];
const trades = data.trades.map(([symbol, agent, side, engine, reason, opened, closed, entry, exit, size, pnl, fees, funding, leverage, adds, stop]) => ({
  symbol: word(symbol), agent: word(agent), side: word(side), engine: word(engine), reason: word(reason),
  opened, closed, entry, exit, size, pnl, fees, funding, leverage, adds, stop,
}));
const whole = metrics.portfolio;
const agents = Object.entries(metrics.agents), benchmarks = Object.entries(metrics.benchmarks);
const column = (label, value, text, more = {}) => ({ label, value, cell: (row) => text(value(row), row), number: true, ...more });
const colour = (text) => (value) => toned(value, text(value));

function heading() {
  const symbols = Object.keys(metrics.breakdowns.symbol).length;
  const who = [`${day(data.from_ms)} to ${day(data.to_ms)}`, `${agents.length} agent${agents.length === 1 ? "" : "s"}`, `${symbols} symbol${symbols === 1 ? "" : "s"} traded`, `${show.count(origin.candles)} candles`];
  document.title = `Backtest ${origin.profile}, ${day(data.from_ms)} to ${day(data.to_ms)}`;
  const links = [["equity", "Equity"], ["figures", "Figures"], ["months", "Months"], ["breakdown", "By engine, symbol …"], ["candles", "On candles"], ["trades", "Trades"], ["refusals", "Refusals"], ["origin", "Origin"]];
  document.getElementById("top").append(
    make("div", { class: "head" }, make("div", {}, make("h1", {}, `Backtest of ${origin.profile}`), make("p", { class: "quiet" }, who.join(" · "))), tools()));
  document.getElementById("main").append(make("nav", { "aria-label": "Sections" }, links.map(([id, text]) => make("a", { href: `#${id}` }, text))));
}

function tiles() {
  const { performance: p, trades: t, exposure: e } = whole;
  const fall = p.drawdown_within;
  const tile = (name, figure, under, value = null) => make("div", { class: "tile" }, make("dt", {}, name), make("dd", { class: `figure ${tone(value)}` }, figure), make("dd", { class: "under" }, under));
  const held = benchmarks.map(([name, each]) => `${name} held ${show.change(each.total_return, 1)}`).join(" · ");
  return make("dl", { class: "tiles" },
    tile("Return", show.change(p.total_return), held || `${show.money(p.start)} → ${show.money(p.end)} ${unit}`, p.total_return),
    tile("A year (CAGR)", show.change(p.cagr), `volatility ${show.share(p.volatility, 1)} a year`, p.cagr),
    tile("Deepest drawdown", fall ? show.share(fall.depth) : "none", fall ? (isThere(fall.recovered_ms) ? `recovered after ${show.lasting(fall.duration_ms)}` : `not recovered, ${show.lasting(fall.duration_ms)} so far`) : "never below its start or peak", fall && fall.depth),
    tile("Sharpe", show.ratio(p.sharpe), `Sortino ${show.ratio(p.sortino)} · Calmar ${show.ratio(p.calmar)}`),
    tile("Equity at the end", show.money(p.end), `${unit}, from ${show.money(p.start)}`),
    tile("Profit factor", show.ratio(t.profit_factor), `average win ${show.money(t.average_win)}, loss ${show.money(t.average_loss)}`),
    tile("Win rate", show.share(t.win_rate, 1), `${show.count(t.wins)} of ${show.count(t.trades)} trades`),
    tile("A trade", show.signed(t.average), `${unit} on average, held ${show.lasting(t.holding_ms)}`, t.average),
    tile("Fees and funding", show.money(Number(t.fees) + Number(t.funding)), `${unit}: ${show.money(t.fees)} fees, ${show.money(t.funding)} funding`),
    tile("In the market", show.share(t.time_open, 1), `of the time, ${show.share(e.mean, 1)} of equity; turnover ${show.ratio(t.turnover)}×`));
}

function equity() {
  return section("equity", "Equity and drawdown", "Growth of each curve since its start. Benchmarks are bought at the start and held.",
    data.curves.length ? lines(data.curves, unit) : empty("No agent traded and no benchmark was given: there is nothing to draw."),
    benchmarks.length ? null : data.curves.length ? make("p", { class: "small quiet" }, "No benchmark was given with this result.") : null);
}

function figures() {
  const of = (name, each) => ({ name, p: each.performance, t: each.trades, e: each.exposure });
  const columns = [of("portfolio", whole), ...(agents.length > 1 ? agents.map(([name, each]) => of(name, each)) : []), ...benchmarks.map(([name, p]) => ({ name: `${name} held`, p, t: null, e: null }))];
  const when = (each) => (each ? [show.change(each.value), make("span", { class: "when" }, each.when)] : NONE);
  const rows = [
    ["Return", (c) => show.change(c.p.total_return)], ["A year (CAGR)", (c) => show.change(c.p.cagr)], ["Volatility, a year", (c) => show.share(c.p.volatility)],
    ["Sharpe", (c) => show.ratio(c.p.sharpe)], ["Sortino", (c) => show.ratio(c.p.sortino)], ["Calmar (by daily closes)", (c) => show.ratio(c.p.calmar)],
    ["Drawdown, within days", (c) => show.share(c.p.drawdown_within && c.p.drawdown_within.depth)], ["Drawdown, daily closes", (c) => show.share(c.p.drawdown && c.p.drawdown.depth)],
    ["Its peak", (c) => (c.p.drawdown_within ? moment(c.p.drawdown_within.start_ms) : NONE)], ["Its trough", (c) => (c.p.drawdown_within ? moment(c.p.drawdown_within.trough_ms) : NONE)],
    ["Recovered", (c) => (c.p.drawdown_within ? (isThere(c.p.drawdown_within.recovered_ms) ? moment(c.p.drawdown_within.recovered_ms) : "not yet") : NONE)],
    ["Best day", (c) => when(c.p.best_day)], ["Worst day", (c) => when(c.p.worst_day)], ["Best month", (c) => when(c.p.best_month)], ["Worst month", (c) => when(c.p.worst_month)],
    ["Trades", (c) => c.t && show.count(c.t.trades)], ["PnL of trades", (c) => c.t && show.signed(c.t.pnl)], ["Still open, booked so far", (c) => c.t && `${show.count(c.t.open_trades)} (${show.signed(c.t.open_pnl)})`], ["Still open, unrealised", (c) => c.t && show.signed(Number((c.p.end - c.p.start - Number(c.t.pnl) - Number(c.t.open_pnl)).toFixed(2)) || 0)], ["PnL in all", (c) => c.t && show.signed(c.p.end - c.p.start)],
    ["Win rate", (c) => c.t && show.share(c.t.win_rate, 1)], ["Profit factor", (c) => c.t && show.ratio(c.t.profit_factor)], ["Average trade", (c) => c.t && show.signed(c.t.average)],
    ["Average win", (c) => c.t && show.signed(c.t.average_win)], ["Average loss", (c) => c.t && show.signed(c.t.average_loss)], ["Best trade", (c) => c.t && show.signed(c.t.best)], ["Worst trade", (c) => c.t && show.signed(c.t.worst)],
    ["Most losses in a row", (c) => c.t && show.count(c.t.losing_streak)], ["Average time held", (c) => c.t && show.lasting(c.t.holding_ms)],
    ["Fees in all", (c) => c.t && show.money(c.t.fees)], ["Funding in all", (c) => c.t && show.money(c.t.funding)], ["Turnover", (c) => c.t && `${show.ratio(c.t.turnover)}×`],
    ["Time with something open", (c) => c.t && show.share(c.t.time_open, 1)], ["Exposure, mean", (c) => c.e && show.share(c.e.mean, 1)], ["Exposure, greatest", (c) => c.e && show.share(c.e.greatest, 1)],
  ];
  const head = make("thead", {}, make("tr", {}, make("th", { class: "stay", scope: "col" }, ""), columns.map((each) => make("th", { class: "number", scope: "col" }, each.name))));
  const body = make("tbody", {}, rows.map(([name, cell]) => make("tr", {}, make("th", { class: "stay", scope: "row" }, name), columns.map((each) => make("td", { class: "number" }, cell(each) || "")))));
  return section("figures", "Figures", `Money in ${unit}. Daily returns of UTC days, a year of 365 days, no risk-free rate.`, scrolling("Figures of the portfolio, agents and benchmarks", make("table", {}, head, body)));
}

function months() {
  const all = [["portfolio", whole.performance.months], ...(agents.length > 1 ? agents.map(([name, each]) => [name, each.performance.months]) : []), ...benchmarks.map(([name, each]) => [`${name} held`, each.months])];
  const host = make("div");
  const render = (name) => {
    const found = all[Number(name)][1];
    const years = [...new Set(Object.keys(found).map((each) => each.slice(0, 4)))].sort();
    if (!years.length) return host.replaceChildren(empty("No whole day was recorded: there are no months to show."));
    const greatest = Math.max(...Object.values(found).map(Math.abs), 0.005);
    const cell = (value, kind = "") => isThere(value)
      ? make("td", { class: kind, style: `background:color-mix(in srgb, var(--${value >= 0 ? "gain" : "loss"}) ${Math.round(42 * Math.min(1, Math.abs(value) / greatest))}%, var(--panel))` }, show.change(value, 1))
      : make("td", { class: "quiet" }, "");
    const rows = years.map((year) => {
      const values = NAMES.map((_, at) => found[`${year}-${String(at + 1).padStart(2, "0")}`]);
      const total = values.filter(isThere).reduce((product, each) => product * (1 + each), 1) - 1;
      return make("tr", {}, make("th", { class: "stay", scope: "row" }, year), values.map((value) => cell(value)), cell(total, "total"));
    });
    host.replaceChildren(scrolling("Returns by month", make("table", { class: "months" }, make("thead", {}, make("tr", {}, make("th", { class: "stay" }, ""), [...NAMES, "year"].map((each) => make("th", { class: "number", scope: "col" }, each)))), make("tbody", {}, rows))));
  };
  render("0");
  const pick = all.length > 1 && make("div", { class: "controls" }, choice("Of", all.map(([name], at) => [String(at), name]), render, "0").element);
  return section("months", "Returns by month", "The first and the last may be parts of a month.", pick, host);
}

function distribution() {
  const bins = data.bins;
  const title = ["distribution", "What trades came to"];
  if (!bins.length) return section(...title, null, empty("No trade was closed in this period."));
  const frame = draw("svg", { role: "img", "aria-label": "How many trades came to which PnL; the table of trades has each" });
  const chart = make("div", { class: "chart" }, frame);
  const greatest = Math.max(...bins.map((each) => each[2]));
  sized(chart, (width) => {
    const LEFT = 42, RIGHT = 10, TOP = 12, HIGH = 190, height = TOP + HIGH + 40, right = width - RIGHT;
    const first = bins[0][0], last = bins[bins.length - 1][1];
    const x = (value) => LEFT + ((value - first) / (last - first)) * (right - LEFT), y = (count) => TOP + HIGH * (1 - count / greatest);
    frame.setAttribute("viewBox", `0 0 ${width} ${height}`);
    frame.setAttribute("height", height);
    frame.replaceChildren(
      ...niceTicks(0, greatest, 4).filter(Number.isInteger).flatMap((count) => [draw("line", { class: count ? "grid" : "zero", x1: LEFT, x2: right, y1: y(count), y2: y(count) }), draw("text", { x: LEFT - 7, y: y(count) + 4, "text-anchor": "end" }, show.count(count))]),
      ...bins.map(([from, to, count]) => draw("rect", { x: x(from) + 0.75, width: Math.max(0.5, x(to) - x(from) - 1.5), y: y(count), height: TOP + HIGH - y(count), class: from >= 0 ? "up" : "down", style: "stroke:none" }, draw("title", {}, `${show.signed(from)} to ${show.signed(to)} ${unit}: ${show.count(count)} trades`))),
      ...niceTicks(first, last, (right - LEFT) / 80).map((value) => draw("text", { x: x(value), y: TOP + HIGH + 16, "text-anchor": "middle" }, minus(new Intl.NumberFormat("en-US", { maximumFractionDigits: 2 }).format(value)))),
      draw("line", { class: "zero", x1: x(0), x2: x(0), y1: TOP - 6, y2: TOP + HIGH }),
      draw("text", { x: (LEFT + right) / 2, y: TOP + HIGH + 34, "text-anchor": "middle" }, `PnL of a trade, ${unit}`));
  });
  return section(...title, `How many of ${show.count(whole.trades.trades)} closed trades came to which PnL, after fees and funding. The outermost bars hold what lies beyond them.`, chart);
}

function breakdown() {
  const { breakdowns } = metrics;
  const kinds = [["engine", "Engine"], ["symbol", "Symbol"], ["reason", "Exit reason"], ["side", "Side"], ["month", "Month"]];
  const title = ["breakdown", "What made and lost the money"];
  if (!Object.keys(breakdowns.engine).length) return section(...title, null, empty("No trades were made in this period."));
  const host = make("div");
  const render = (kind) => {
    const rows = Object.entries(breakdowns[kind]).map(([name, t]) => ({ name, t, sum: Number(t.pnl) + Number(t.open_pnl) }));
    const greatest = Math.max(...rows.map((each) => Math.abs(each.sum)));
    const label = kinds.find(([each]) => each === kind)[1];
    const columns = [
      { label, value: (row) => row.name, cell: (row) => row.name, class: "name" },
      column("PnL", (row) => row.sum, colour(show.signed)),
      { label: "", cell: (row) => bar(row.sum, greatest), class: "bar" },
      column("Trades", (row) => row.t.trades + row.t.open_trades, show.count), column("Win rate", (row) => row.t.win_rate, (value) => show.share(value, 1)),
      column("Profit factor", (row) => row.t.profit_factor, show.ratio), column("Average", (row) => row.t.average, show.signed),
      column("Held", (row) => row.t.holding_ms, show.lasting), column("Fees", (row) => Number(row.t.fees), show.money), column("Funding", (row) => Number(row.t.funding), show.money),
      column("Turnover", (row) => row.t.turnover, (value) => `${show.ratio(value)}×`),
    ];
    const isMonth = kind === "month";
    host.replaceChildren(table(`By ${label.toLowerCase()}`, columns, rows, { by: isMonth ? 0 : 1, down: !isMonth, size: 25 }).element);
  };
  const buttons = kinds.map(([kind, text]) => make("button", { type: "button", "aria-pressed": String(kind === "engine"), onclick: () => {
    buttons.forEach((each, at) => each.setAttribute("aria-pressed", String(kinds[at][0] === kind)));
    render(kind);
  } }, text));
  render("engine");
  return section(...title, `PnL after fees and funding, in ${unit}; of what is still open, what is booked so far.`, make("div", { class: "controls", role: "group", "aria-label": "Broken down by" }, buttons), host);
}

function onCandles() {
  const title = ["candles", "Trades on candles"];
  if (!trades.length) return { element: section(...title, null, empty("No trades were made in this period.")), show: null };
  if (!Object.keys(data.bars).length) return { element: section(...title, null, empty("The result holds no candles of what was traded.")), show: null };
  const chart = candleChart(data, trades);
  const element = section(...title, null, chart.element);
  return { element, has: chart.has, show: (trade) => { chart.show(trade); element.scrollIntoView(); } };
}

function list(chart) {
  const title = ["trades", "Trades"];
  if (!trades.length) return section(...title, null, empty("No trades were made. ", whyNone()));
  const name = (trade) => (chart.show && chart.has(trade.symbol) ? make("button", { type: "button", class: "link", title: "Show on candles", onclick: () => chart.show(trade) }, trade.symbol) : trade.symbol);
  const plain = (label, key) => ({ label, value: (row) => row[key], cell: (row) => row[key], class: "name" });
  const columns = [
    { label: "Opened (UTC)", value: (row) => row.opened, cell: (row) => moment(row.opened), class: "nowrap", number: false },
    { label: "Symbol", value: (row) => row.symbol, cell: name, class: "name" },
    plain("Side", "side"), plain("Agent", "agent"), plain("Engine", "engine"),
    column("Entry", (row) => row.entry, show.price), column("Exit", (row) => row.exit, show.price),
    column("PnL", (row) => row.pnl, colour(show.signed)), column("of entry", (row) => row.pnl / (row.entry * row.size || 1), colour((value) => show.change(value))),
    column("Held", (row) => (row.closed || data.to_ms) - row.opened, show.lasting), column("Fees", (row) => row.fees, show.money), column("Funding", (row) => row.funding, show.money), plain("Exit reason", "reason"),
  ];
  const made = table("Trades", columns, trades, { by: 0, down: false, size: 50 });
  const outcomes = { all: () => true, wins: (row) => row.closed && row.pnl > 0, losses: (row) => row.closed && row.pnl < 0, open: (row) => !row.closed };
  let outcome = "all", words = [];
  const found = make("span", { class: "small quiet", role: "status" });
  const apply = () => {
    const count = made.filter((row) => outcomes[outcome](row) && words.every((each) => `${row.symbol} ${row.side} ${row.agent} ${row.engine} ${row.reason} ${day(row.opened)}`.toLowerCase().includes(each)));
    found.textContent = count === trades.length ? "" : count ? `${show.count(count)} trades` : "no trade is like that";
  };
  const search = make("input", { type: "search", placeholder: "symbol, agent, reason, day …", "aria-label": "Filter trades", oninput: () => { words = search.value.toLowerCase().split(/\s+/).filter(Boolean); apply(); } });
  const pick = choice("Show", [["all", "all"], ["wins", "wins"], ["losses", "losses"], ["open", "still open"]], (value) => { outcome = value; apply(); }, "all");
  const element = section(...title, null, make("div", { class: "controls" }, search, pick.element, found), made.element);
  element.classList.add("long");
  return element;
}

function whyNone() {
  const refused = Object.values(data.refusals).flatMap(Object.values).reduce((sum, each) => sum + each, 0);
  const signals = Object.values(data.signals).reduce((sum, each) => sum + each, 0);
  if (!agents.length) return "The profile has no agent: add one to it.";
  if (refused) return `${show.count(signals)} signals were made and ${show.count(refused)} orders refused: see the refusals below.`;
  return signals ? `${show.count(signals)} signals were made; no agent follows them.` : "No engine made a signal: look at its thresholds and at the period.";
}

function refusals() {
  const rows = Object.entries(data.refusals).flatMap(([agent, reasons]) => Object.entries(reasons).map(([reason, count]) => ({ agent, reason, count })));
  const greatest = Math.max(...rows.map((each) => each.count), 1);
  const columns = [
    { label: "Reason", value: (row) => row.reason, cell: (row) => row.reason, class: "name" }, { label: "Agent", value: (row) => row.agent, cell: (row) => row.agent, class: "name" },
    column("Orders", (row) => row.count, show.count),
    { label: "", class: "bar", cell: (row) => draw("svg", { viewBox: "0 0 100 12", preserveAspectRatio: "none", "aria-hidden": "true" }, draw("rect", { x: 0, y: 2, width: (100 * row.count) / greatest, height: 8, style: "fill:var(--accent)" })) },
  ];
  const signals = Object.entries(data.signals).sort((a, b) => b[1] - a[1]);
  const stranger = rows.some((row) => row.reason === "engine_not_followed" || row.reason === "symbol_not_followed");
  const hint = stranger ? "engine_not_followed, symbol_not_followed: each agent is offered every signal, and takes those of the engines and symbols that it follows." : null;
  return section("refusals", "Orders that were not made", hint, rows.length ? table("Refusals by reason", columns, rows, { by: 2, size: 15 }).element : empty("No order was refused."),
    make("h3", {}, "Signals"), signals.length ? facts(signals.map(([name, count]) => [name, show.count(count)])) : make("p", { class: "quiet" }, "No engine made a signal."));
}

function about() {
  const notes = [...data.notes, ...data.thinned];
  const seconds = Object.entries(data.timings).map(([name, value]) => `${name} ${value < 10 ? value.toFixed(2) : value.toFixed(0)} s`).join(", ");
  const code = (text) => make("span", { class: "mono small" }, text);
  return section("origin", "Origin and notes", null,
    facts([["Profile", origin.profile], ["Period (UTC)", `${moment(data.from_ms)} to ${moment(data.to_ms)}`], ["Read from", origin.source], ["Candles", show.count(origin.candles)],
      ["Prices", `${show.count(origin.ticks)}, ${origin.from_tickers ? "of recorded tickers" : "four for each of the shortest candles"}`], ["Digest", code(origin.digest)], ["Configuration", code(origin.config)], ["Code", code(origin.code)], ["Took", seconds || null]]),
    notes.length ? [make("h3", {}, "Notes"), make("ul", { class: "notes wrap" }, notes.map((each) => make("li", {}, each)))] : null);
}

heading();
const chart = onCandles();
document.getElementById("main").append(tiles(), equity(), figures(), months(), breakdown(), make("div", { class: "pair" }, distribution(), refusals()), chart.element, list(chart), about(),
  make("footer", {}, "Two runs of the same candles, configuration and code have the same digest."));
