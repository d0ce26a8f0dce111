// An engine's notes of a symbol as bars.
import { draw, make } from "../parts/elements.js";
import { note, tone, toneOf, words } from "../parts/format.js";

export const scoreOf = (row, name) => row.engines[name]?.score ?? null;

export const verdictTone = (verdict) => toneOf(verdict) || "quiet";

// An engine's score, and the notes that it is made of.
export function engineNotes(name, engine, score) {
  const line = (whole, text, value, middle, more) =>
    make(
      "div",
      { class: whole ? "note whole" : "note" },
      make("span", { class: whole ? "name" : "name quiet", title: text }, text, " ", more),
      middle,
      make("span", { class: tone(value) }, note(value)),
    );
  return make(
    "section",
    { "aria-label": name },
    line(
      true,
      name,
      score,
      bars(score),
      make("span", { class: `small ${verdictTone(engine.verdict)}` }, engine.verdict),
    ),
    Object.entries(engine.notes).map(([each, value]) =>
      line(false, words(each), value, bars(value)),
    ),
    Object.entries(engine.absent).map(([each, why]) =>
      line(false, words(each), null, make("span", { class: "quiet small name", title: why }, why)),
    ),
  );
}

// A bar to the right of a middle line for long, to the left for short.
function bars(value) {
  const share = Math.min(1, Math.abs(value ?? 0)) * 50;
  return draw(
    "svg",
    { viewBox: "0 0 100 10", preserveAspectRatio: "none", "aria-hidden": "true" },
    draw("rect", { x: 0, y: 3, width: 100, height: 4, class: "half" }),
    draw("rect", {
      x: value < 0 ? 50 - share : 50,
      y: 1,
      width: share,
      height: 8,
      class: value < 0 ? "down" : "up",
    }),
    draw("line", { x1: 50, x2: 50, y1: 0, y2: 10, class: "zero" }),
  );
}
