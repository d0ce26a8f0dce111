// Figures and times as people read them. Decimals come as strings and are shown, never computed on.
const NARROW = "\u202f";
const NONE = "–";
const LOCALE = "en-US";
const formats = new Map();

function formatted(value, least, most, sign) {
  const key = `${least},${most},${sign}`;
  if (!formats.has(key)) {
    formats.set(
      key,
      new Intl.NumberFormat(LOCALE, {
        minimumFractionDigits: least,
        maximumFractionDigits: most,
        signDisplay: sign ? "exceptZero" : "negative",
      }),
    );
  }
  return formats.get(key).format(value).replace("-", "−");
}

export const number = (value) => {
  if (value === null || value === undefined || value === "") return null;
  const found = Number(value);
  return Number.isFinite(found) ? found : null;
};

// A number as it is, or the dash of what is not known.
const known = (value, make) => {
  const found = number(value);
  return found === null ? NONE : make(found);
};

export const money = (value) => known(value, (v) => formatted(v, 2, 2, false));
export const gain = (value) => known(value, (v) => formatted(v, 2, 2, true));
export const share = (value, places = 2) =>
  known(value, (v) => formatted(v * 100, places, places, true) + NARROW + "%");
export const percent = (value, places = 1) =>
  known(value, (v) => formatted(v * 100, 0, places, false) + NARROW + "%");
export const count = (value) => known(value, (v) => formatted(v, 0, 0, false));
export const plain = (value, most = 8) => known(value, (v) => formatted(v, 0, most, false));
// An amount of coins in a table: seven figures, and millions as such.
export const amount = (value) =>
  known(value, (v) => {
    const size = Math.abs(v);
    if (size >= 1e9) return formatted(v / 1e9, 0, 2, false) + NARROW + "G";
    if (size >= 1e6) return formatted(v / 1e6, 0, 2, false) + NARROW + "M";
    return formatted(
      v,
      0,
      size ? Math.min(8, Math.max(0, 6 - Math.floor(Math.log10(size)))) : 0,
      false,
    );
  });
export const note = (value) => known(value, (v) => formatted(v, 2, 2, true));

// A price with the venue's places; six figures where they are not known.
export function price(value, places = null) {
  return known(value, (v) => {
    const most = v ? Math.min(12, Math.max(0, 5 - Math.floor(Math.log10(Math.abs(v))))) : 2;
    return places === null
      ? formatted(v, Math.min(2, most), most, false)
      : formatted(v, places, places, false);
  });
}

export const tone = (value) => {
  const found = number(value);
  return found === null || found === 0 ? "" : found > 0 ? "gain" : "loss";
};
export const toneOf = (side) =>
  side === "long" || side === "up" ? "gain" : side === "short" || side === "down" ? "loss" : "";

// The step of the heat scale, -5 to 5.
export function heat(value) {
  if (value === null || value === undefined) return 0;
  const size = Math.abs(value);
  const step =
    size < 0.05 ? 0 : size < 0.2 ? 1 : size < 0.4 ? 2 : size < 0.6 ? 3 : size < 0.8 ? 4 : 5;
  return value < 0 ? -step : step;
}

const two = (value) => String(value).padStart(2, "0");
export function time(ms) {
  if (!ms) return NONE;
  const d = new Date(ms);
  return `${two(d.getUTCHours())}:${two(d.getUTCMinutes())}:${two(d.getUTCSeconds())}`;
}
export function day(ms) {
  if (!ms) return NONE;
  const d = new Date(ms);
  return `${d.getUTCFullYear()}-${two(d.getUTCMonth() + 1)}-${two(d.getUTCDate())}`;
}
export const moment = (ms) => (ms ? `${day(ms)} ${time(ms).slice(0, 5)}` : NONE);
export const shortMoment = (ms) => (ms ? `${day(ms).slice(5)} ${time(ms).slice(0, 5)}` : NONE);

export function duration(ms) {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return NONE;
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 60) return `${s}${NARROW}s`;
  const m = Math.floor(s / 60);
  if (m < 60) return `${m}${NARROW}min`;
  const h = Math.floor(m / 60);
  if (h < 48) return `${h}${NARROW}h${NARROW}${two(m % 60)}`;
  return `${Math.floor(h / 24)}${NARROW}d`;
}

export function size(bytes) {
  return known(bytes, (v) => {
    const units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let at = 0;
    while (v >= 1024 && at < units.length - 1) {
      v /= 1024;
      at += 1;
    }
    return formatted(v, 0, v < 10 && at ? 1 : 0, false) + NARROW + units[at];
  });
}

export const words = (name) => String(name ?? "").replaceAll("_", " ");
