// Charts of lightweight-charts in the page's colours, of equity curves and of candles.
import {
  CandlestickSeries,
  ColorType,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  LineSeries,
  LineStyle,
} from "../../vendor/lightweight-charts/lightweight-charts.standalone.production.mjs";
import { colour, onTheme } from "./theme.js";

const COLOURS = 8;
export const swatch = (at) => `s${at % COLOURS}`;

function looks() {
  return {
    layout: {
      background: { type: ColorType.Solid, color: colour("--panel") },
      textColor: colour("--quiet"),
      fontSize: 11,
      fontFamily: getComputedStyle(document.body).fontFamily,
      attributionLogo: false,
      panes: {
        separatorColor: colour("--line"),
        separatorHoverColor: colour("--tint"),
        enableResize: true,
      },
    },
    grid: { vertLines: { color: colour("--faint") }, horzLines: { color: colour("--faint") } },
    rightPriceScale: { borderVisible: false },
    leftPriceScale: { borderVisible: false },
    timeScale: {
      borderColor: colour("--line"),
      timeVisible: true,
      secondsVisible: false,
      rightOffset: 4,
    },
    crosshair: {
      mode: 0,
      vertLine: { labelBackgroundColor: colour("--quiet") },
      horzLine: { labelBackgroundColor: colour("--quiet") },
    },
  };
}

function begun(element, more = {}) {
  const chart = createChart(element, { autoSize: true, ...looks(), ...more });
  return chart;
}

// What a chart can do, and how it ends; what comes for one that is gone (an answer that was on its
// way) changes nothing.
function untilEnd(chart, off, does) {
  const found = {};
  let over = false;
  for (const [name, each] of Object.entries(Object.getOwnPropertyDescriptors(does)))
    if (typeof each.value === "function")
      found[name] = (...said) => (over ? undefined : each.value(...said));
    else Object.defineProperty(found, name, each);
  found.end = () => {
    if (over) return;
    over = true;
    off();
    chart.remove();
  };
  return found;
}

const seconds = (ms) => Math.floor(ms / 1_000);

// Lines over time, one a name: set([{name, at, points: [{time_ms, value}]}]).
export function curves(element, { label, format }) {
  const chart = begun(element, {
    localization: { priceFormatter: format },
    handleScroll: { vertTouchDrag: false },
    handleScale: { axisPressedMouseMove: false },
    rightPriceScale: { borderVisible: false, scaleMargins: { top: 0.1, bottom: 0.08 } },
  });
  element.setAttribute("role", "img");
  const lines = new Map();
  let given = [];
  function set(fresh, fit = true) {
    given = fresh;
    const names = new Set(fresh.map((each) => each.name));
    for (const [name, line] of lines)
      if (!names.has(name)) {
        chart.removeSeries(line);
        lines.delete(name);
      }
    for (const { name, at, points, dashed } of fresh) {
      if (!lines.has(name)) {
        lines.set(
          name,
          chart.addSeries(LineSeries, {
            lineWidth: 2,
            priceLineVisible: false,
            lastValueVisible: fresh.length < 6,
            lineStyle: dashed ? LineStyle.Dashed : LineStyle.Solid,
            color: colour(`--${swatch(at)}`),
          }),
        );
      }
      lines
        .get(name)
        .setData(rising(points.map(({ time_ms, value }) => ({ time: seconds(time_ms), value }))));
    }
    element.setAttribute(
      "aria-label",
      `${label}: ${fresh.map((each) => `${each.name} ${format(each.points.at(-1)?.value)}`).join(", ")}`,
    );
    if (fit) chart.timeScale().fitContent();
  }
  const off = onTheme(() => {
    chart.applyOptions(looks());
    for (const { name, at } of given)
      lines.get(name)?.applyOptions({ color: colour(`--${swatch(at)}`) });
  });
  return untilEnd(chart, off, { set });
}

// Each time once, in order: what the library asks for.
function rising(points) {
  const found = [];
  for (const each of points) {
    const last = found.at(-1);
    if (last && each.time <= last.time) {
      if (each.time === last.time) found[found.length - 1] = each;
    } else found.push(each);
  }
  return found;
}

// Places that show a line's values apart.
function fitting(points) {
  const greatest = points.reduce(
    (all, { value }) => (Math.abs(value) > all ? Math.abs(value) : all),
    0,
  );
  const precision = greatest ? Math.min(10, Math.max(0, 4 - Math.floor(Math.log10(greatest)))) : 2;
  return { precision, minMove: 10 ** -precision };
}

// Candles with volume, lines over them, oscillators and scores beneath, markers and price lines.
export function candles(element, { early, hover }) {
  const chart = begun(element);
  const body = chart.addSeries(CandlestickSeries, {}, 0);
  const volume = chart.addSeries(
    HistogramSeries,
    {
      priceScaleId: "volume",
      priceFormat: { type: "volume" },
      lastValueVisible: false,
      priceLineVisible: false,
    },
    0,
  );
  chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  chart.priceScale("right").applyOptions({ scaleMargins: { top: 0.08, bottom: 0.2 } });
  const markers = createSeriesMarkers(body, []);
  let lines = new Map(),
    stops = [],
    bars = [],
    paths = [];

  function paint() {
    chart.applyOptions(looks());
    const [up, down] = [colour("--gain"), colour("--loss")];
    body.applyOptions({
      upColor: up,
      downColor: down,
      borderVisible: false,
      wickUpColor: up,
      wickDownColor: down,
    });
    filled();
  }
  function filled() {
    const [up, down] = [colour("--gain", 0.3), colour("--loss", 0.3)];
    volume.setData(
      bars.map((each) => ({
        time: seconds(each.open_ms),
        value: each.volume,
        color: each.close >= each.open ? up : down,
      })),
    );
  }
  const bar = (each) => ({
    time: seconds(each.open_ms),
    open: each.open,
    high: each.high,
    low: each.low,
    close: each.close,
  });

  function set(fresh, digits) {
    bars = fresh;
    body.applyOptions({
      priceFormat: { type: "price", precision: digits, minMove: 10 ** -digits },
    });
    body.setData(bars.map(bar));
    filled();
  }
  function update(each) {
    const last = bars.at(-1);
    if (last && each.open_ms < last.open_ms) return;
    if (last?.open_ms === each.open_ms) bars[bars.length - 1] = each;
    else bars.push(each);
    body.update(bar(each));
    volume.update({
      time: seconds(each.open_ms),
      value: each.volume,
      color: colour(each.close >= each.open ? "--gain" : "--loss", 0.3),
    });
  }
  // fresh: [{key, pane, at, kind: "line" | "bars", points: [{time_ms, value}]}]; pane 0 is the candles'.
  function setLines(fresh) {
    const keys = new Set(fresh.map((each) => each.key));
    const same = new Set(fresh.map(({ key, pane, at }) => `${key}|${pane}|${at}`));
    for (const [key, line] of lines) {
      if (keys.has(key) && same.has(line.place)) continue;
      chart.removeSeries(line.series);
      lines.delete(key);
    }
    for (const { key, pane, at, kind, points } of fresh) {
      let line = lines.get(key)?.series;
      if (!line) {
        line = chart.addSeries(
          kind === "bars" ? HistogramSeries : LineSeries,
          {
            lineWidth: 1,
            priceLineVisible: false,
            priceFormat: { type: "price", precision: 2, minMove: 0.01, ...fitting(points) },
            lastValueVisible: pane > 0,
            crosshairMarkerVisible: false,
            color: colour(`--${swatch(at)}`),
            title: pane > 0 ? key.slice(0, 28) : "",
          },
          pane,
        );
        lines.set(key, { series: line, place: `${key}|${pane}|${at}` });
      }
      line.setData(
        rising(
          points.map(({ time_ms, value }) =>
            value === null || value === undefined
              ? { time: seconds(time_ms) }
              : {
                  time: seconds(time_ms),
                  value,
                  ...(kind === "bars"
                    ? { color: colour(value >= 0 ? "--gain" : "--loss", 0.7) }
                    : {}),
                },
          ),
        ),
      );
    }
    const panes = chart.panes();
    panes.forEach((pane, at) => pane.setStretchFactor(at === 0 ? 6 : 1.5));
  }
  // marks: [{at_ms, below, shape, tone, text}]
  function setMarks(marks) {
    const fitting = bars.length ? marks.filter((each) => each.at_ms >= bars[0].open_ms) : [];
    markers.setMarkers(
      fitting
        .map(({ at_ms, below, shape, tone, text }) => ({
          time: seconds(slot(at_ms)),
          position: below ? "belowBar" : "aboveBar",
          shape,
          color: colour(`--${tone}`),
          text,
          size: 1,
        }))
        .sort((one, other) => one.time - other.time),
    );
  }
  // The open time of the candle in which a time lies.
  function slot(at_ms) {
    let low = 0,
      high = bars.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (bars[middle].open_ms <= at_ms) low = middle;
      else high = middle - 1;
    }
    return bars[low]?.open_ms ?? at_ms;
  }
  // levels: [{value, tone, text}]
  function setLevels(levels) {
    for (const each of stops) body.removePriceLine(each);
    stops = levels.map(({ value, tone, text }) =>
      body.createPriceLine({
        price: value,
        color: colour(`--${tone}`),
        lineWidth: 1,
        lineStyle: LineStyle.Dashed,
        axisLabelVisible: true,
        title: text,
      }),
    );
  }
  // trips: [{from_ms, to_ms, from, to, tone, dotted}] as lines from a price to a price.
  function setTrips(trips) {
    for (const each of paths) chart.removeSeries(each);
    paths = trips
      .filter((each) => bars.length && each.from_ms >= bars[0].open_ms)
      .map(({ from_ms, to_ms, from, to, tone, dotted }) => {
        const line = chart.addSeries(
          LineSeries,
          {
            color: colour(`--${tone}`, 0.85),
            lineWidth: dotted ? 1 : 2,
            lineStyle: dotted ? LineStyle.Dotted : LineStyle.Solid,
            priceLineVisible: false,
            lastValueVisible: false,
            crosshairMarkerVisible: false,
            pointMarkersVisible: false,
          },
          0,
        );
        line.setData(
          rising([
            { time: seconds(slot(from_ms)), value: from },
            { time: seconds(slot(to_ms)), value: to },
          ]),
        );
        return line;
      });
  }
  chart.subscribeCrosshairMove((event) => {
    const found =
      event.time === undefined
        ? undefined
        : bars.find((each) => seconds(each.open_ms) === event.time);
    hover(found ?? bars.at(-1), found !== undefined);
  });
  let asked = 0;
  chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
    if (range && range.from < 25 && bars.length && bars[0].open_ms !== asked) {
      asked = bars[0].open_ms;
      early(asked);
    }
  });
  const off = onTheme(paint);
  paint();
  return untilEnd(chart, off, {
    set,
    update,
    setLines,
    setMarks,
    setLevels,
    setTrips,
    slot,
    get bars() {
      return bars;
    },
    latest: () => chart.timeScale().scrollToRealTime(),
    around(at_ms) {
      const at = bars.findIndex((each) => each.open_ms >= at_ms);
      if (at >= 0) chart.timeScale().setVisibleLogicalRange({ from: at - 60, to: at + 60 });
    },
    show(count) {
      chart.timeScale().setVisibleLogicalRange({ from: bars.length - count, to: bars.length + 4 });
    },
  });
}
