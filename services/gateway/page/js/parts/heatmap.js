// All symbols at once, as tiles on one canvas: the colour is one note or the change.
import { make } from "./elements.js";
import { colour, onTheme } from "./theme.js";

const GAP = 2;
const WIDE = 1.75; // a tile's width by its height

// Told by `touch`, it draws in the next frame; rows: {symbol, value in [-1, 1] or null, said, words: [[name, value]]}
export function heatMap({ label, open }) {
  const canvas = make("canvas", { tabindex: 0, role: "img" });
  const tip = make("div", { class: "tip small", hidden: true });
  const element = make("div", { class: "map fades" }, canvas, tip);
  const pen = canvas.getContext("2d", { alpha: false });
  let rows = [],
    frame = 0,
    now = -1,
    columns = 1,
    cell = { w: 0, h: 0 },
    colours = null,
    scale = 1;

  function paints() {
    colours = {
      panel: colour("--panel"),
      text: colour("--text"),
      quiet: colour("--quiet"),
      raised: colour("--raised"),
      accent: colour("--accent"),
      steps: [-5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5].map((step) =>
        step ? colour(`--heat${step}`) : colour("--raised"),
      ),
      family: getComputedStyle(document.body).fontFamily,
    };
    touch();
  }
  function touch() {
    if (!frame) frame = requestAnimationFrame(paint);
  }
  function laidOut() {
    const { width, height } = element.getBoundingClientRect();
    scale = devicePixelRatio || 1;
    const [w, h] = [
      Math.max(1, Math.round(width * scale)),
      Math.max(1, Math.round(height * scale)),
    ];
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
    }
    const about = Math.max(1, Math.round(Math.sqrt((rows.length * width) / (height * WIDE || 1))));
    const left = (count) => Math.ceil(rows.length / count) * count - rows.length;
    columns = [about, about + 1, about + 2, Math.max(1, about - 1)].reduce((best, each) =>
      left(each) < left(best) ? each : best,
    );
    const lines = Math.max(1, Math.ceil(rows.length / columns));
    cell = { w: width / columns, h: height / lines };
  }
  function paint() {
    frame = 0;
    laidOut();
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.fillStyle = colours.panel;
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    const size = Math.max(8, Math.min(13, cell.w / 6.2, cell.h / 3));
    const two = cell.h > size * 2.7;
    rows.forEach((row, at) => {
      const x = (at % columns) * cell.w,
        y = Math.floor(at / columns) * cell.h;
      pen.fillStyle = row.value === null ? colours.panel : colours.steps[row.step + 5];
      pen.fillRect(x, y, cell.w - GAP, cell.h - GAP);
      pen.fillStyle = row.value === null ? colours.quiet : colours.text;
      pen.font = `600 ${size}px ${colours.family}`;
      pen.fillText(
        row.short,
        x + cell.w / 2 - 1,
        y + cell.h / 2 - (two ? size * 0.62 : 0),
        cell.w - 6,
      );
      if (two) {
        pen.font = `${size * 0.92}px ${colours.family}`;
        pen.fillText(row.said, x + cell.w / 2 - 1, y + cell.h / 2 + size * 0.68, cell.w - 6);
      }
      if (at === now) {
        pen.strokeStyle = colours.accent;
        pen.lineWidth = 2;
        pen.strokeRect(x + 1, y + 1, cell.w - GAP - 2, cell.h - GAP - 2);
      }
    });
  }
  function set(fresh) {
    rows = fresh;
    if (now >= rows.length) point(-1);
    canvas.setAttribute(
      "aria-label",
      `${label}, ${rows.length} symbols. Arrow keys move, Enter opens. ${now >= 0 ? spoken(rows[now]) : ""}`,
    );
    if (now >= 0) told();
    touch();
  }
  const spoken = (row) =>
    `${row.symbol}: ${row.words.map(([name, value]) => `${name} ${value}`).join(", ")}`;
  function point(at) {
    now = at;
    tip.hidden = at < 0;
    if (at >= 0) {
      canvas.setAttribute("aria-label", spoken(rows[at]));
      told();
    }
    touch();
  }
  function told() {
    const row = rows[now],
      x = (now % columns) * cell.w,
      y = Math.floor(now / columns) * cell.h;
    tip.replaceChildren(
      make("div", { class: "strong" }, row.symbol),
      make(
        "dl",
        { class: "facts" },
        row.words.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
      ),
    );
    const box = element.getBoundingClientRect();
    tip.style.left = `${Math.max(0, Math.min(x + cell.w, box.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${Math.max(0, Math.min(y + cell.h, box.height - tip.offsetHeight - 4))}px`;
  }
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    const found =
      Math.floor((event.clientY - box.top) / cell.h) * columns +
      Math.floor((event.clientX - box.left) / cell.w);
    return found >= 0 && found < rows.length ? found : -1;
  };
  canvas.addEventListener("mousemove", (event) => {
    const found = at(event);
    if (found !== now) point(found);
  });
  canvas.addEventListener("mouseleave", () => point(-1));
  canvas.addEventListener("click", (event) => {
    const found = at(event);
    if (found >= 0) open(rows[found]);
  });
  canvas.addEventListener("keydown", (event) => {
    const to = {
      ArrowRight: now + 1,
      ArrowLeft: now - 1,
      ArrowDown: now < 0 ? 0 : now + columns,
      ArrowUp: now - columns,
      Home: 0,
      End: rows.length - 1,
    }[event.key];
    if (to !== undefined) {
      if (to >= 0 && to < rows.length) point(to);
    } else if (event.key === "Enter" && rows[now]) open(rows[now]);
    else if (event.key === "Escape") point(-1);
    else return;
    event.preventDefault();
  });
  const watcher = new ResizeObserver(touch);
  watcher.observe(element);
  const off = onTheme(paints);
  paints();
  return {
    element,
    set,
    end() {
      off();
      watcher.disconnect();
      cancelAnimationFrame(frame);
    },
  };
}
