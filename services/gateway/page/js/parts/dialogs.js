// Questions before something happens, messages after it, and the list of shortcuts.
import { make } from "./elements.js";

const TOAST_MS = 7_000;
const TOASTS_MAX = 4;

// Asks; resolves to whether it was confirmed. `typed`: a word that has to be written first.
export function confirmed({
  title,
  lines = [],
  facts = [],
  yes = "Confirm",
  danger = false,
  typed = "",
}) {
  return new Promise((resolve) => {
    const go = make(
      "button",
      {
        type: "submit",
        class: danger ? "main danger" : "main",
        value: "yes",
        disabled: Boolean(typed),
      },
      yes,
    );
    const stop = make("button", { type: "button", onclick: () => dialog.close("") }, "Cancel");
    const word =
      typed &&
      make(
        "label",
        { class: "field" },
        `Write ${typed} to confirm`,
        make("input", {
          autocomplete: "off",
          spellcheck: "false",
          oninput: (event) => {
            go.disabled = event.target.value.trim() !== typed;
          },
        }),
      );
    const dialog = make(
      "dialog",
      { "aria-labelledby": "asked" },
      make(
        "form",
        {
          method: "dialog",
          onsubmit: (event) => {
            event.preventDefault();
            dialog.close("yes");
          },
        },
        make("h2", { id: "asked" }, title),
        lines.map((line) => make("p", { class: "wrap" }, line)),
        facts.length > 0 &&
          make(
            "dl",
            { class: "facts" },
            facts.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]),
          ),
        word,
        make("div", { class: "ends" }, stop, go),
      ),
    );
    opened(dialog, () => resolve(dialog.returnValue === "yes"));
    (dialog.querySelector("input") ?? stop).focus();
  });
}

// Shows a dialog over the page; focus goes back to where it was.
export function opened(dialog, then = () => {}) {
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    then();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close("");
  });
  document.body.append(dialog);
  dialog.showModal();
}

export function toast(text, kind = "") {
  const box = document.getElementById("toasts");
  while (box.children.length >= TOASTS_MAX) box.firstChild.remove();
  const element = make(
    "div",
    { class: `toast ${kind}` },
    make("span", {}, text),
    make(
      "button",
      {
        type: "button",
        class: "plain tiny",
        "aria-label": "Dismiss",
        onclick: () => element.remove(),
      },
      "×",
    ),
  );
  box.append(element);
  setTimeout(() => element.remove(), TOAST_MS);
}

export const SHORTCUTS = [
  ["?", "this list"],
  ["/", "go to a symbol"],
  ["g o", "overview"],
  ["g s", "scanner"],
  ["g y", "symbol"],
  ["g t", "trades"],
  ["g b", "backtests"],
  ["g c", "controls"],
  ["g h", "system"],
  ["t", "light or dark"],
  ["[ ]", "shorter, longer candles (symbol)"],
  ["↑ ↓ Enter", "move in a table, open a row"],
  ["Esc", "close what is open"],
];

export function listShortcuts() {
  const dialog = make(
    "dialog",
    { "aria-labelledby": "shortcuts" },
    make(
      "div",
      { class: "inside" },
      make("h2", { id: "shortcuts" }, "Keys"),
      make(
        "div",
        { class: "keys" },
        SHORTCUTS.map(([keys, words]) => [
          make(
            "span",
            {},
            keys.split(" ").flatMap((each) => [make("kbd", {}, each), " "]),
          ),
          make("span", {}, words),
        ]),
      ),
      make(
        "div",
        { class: "ends" },
        make("button", { type: "button", onclick: () => dialog.close() }, "Close"),
      ),
    ),
  );
  opened(dialog);
}

// The symbol finder: a field and what fits it.
export function findSymbol(symbols, then) {
  let shown = [],
    at = 0;
  const list = make("ul", { id: "found", role: "listbox", "aria-label": "Symbols" });
  const field = make("input", {
    type: "text",
    role: "combobox",
    "aria-expanded": "true",
    "aria-controls": "found",
    "aria-label": "Symbol",
    placeholder: "Symbol, such as BTCUSDT",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "characters",
    oninput: () => {
      at = 0;
      look();
    },
  });
  const dialog = make("dialog", { class: "finder", "aria-label": "Go to a symbol" }, field, list);
  function look() {
    const asked = field.value.trim().toUpperCase();
    const fits = symbols.filter((each) => each.symbol.toUpperCase().includes(asked));
    fits.sort(
      (one, other) =>
        other.symbol.toUpperCase().startsWith(asked) - one.symbol.toUpperCase().startsWith(asked),
    );
    shown = fits.slice(0, 60);
    list.replaceChildren(
      ...shown.map((each, place) =>
        make(
          "li",
          {
            role: "option",
            id: `found-${place}`,
            "aria-selected": String(place === at),
            onclick: () => pick(place),
          },
          make("span", {}, each.symbol),
          make("span", { class: each.tone }, each.said),
        ),
      ),
    );
    if (!shown.length) list.append(make("li", { class: "quiet" }, "No such symbol is followed"));
    field.setAttribute("aria-activedescendant", shown.length ? `found-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  }
  function pick(place) {
    const found = shown[place];
    dialog.close();
    if (found) then(found.symbol);
  }
  field.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") at = Math.min(at + 1, shown.length - 1);
    else if (event.key === "ArrowUp") at = Math.max(at - 1, 0);
    else if (event.key === "Enter") {
      event.preventDefault();
      pick(at);
      return;
    } else return;
    event.preventDefault();
    look();
  });
  opened(dialog);
  look();
  field.focus();
}
