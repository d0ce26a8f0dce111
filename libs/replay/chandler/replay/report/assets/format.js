// Numbers and times as people read them. Times are UTC.
const NONE = "–";
const isThere = (value) => value !== null && value !== undefined;
const grouped = (digits) => new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
const DIGITS = [0, 1, 2, 3, 4].map(grouped);
const minus = (text) => text.replace("-", "−");
const sign = (value, text) => (Number(value) > 0 ? "+" : "") + text;

const show = {
  count: (value) => (isThere(value) ? DIGITS[0].format(value) : NONE),
  money: (value) => (isThere(value) ? minus(DIGITS[2].format(value)) : NONE),
  signed: (value) => (isThere(value) ? sign(value, minus(DIGITS[2].format(value))) : NONE),
  ratio: (value) => (isThere(value) ? minus(DIGITS[2].format(value)) : NONE),
  share: (value, digits = 2) => (isThere(value) ? minus(DIGITS[digits].format(100 * value)) + "\u00a0%" : NONE),
  change: (value, digits = 2) => (isThere(value) ? sign(value, show.share(value, digits)) : NONE),
  price: (value) => {
    if (!isThere(value)) return NONE;
    const size = Math.abs(value);
    const digits = size >= 1000 ? 2 : size >= 1 ? 4 : size ? Math.min(12, 4 - Math.floor(Math.log10(size))) : 0;
    return new Intl.NumberFormat("en-US", { maximumFractionDigits: digits }).format(value);
  },
  lasting: (ms) => {
    if (!isThere(ms)) return NONE;
    if (ms < 0) return "−" + show.lasting(-ms);
    const minutes = Math.round(ms / 60000);
    const days = Math.floor(minutes / 1440);
    const hours = Math.floor(minutes / 60) % 24;
    const parts = days ? [[days, "d"], [hours, "h"]] : hours ? [[hours, "h"], [minutes % 60, "min"]] : minutes ? [[minutes, "min"]] : [[Math.round(ms / 1000), "s"]];
    return parts.filter(([count], at) => count || !at).map(([count, what]) => `${show.count(count)}\u00a0${what}`).join("\u00a0");
  },
};
const day = (ms) => new Date(ms).toISOString().slice(0, 10);
const moment = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
const tone = (value) => (Number(value) > 0 ? "gain" : Number(value) < 0 ? "loss" : "");

// Round steps for an axis.
function niceTicks(low, high, about) {
  const raw = (high - low) / Math.max(1, about);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((each) => each * power).find((each) => each >= raw * 0.999);
  const ticks = [];
  for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at++) ticks.push(at * step || 0); // not -0
  return ticks;
}

const MINUTE = 60000, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY, 14 * DAY];
// The shortest length in whole steps, round where it can be, of which at most `room` cover a span.
function candleLength(step, span, room) {
  const least = span / room;
  return Math.max(step, STEPS.find((each) => each >= least && each % step === 0) || Math.ceil(least / step) * step);
}
const MONTHS = [1, 2, 3, 6, 12, 24, 60, 120];
const NAMES = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// Times of a time axis with what is written at them.
function timeTicks(from, to, about) {
  const raw = (to - from) / Math.max(1, about);
  const step = STEPS.find((each) => each >= raw);
  const found = [];
  if (step) {
    const origin = step >= 7 * DAY ? 4 * DAY : 0; // weeks begin on Mondays
    for (let at = Math.ceil((from - origin) / step) * step + origin; at <= to; at += step) {
      const date = new Date(at);
      const midnight = at % DAY === 0;
      const text = midnight ? `${date.getUTCDate()} ${NAMES[date.getUTCMonth()]}` : date.toISOString().slice(11, 16);
      found.push([at, text]);
    }
    return found;
  }
  const months = MONTHS.find((each) => each * 30 * DAY >= raw) || 240;
  const first = new Date(from);
  let count = Math.ceil((first.getUTCFullYear() * 12 + first.getUTCMonth()) / months) * months;
  for (; ; count += months) {
    const at = Date.UTC(Math.floor(count / 12), count % 12, 1);
    if (at > to) return found;
    const isYear = count % 12 === 0;
    if (at >= from) found.push([at, isYear ? String(Math.floor(count / 12)) : NAMES[count % 12]]);
  }
}
