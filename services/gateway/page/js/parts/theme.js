// Light or dark: as the system says, or as was chosen; and colours for what is drawn on canvases.
const KEY = "chandler.theme";
const root = document.documentElement;
const prefers = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set();
const chosen = localStorage.getItem(KEY);
if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

export const themed = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefers.matches);

export function swapTheme() {
  root.dataset.theme = themed() ? "light" : "dark";
  localStorage.setItem(KEY, root.dataset.theme);
  for (const each of listeners) each();
}

// Calls `then` when the colours change; returns what ends it.
export function onTheme(then) {
  listeners.add(then);
  return () => listeners.delete(then);
}
prefers.addEventListener("change", () => {
  for (const each of listeners) each();
});

// A colour of colours.css as it is now: "--gain" → "rgb(69, 207, 174)".
export function colour(name, alpha = 1) {
  const probe = document.createElement("i");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  if (alpha === 1) return found;
  const [red, green, blue] = found.match(/[\d.]+/g);
  return `rgba(${red}, ${green}, ${blue}, ${alpha})`;
}
