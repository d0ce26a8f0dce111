// The forms of the controls: forced orders, and limits.
import { command, mayDo, needs } from "../data/commands.js";
import { live } from "../data/live.js";
import { get } from "../data/rest.js";
import { followed } from "../data/symbols.js";
import { choice, failed, make, segments } from "../parts/elements.js";

// Asks for an order past the engines.
export function forced(forceBox, state, load) {
  if (!mayDo("force"))
    return forceBox.replaceChildren(
      make(
        "p",
        { class: "state" },
        make("strong", {}, "For owners"),
        `A forced order ${needs("force")}.`,
      ),
    );
  if (forceBox.querySelector("form")) return;
  let side = "long";
  const sides = segments(
    "Side",
    [
      ["long", "Buy (long)"],
      ["short", "Sell (short)"],
    ],
    side,
    (value) => {
      side = value;
    },
  );
  const symbol = make("input", {
    required: true,
    list: "followed",
    autocomplete: "off",
    spellcheck: "false",
    autocapitalize: "characters",
    "aria-label": "Symbol of the order",
    placeholder: "BTCUSDT",
  });
  const agent = choice(
    "Agent of the order",
    [["", "All agents"], ...state.agents.map((each) => [each.agent, each.agent])],
    state.agents[0]?.agent ?? "",
    () => {},
  );
  const notional = make("input", {
    inputmode: "decimal",
    pattern: "[0-9]+([.][0-9]+)?",
    placeholder: "as the agent sizes",
    "aria-label": "Notional in quote coin",
  });
  forceBox.replaceChildren(
    make(
      "form",
      {
        class: "form",
        onsubmit: async (event) => {
          event.preventDefault();
          const name = symbol.value.trim().toUpperCase(),
            size = notional.value.trim();
          const facts = [
            ["Agent", agent.value || "all agents"],
            ["Last price", live.prices.get(name)?.[0] ?? "not known"],
            ["Notional", size ? `${size} (quote coin)` : "as the agent sizes its entries"],
          ];
          await command(
            {
              what: "force",
              ...(agent.value ? { agent: agent.value } : {}),
              symbol: name,
              side,
              ...(size ? { notional: size } : {}),
            },
            {
              title: `${side === "long" ? "Buy (open a long in)" : "Sell (open a short in)"} ${name}?`,
              facts,
              lines: [
                "At the market's price, past the engines. The guard and the limits still hold.",
              ],
              yes: side === "long" ? "Buy" : "Sell",
              danger: true,
            },
          );
          load();
        },
      },
      make("div", { class: "row" }, sides.element),
      make(
        "div",
        { class: "two" },
        make("label", { class: "field" }, "Symbol", symbol),
        make("label", { class: "field" }, "Agent", agent),
      ),
      make("label", { class: "field" }, "Notional, quote coin", notional),
      make("button", { class: "main" }, "Ask and place"),
      make(
        "datalist",
        { id: "followed" },
        followed().map((each) => make("option", { value: each })),
      ),
    ),
  );
}
// Sets limits of an agent.
export async function limited(limitBox, state, left) {
  if (limitBox.querySelector("form") || !state.agents.length) return;
  const name = choice(
    "Agent",
    state.agents.map((each) => [each.agent, each.agent]),
    state.agents[0].agent,
    () => rows(),
  );
  const list = make("div", { class: "form" });
  limitBox.replaceChildren(
    make(
      "form",
      { onsubmit: (event) => event.preventDefault() },
      make("div", { class: "inside" }, name),
      list,
    ),
  );
  async function rows() {
    try {
      const whole = await get(`/agents/${encodeURIComponent(name.value)}`, {}, left);
      list.replaceChildren(
        ...Object.entries(whole.limits).map(([key, limit]) => line(name.value, key, limit)),
      );
    } catch (error) {
      if (!left.aborted) list.replaceChildren(failed(error, rows));
    }
  }
  function line(agent, key, limit) {
    const field = make("input", {
      inputmode: "decimal",
      value: limit.value,
      disabled: !mayDo("limit"),
      "aria-label": `${limit.words} of ${agent}`,
      size: 8,
    });
    const set = make(
      "button",
      { type: "button", disabled: true, onclick: () => change(field.value.trim()) },
      "Set",
    );
    const back =
      limit.value !== limit.profile &&
      make(
        "button",
        {
          type: "button",
          class: "plain tiny",
          disabled: !mayDo("limit"),
          onclick: () => change(null),
        },
        `as profile (${limit.profile})`,
      );
    field.addEventListener("input", () => {
      set.disabled = field.value.trim() === limit.value || field.value.trim() === "";
    });
    async function change(value) {
      await command(
        { what: "limit", agent, limit: key, ...(value === null ? {} : { value }) },
        {
          title: `${limit.words}: ${value ?? limit.profile} for ${agent}?`,
          facts: [
            ["Now", limit.value],
            ["Profile", limit.profile],
            ["From, to", `${limit.least}, ${limit.most}`],
          ],
          yes: "Set it",
        },
      );
      rows();
    }
    return make(
      "div",
      { class: "limit" },
      make("span", {}, limit.words, make("span", { class: "quiet small" }, back)),
      field,
      set,
    );
  }
  await rows();
}
