// Equity curves as growth since the start, and below them how far each is under its highest.
const STYLES = ["s0", "s1", "s2", "s3", "s4", "s5", "s6"];
const DASHES = ["", "7 3", "2 3", "9 3 2 3"];

// A colour and a dash for each curve: the portfolio first, benchmarks grey and dashed.
function styled(curves) {
  let agents = 0, benchmarks = 0;
  return curves.map((curve) => {
    if (curve.kind === "benchmark") {
      const at = benchmarks++;
      return { ...curve, colour: `var(--b${at % 2})`, dash: ["5 3", "2 2.5", "9 3 2 3"][at % 3] };
    }
    const at = curve.kind === "portfolio" ? 0 : ++agents;
    const place = curve.kind === "run" ? at - 1 : at;
    return { ...curve, colour: `var(--${STYLES[place % STYLES.length]})`, dash: DASHES[Math.floor(place / STYLES.length) % DASHES.length] };
  });
}

function falls(curve) {
  let highest = -Infinity;
  return curve.v.map((value) => { highest = Math.max(highest, value); return highest > 0 ? value / highest - 1 : 0; });
}

// The last place whose time is at or before `at`.
function placeOf(times, at) {
  let low = 0, high = times.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (times[middle] <= at) low = middle; else high = middle - 1;
  }
  return low;
}

function lines(given, unit) {
  const curves = styled(given).map((curve) => ({ ...curve, growth: curve.v.map((value) => value / curve.start), fall: falls(curve), on: true }));
  const from = Math.min(...curves.map((each) => each.t[0]));
  const to = Math.max(...curves.map((each) => each.t[each.t.length - 1]), from + 1);
  const frame = draw("svg", { tabindex: 0, role: "img", "aria-label": "Equity and drawdown over time; left and right arrows move the cursor" });
  const tip = make("div", { class: "tip", hidden: true });
  const chart = make("div", { class: "chart" }, frame, tip);
  const LEFT = 58, RIGHT = 12, TOP = 20, BELOW = 22, GAP = 34, HIGH = 290, LOW = 110;
  let logarithmic = false, width = 0, cursor = null, lay = null;

  function scaleOf(shown) {
    const values = shown.flatMap((each) => each.growth);
    const isLog = logarithmic && values.every((value) => value > 0);
    const map = isLog ? Math.log : (value) => value;
    let low = Math.min(...values, 1), high = Math.max(...values, 1);
    if (high - low < 1e-9) { low -= 0.005; high += 0.005; }
    const room = (map(high) - map(low)) * 0.04;
    const bottom = map(low) - room, top = map(high) + room;
    const y = (value) => TOP + HIGH * (1 - (map(value) - bottom) / (top - bottom));
    let ticks = niceTicks(low - 1, high - 1, 6);
    if (isLog && high / low > 6) {
      ticks = [];
      for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
        for (const each of [1, 2, 5]) { const factor = each * 10 ** power; if (factor >= low && factor <= high) ticks.push(factor - 1); }
    }
    return { y, ticks };
  }

  function path(curve, values, x, y) {
    let text = "";
    for (let at = 0; at < values.length; at++) text += `${at ? "L" : "M"}${x(curve.t[at]).toFixed(1)} ${y(values[at]).toFixed(1)}`;
    return text;
  }

  function percent(ticks) {
    const step = ticks.length > 1 ? Math.abs(ticks[1] - ticks[0]) : 0.1;
    const digits = step < 0.00095 ? 2 : step < 0.0095 ? 1 : 0;
    return (value) => show.change(Math.abs(value) < 1e-12 ? 0 : value, digits);
  }

  function render() {
    const shown = curves.filter((each) => each.on);
    const height = TOP + HIGH + GAP + LOW + BELOW;
    frame.setAttribute("viewBox", `0 0 ${width} ${height}`);
    frame.setAttribute("height", height);
    const right = width - RIGHT;
    const x = (at) => LEFT + ((at - from) / (to - from)) * (right - LEFT);
    const { y, ticks } = scaleOf(shown);
    const deepest = Math.min(...shown.flatMap((each) => [Math.min(...each.fall)]), -0.001);
    const under = TOP + HIGH + GAP;
    const z = (value) => under + (LOW * value) / deepest;
    const depths = niceTicks(deepest, 0, 3);
    const label = percent(ticks), depth = percent(depths);
    const parts = [];
    for (const [at, text] of timeTicks(from, to, (right - LEFT) / 95)) {
      parts.push(draw("line", { class: "grid", x1: x(at), x2: x(at), y1: TOP, y2: under + LOW }));
      if (x(at) < right - 12) parts.push(draw("text", { x: x(at), y: under + LOW + 16, "text-anchor": x(at) < LEFT + 14 ? "start" : "middle" }, text));
    }
    for (const value of ticks) parts.push(draw("line", { class: Math.abs(value) < 1e-12 ? "zero" : "grid", x1: LEFT, x2: right, y1: y(1 + value), y2: y(1 + value) }),
      draw("text", { x: LEFT - 7, y: y(1 + value) + 4, "text-anchor": "end" }, label(value)));
    for (const value of depths) parts.push(draw("line", { class: Math.abs(value) < 1e-12 ? "zero" : "grid", x1: LEFT, x2: right, y1: z(value), y2: z(value) }),
      draw("text", { x: LEFT - 7, y: z(value) + 4, "text-anchor": "end" }, depth(value)));
    parts.push(draw("text", { class: "title", x: LEFT, y: 12 }, `Return since the start${logarithmic ? ", logarithmic" : ""}`),
      draw("text", { class: "title", x: LEFT, y: under - 9 }, "Drawdown from the highest so far"));
    for (const curve of [...shown].reverse()) {
      const isMain = curve.kind === "portfolio" || curve.kind === "run";
      const look = { class: `series ${isMain ? "main" : ""}`, style: `stroke:${curve.colour}`, "stroke-dasharray": curve.dash || null };
      const line = path(curve, curve.fall, x, z);
      if (curve.kind === "portfolio") parts.push(draw("path", { d: `${line}L${x(curve.t[curve.t.length - 1])} ${z(0)}L${x(curve.t[0])} ${z(0)}Z`, style: `fill:${curve.colour}`, "fill-opacity": 0.13 }));
      parts.push(draw("path", { ...look, d: line, "stroke-width": isMain ? null : 1.1 }), draw("path", { ...look, d: path(curve, curve.growth, x, y) }));
    }
    if (!shown.length) parts.push(draw("text", { x: (LEFT + right) / 2, y: TOP + HIGH / 2, "text-anchor": "middle" }, "All curves are switched off."));
    const hair = draw("g", {});
    frame.replaceChildren(...parts, hair);
    lay = { shown, x, y, z, right, under, hair };
    point();
  }

  function point() {
    tip.hidden = cursor === null || !lay.shown.length;
    lay.hair.replaceChildren();
    if (tip.hidden) return;
    const { x, y, z, hair, shown, right, under } = lay;
    const lead = shown[0];
    const at = lead.t[placeOf(lead.t, cursor)];
    hair.append(draw("line", { class: "cursor", x1: x(at), x2: x(at), y1: TOP, y2: under + LOW }));
    const rows = shown.map((curve) => {
      const place = placeOf(curve.t, at);
      const style = `fill:${curve.colour}`;
      hair.append(draw("circle", { cx: x(at), cy: y(curve.growth[place]), r: 3.2, style }), draw("circle", { cx: x(at), cy: z(curve.fall[place]), r: 2.4, style }));
      const worth = curve.kind === "benchmark" ? "" : show.money(curve.v[place]);
      return make("tr", {}, make("td", {}, swatch(curve), " ", curve.name), make("td", { class: "number" }, show.change(curve.growth[place] - 1)), make("td", { class: "number" }, show.share(curve.fall[place])), make("td", { class: "number" }, worth));
    });
    const head = make("tr", { class: "quiet" }, make("td", {}, `${moment(at)} UTC`), make("td", { class: "number" }, "return"), make("td", { class: "number" }, "below"), make("td", { class: "number" }, unit));
    tip.replaceChildren(make("table", {}, head, rows));
    const isRight = x(at) > (LEFT + right) / 2;
    tip.style.top = "24px";
    tip.style.left = isRight ? "" : `${x(at) + 12}px`;
    tip.style.right = isRight ? `${width - x(at) + 12}px` : "";
    tip.style.maxWidth = `${Math.max(x(at), width - x(at)) - 14}px`;
  }

  frame.addEventListener("pointermove", (event) => {
    const box = frame.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * width - LEFT) / (lay.right - LEFT);
    cursor = from + Math.min(1, Math.max(0, share)) * (to - from);
    point();
  });
  const leave = () => { cursor = null; point(); };
  frame.addEventListener("pointerleave", leave);
  frame.addEventListener("blur", leave);
  frame.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") leave();
    if (!way) return;
    event.preventDefault();
    cursor = Math.min(to, Math.max(from, (cursor === null ? (from + to) / 2 : cursor) + (way * (to - from)) / (event.shiftKey ? 20 : 150)));
    point();
  });

  const legend = make("div", { class: "controls legend", role: "group", "aria-label": "Curves" }, curves.map((curve) =>
    make("button", { type: "button", "aria-pressed": "true", onclick: (event) => {
      curve.on = !curve.on;
      event.currentTarget.setAttribute("aria-pressed", String(curve.on));
      render();
    } }, swatch(curve), curve.kind === "benchmark" ? `${curve.name} held` : curve.name)));
  const scale = make("button", { type: "button", "aria-pressed": "false", onclick: () => {
    logarithmic = !logarithmic;
    scale.setAttribute("aria-pressed", String(logarithmic));
    render();
  } }, "Logarithmic");
  sized(chart, (now) => { width = now; render(); });
  return make("div", {}, make("div", { class: "controls" }, scale), legend, chart);
}

function swatch(curve) {
  return draw("svg", { width: 22, height: 10, "aria-hidden": "true" },
    draw("line", { x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 3, style: `stroke:${curve.colour}`, "stroke-dasharray": curve.dash || null }));
}
