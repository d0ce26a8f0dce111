// Trades on candles: wheel and drag, pinch, buttons or keys move and zoom.
function unpacked(packed) {
  const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0)).buffer;
  const prices = new Float32Array(bytes(packed.prices));
  const slots = packed.slots ? new Int32Array(bytes(packed.slots)) : null;
  const time = (at) => packed.first + packed.step * (slots ? slots[at] : at);
  return { count: packed.count, step: packed.step, prices, time };
}

function candleChart(data, trades) {
  const symbols = Object.keys(data.bars).sort();
  const frame = draw("svg", { tabindex: 0, role: "img", "aria-label": "Candles with trades; arrows move, plus and minus zoom, 0 shows everything" });
  const readout = make("p", { class: "readout small quiet", "aria-live": "off" });
  const chart = make("div", { class: "chart" }, frame);
  const LEFT = 10, RIGHT = 70, TOP = 12, BELOW = 24, HIGH = 360;
  const MARKS_MAX = 400, WIDE = 4;
  let width = 0, symbol = null, bars = null, mine = [], view = [0, 1], chosen = -1, lay = null;
  const said = make("span", { class: "small quiet", role: "status" });

  function take(name, at = -1) {
    symbol = name;
    picker.select.value = name;
    bars = unpacked(data.bars[name]);
    mine = trades.filter((each) => each.symbol === name).sort((a, b) => a.opened - b.opened);
    chosen = at;
    whole();
  }
  const extent = () => (bars.count ? [bars.time(0), bars.time(bars.count - 1) + bars.step] : [0, 1]);
  function whole() { view = extent(); render(); }
  function look(from, to) {
    const [first, last] = extent();
    const least = Math.min(last - first, bars.step * 12);
    const length = Math.min(last - first, Math.max(least, to - from));
    const middle = (from + to) / 2;
    const begin = Math.min(Math.max(middle - length / 2, first), last - length);
    view = [begin, begin + length];
    render();
  }
  function zoom(factor, share = 0.5) {
    const at = view[0] + share * (view[1] - view[0]);
    const length = (view[1] - view[0]) * factor;
    look(at - share * length, at + (1 - share) * length);
  }
  function go(way) {
    if (!mine.length) return;
    chosen = chosen < 0 ? (way > 0 ? 0 : mine.length - 1) : (chosen + way + mine.length) % mine.length;
    focus(mine[chosen]);
  }
  function focus(trade) {
    chosen = mine.indexOf(trade);
    const end = trade.closed || data.to_ms;
    const around = Math.max((end - trade.opened) * 0.8, bars.step * 30);
    look(trade.opened - around, end + around);
  }

  // Visible candles, several in one where they would be narrower than WIDE pixels.
  function visible() {
    const last = bars.count - 1;
    let low = 0, high = last;
    while (low < high) { const middle = (low + high) >> 1; if (bars.time(middle) + bars.step <= view[0]) low = middle + 1; else high = middle; }
    const room = Math.max(20, Math.floor((width - LEFT - RIGHT) / WIDE));
    const length = candleLength(bars.step, view[1] - view[0], room);
    const found = [];
    let current = null;
    for (let at = low; at <= last && bars.time(at) < view[1]; at++) {
      const group = Math.floor(bars.time(at) / length), place = at * 4;
      const [open, highest, lowest, close] = bars.prices.subarray(place, place + 4);
      if (!current || current.group !== group) found.push((current = { group, time: group * length, open, high: highest, low: lowest, close }));
      else { current.high = Math.max(current.high, highest); current.low = Math.min(current.low, lowest); current.close = close; }
    }
    return { found, length };
  }

  function render() {
    if (!width || !bars) return;
    const height = TOP + HIGH + BELOW, right = width - RIGHT;
    frame.setAttribute("viewBox", `0 0 ${width} ${height}`);
    frame.setAttribute("height", height);
    const { found, length } = visible();
    const shown = mine.filter((each) => each.opened <= view[1] && (each.closed || data.to_ms) >= view[0]);
    const marked = shown.length > MARKS_MAX ? [] : shown;
    let low = Math.min(...found.map((each) => each.low)), high = Math.max(...found.map((each) => each.high));
    if (!found.length) { low = 0; high = 1; }
    const room = (high - low || high || 1) * 0.06;
    low -= room; high += room;
    const x = (at) => LEFT + ((at - view[0]) / (view[1] - view[0])) * (right - LEFT);
    const y = (price) => TOP + HIGH * (1 - (price - low) / (high - low));
    const parts = [];
    for (const [at, text] of timeTicks(view[0], view[1], (right - LEFT) / 95)) parts.push(
      draw("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP, y2: TOP + HIGH }),
      x(at) > LEFT + 14 && x(at) < right - 14 && draw("text", { x: x(at), y: TOP + HIGH + 17, "text-anchor": "middle" }, text));
    for (const price of niceTicks(low, high, 6)) parts.push(
      draw("line", { class: "grid", x1: LEFT, x2: right, y1: y(price), y2: y(price) }), draw("text", { x: right + 7, y: y(price) + 4 }, show.price(price)));
    const across = Math.max(1, ((right - LEFT) * length) / (view[1] - view[0]));
    const body = Math.max(1, across * 0.68);
    const paths = { up: "", down: "" };
    for (const each of found) {
      const middle = x(each.time + length / 2), top = y(Math.max(each.open, each.close)), bottom = Math.max(top + 0.8, y(Math.min(each.open, each.close)));
      paths[each.close >= each.open ? "up" : "down"] += `M${middle.toFixed(1)} ${y(each.high).toFixed(1)}V${y(each.low).toFixed(1)}M${(middle - body / 2).toFixed(1)} ${top.toFixed(1)}h${body.toFixed(1)}V${bottom.toFixed(1)}h${(-body).toFixed(1)}Z`;
    }
    const clip = draw("clipPath", { id: "plot" }, draw("rect", { x: LEFT, y: TOP - 6, width: Math.max(1, right - LEFT), height: HIGH + 12 }));
    const inside = draw("g", { "clip-path": "url(#plot)" });
    // Of rising candles the bodies are hollow: they are told apart without colour too.
    inside.append(draw("path", { d: paths.up, class: "up", style: "fill:var(--panel)", "stroke-width": 1, opacity: 0.85 }), draw("path", { d: paths.down, class: "down", "stroke-width": 1, opacity: 0.85 }));
    marked.forEach((trade) => inside.append(...marks(trade, x, y)));
    const hair = draw("g", {});
    frame.replaceChildren(clip, ...parts.filter(Boolean), inside, hair);
    lay = { x, y, right, found, length, marked, hair, low, high };
    said.textContent = marked.length === shown.length
      ? `${show.count(shown.length)} of ${show.count(mine.length)} trades · candles of ${show.lasting(length)}`
      : `${show.count(shown.length)} trades: zoom in to see them · candles of ${show.lasting(length)}`;
    readout.replaceChildren(...(mine[chosen] ? told(mine[chosen]) : ["Point at a candle or step through the trades."]));
    point(null);
  }

  function marks(trade, x, y) {
    const isLong = trade.side === "long", isChosen = trade === mine[chosen], size = isChosen ? 8 : 5.5;
    const end = trade.closed || data.to_ms;
    const a = x(trade.opened), b = y(trade.entry), c = x(end);
    const found = [];
    if (isThere(trade.stop)) found.push(draw("line", { class: "stop", x1: a, x2: Math.max(c, a + 8), y1: y(trade.stop), y2: y(trade.stop), opacity: isChosen ? 1 : 0.55 }));
    const colour = trade.pnl >= 0 ? "var(--gain)" : "var(--loss)";
    const last = isThere(trade.exit) ? y(trade.exit) : null;
    if (last !== null) found.push(draw("line", { class: "held", x1: a, x2: c, y1: b, y2: last, style: `stroke:${colour}`, "stroke-dasharray": "1 2.5" }));
    const tip = isLong ? b - size : b + size, foot = isLong ? b + size * 0.8 : b - size * 0.8;
    found.push(draw("path", { class: "mark", style: "fill:var(--accent)", d: `M${a} ${tip}L${a + size} ${foot}L${a - size} ${foot}Z` }));
    if (last !== null) {
      const look = { class: "exit", style: `stroke:${colour}` };
      const s = size * 0.75;
      found.push(trade.reason === "stop" ? draw("path", { ...look, d: `M${c - s} ${last - s}L${c + s} ${last + s}M${c - s} ${last + s}L${c + s} ${last - s}` }) : draw("circle", { ...look, cx: c, cy: last, r: s }));
    }
    return found;
  }

  const told = (trade) => [
    make("strong", {}, `${trade.symbol} ${trade.side}`), ` ${trade.agent} · ${trade.engine} · ${moment(trade.opened)} at ${show.price(trade.entry)}`,
    trade.closed ? ` → ${moment(trade.closed)} at ${show.price(trade.exit)}, exit: ${trade.reason}` : ", still open", isThere(trade.stop) ? ` · stop ${show.price(trade.stop)}` : "",
    " · ", toned(trade.pnl, `${show.signed(trade.pnl)} ${data.unit}`),
  ];

  function point(event) {
    if (!lay) return;
    lay.hair.replaceChildren();
    if (!event || !lay.found.length) return;
    const box = frame.getBoundingClientRect();
    const px = event.clientX - box.left, py = event.clientY - box.top;
    if (px < LEFT || px > lay.right) return;
    const at = view[0] + ((px - LEFT) / (lay.right - LEFT)) * (view[1] - view[0]);
    const bar = lay.found[placeOf(lay.found.map((each) => each.time), at)];
    const middle = lay.x(bar.time + lay.length / 2);
    lay.hair.append(draw("line", { class: "cursor", x1: middle, x2: middle, y1: TOP, y2: TOP + HIGH }));
    if (py > TOP && py < TOP + HIGH) lay.hair.append(draw("line", { class: "cursor", x1: LEFT, x2: lay.right, y1: py, y2: py }),
      draw("text", { class: "title", x: lay.right + 7, y: py + 4 }, show.price(lay.low + (1 - (py - TOP) / HIGH) * (lay.high - lay.low))));
    const near = lay.marked.map((trade) => [trade, Math.min(
      Math.hypot(lay.x(trade.opened) - px, lay.y(trade.entry) - py), trade.closed ? Math.hypot(lay.x(trade.closed) - px, lay.y(trade.exit) - py) : Infinity)])
      .filter(([, far]) => far < 14).sort((a, b) => a[1] - b[1])[0];
    readout.replaceChildren(`${moment(bar.time)} UTC  open ${show.price(bar.open)}  high ${show.price(bar.high)}  low ${show.price(bar.low)}  close ${show.price(bar.close)}`,
      ...(near ? [make("br"), ...told(near[0])] : []));
  }

  // Below the widest view the wheel is the page's again.
  frame.addEventListener("wheel", (event) => {
    const [first, last] = extent();
    if (event.deltaY > 0 && view[1] - view[0] >= last - first) return;
    event.preventDefault();
    const box = frame.getBoundingClientRect();
    const length = view[1] - view[0];
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) { const way = (event.deltaX / box.width) * length; look(view[0] + way, view[1] + way); return; }
    zoom(Math.exp(Math.max(-1, Math.min(1, event.deltaY * 0.0022))), Math.min(1, Math.max(0, (event.clientX - box.left - LEFT) / (lay.right - LEFT))));
  }, { passive: false });
  const fingers = new Map();
  frame.addEventListener("pointerdown", (event) => { fingers.set(event.pointerId, event.clientX); frame.setPointerCapture(event.pointerId); frame.style.cursor = "grabbing"; });
  frame.addEventListener("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return point(event);
    const before = fingers.get(event.pointerId);
    const others = [...fingers].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
    fingers.set(event.pointerId, event.clientX);
    if (others.length) { const was = Math.abs(before - others[0]), now = Math.abs(event.clientX - others[0]); if (was > 4 && now > 4) zoom(was / now); return; }
    const way = ((before - event.clientX) / (lay.right - LEFT)) * (view[1] - view[0]);
    look(view[0] + way, view[1] + way);
  });
  const lift = (event) => { fingers.delete(event.pointerId); if (!fingers.size) frame.style.cursor = "crosshair"; };
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) frame.addEventListener(name, lift);
  frame.addEventListener("pointerleave", () => point(null));
  frame.style.cursor = "crosshair";
  frame.addEventListener("keydown", (event) => {
    const way = (view[1] - view[0]) / 8;
    const does = { ArrowLeft: () => look(view[0] - way, view[1] - way), ArrowRight: () => look(view[0] + way, view[1] + way), "+": () => zoom(0.7), "=": () => zoom(0.7), "-": () => zoom(1 / 0.7), 0: whole }[event.key];
    if (does) { event.preventDefault(); does(); }
  });

  const press = (text, label, does) => make("button", { type: "button", "aria-label": label, title: label, onclick: does }, text);
  const picker = choice("Symbol", symbols.map((each) => [each, each]), (name) => take(name), symbols[0]);
  const element = make("div", {}, make("div", { class: "controls" }, picker.element, press("‹ trade", "Previous trade", () => go(-1)), press("trade ›", "Next trade", () => go(1)),
    press("+", "Zoom in", () => zoom(0.6)), press("−", "Zoom out", () => zoom(1 / 0.6)), press("All", "Show everything", whole), said), readout, chart,
    make("p", { class: "small quiet" }, "▲ long entry  ▼ short entry  ✕ exit by stop  ○ other exit  ┄ red: stop. Rising candles are hollow. The wheel zooms, dragging moves."));
  const most = symbols.map((name) => [trades.filter((each) => each.symbol === name).length, name]).sort((a, b) => b[0] - a[0] || (a[1] < b[1] ? -1 : 1));
  take(most[0][1]);
  sized(chart, (now) => { width = now; render(); });
  return { element, has: (name) => name in data.bars, show: (trade) => { take(trade.symbol); focus(trade); } };
}
