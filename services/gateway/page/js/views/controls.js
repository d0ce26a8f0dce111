// Controls: switches, engines, limits, forced orders, closing; each asked about before it is sent.
import { POSITION_COLUMNS, sideTag } from "../parts/cells.js";
import { command, mayDo, needs } from "../data/commands.js";
import { failed, loading, make, panel, say } from "../parts/elements.js";
import { gain, money, plain, shortMoment, tone, words } from "../parts/format.js";
import { live, on, pnlOf, stream } from "../data/live.js";
import { get } from "../data/rest.js";
import { current } from "../data/session.js";
import { symbols } from "../data/symbols.js";
import { table } from "../parts/table.js";

const SWITCHES = ["trading", "buying", "selling"];
const MEANS = { trading: "entries at all", buying: "opening longs", selling: "opening shorts" };
const COMMANDS_SHOWN = 40;

import { forced, limited } from "../shown/forms.js";

export const title = () => "Controls";

export function show(root, { signal: left }) {
  const state = { agents: [], engines: [], wholes: new Map() };
  const agentsBox = make("div", {}, loading());
  const forceBox = make("div", {}),
    limitBox = make("div", {});
  const positions = table(
    "Positions to close",
    [
      ...POSITION_COLUMNS.filter((each) => !["Peak", "Source", "Size"].includes(each.label)),
      {
        label: "",
        cell: (row) =>
          make(
            "button",
            {
              type: "button",
              class: "danger tiny",
              disabled: !mayDo("close") || row.closing,
              title: mayDo("close") ? "" : needs("close"),
              onclick: () => close(row),
            },
            row.closing ? "Closing" : "Close",
          ),
        mark: (row) => `${row.id}${row.closing}`,
      },
    ],
    { none: ["No open position", "There is nothing to close."] },
  );
  const commands = table("Last commands", COMMANDS, {
    none: ["No command yet", "What people ask for stands here, with what became of it."],
  });
  const closeAll = make(
    "button",
    { type: "button", class: "danger push", onclick: () => closeEvery("") },
    "Close all positions",
  );
  root.append(
    make(
      "div",
      { class: "headline" },
      make("h1", {}, "Controls"),
      make(
        "span",
        { class: "quiet" },
        `You are ${current().name}, ${current().role}${current().role === "owner" ? "" : ": what you may not do is greyed"}`,
      ),
      make(
        "span",
        { class: "push row" },
        everyone("trading", false, "Stop all trading", "danger"),
        everyone("trading", true, "Start all trading", ""),
      ),
    ),
    make(
      "div",
      { class: "controls" },
      make(
        "div",
        { class: "column" },
        panel("Agents", {}, agentsBox),
        panel("Open positions", { more: closeAll }, positions.element),
      ),
      make(
        "div",
        { class: "column" },
        panel("Forced order", {}, forceBox),
        panel("Limits", {}, limitBox),
      ),
      make("div", { class: "whole" }, panel("Last commands", {}, commands.element)),
    ),
  );

  function everyone(what, is, text, name) {
    return make(
      "button",
      {
        type: "button",
        class: name,
        disabled: !mayDo(what),
        title: mayDo(what) ? "" : needs(what),
        onclick: async () => {
          const names = state.agents.map((each) => each.agent).join(", ");
          await command(
            { what, on: is },
            {
              title: `${text}?`,
              lines: [
                `Agents: ${names || "all"}.`,
                is ? "Entries are made again." : "No agent opens anything; exits go on.",
              ],
              yes: text,
              danger: !is,
            },
          );
          load();
        },
      },
      text,
    );
  }
  async function flip(agent, what) {
    const is = !agent.switches[what];
    await command(
      { what, agent: agent.agent, on: is },
      {
        title: `${words(what)} ${is ? "on" : "off"} for ${agent.agent}?`,
        lines: [`${is ? "Allows" : "Ends"} ${MEANS[what]}. Open positions and their exits go on.`],
        yes: is ? "Switch on" : "Switch off",
        danger: !is,
      },
    );
    load();
  }
  async function follow(agent, source, paused) {
    await command(
      { what: paused ? "resume" : "pause", agent: agent.agent, source },
      {
        title: paused
          ? `${agent.agent} follows ${source} again?`
          : `${agent.agent} follows ${source} no more?`,
        lines: ["Open positions and their exits go on."],
        yes: paused ? "Resume" : "Pause",
        danger: !paused,
      },
    );
    load();
  }
  async function close(row) {
    await command(
      { what: "close", agent: row.agent, symbol: row.symbol },
      {
        title: `Close ${row.symbol} of ${row.agent}?`,
        danger: true,
        yes: "Close it",
        facts: [
          ["Side", sideTag(row.side)],
          ["Size", plain(row.size)],
          ["PnL now", make("span", { class: tone(pnlOf(row)) }, gain(pnlOf(row)))],
        ],
        lines: ["All of it, at the market's price."],
      },
    );
    load();
  }
  async function closeEvery(agent) {
    const mine = [...live.positions.values()].filter((each) => !agent || each.agent === agent);
    await command(
      { what: "close_all", ...(agent ? { agent } : {}) },
      {
        title: agent ? `Close all positions of ${agent}?` : "Close all positions of all agents?",
        danger: true,
        yes: "Close all",
        typed: agent || "close",
        facts: [
          ["Positions", String(mine.length)],
          [
            "PnL now",
            gain(
              mine
                .map(pnlOf)
                .filter(Number.isFinite)
                .reduce((all, each) => all + each, 0),
            ),
          ],
        ],
        lines: ["At the market's price."],
      },
    );
    load();
  }
  function switched(agent) {
    return make(
      "div",
      { class: "switches" },
      SWITCHES.map((what) => {
        const is = agent.switches[what] !== false,
          id = `switch-${state.agents.indexOf(agent)}-${what}`;
        return make(
          "div",
          {},
          make("span", { id }, words(what)),
          make("button", {
            type: "button",
            class: "switch",
            role: "switch",
            "aria-checked": String(is),
            "aria-labelledby": id,
            "data-agent": agent.agent,
            "data-what": what,
            disabled: !mayDo(what),
            title: mayDo(what) ? MEANS[what] : needs(what),
            onclick: () => flip({ ...agent, switches: { [what]: is } }, what),
          }),
        );
      }),
    );
  }
  function bySymbol(agent) {
    const off = Object.entries(agent.switches)
      .filter(([name, is]) => name.includes("|") && !is)
      .map(([name]) => name.split("|").reverse().join(" "));
    return (
      off.length > 0 &&
      make(
        "p",
        { class: "small warn" },
        `off: ${off.slice(0, 12).join(", ")}${off.length > 12 ? ` and ${off.length - 12} more` : ""}`,
      )
    );
  }
  function drawn() {
    agentsBox.replaceChildren(
      state.agents.length
        ? make(
            "div",
            { class: "agents fades" },
            state.agents.map((agent) =>
              make(
                "section",
                { class: "agent", "aria-label": agent.agent },
                make(
                  "div",
                  { class: "row" },
                  make("span", { class: "strong" }, agent.agent),
                  make("span", { class: agent.mode === "live" ? "tag warn" : "tag" }, agent.mode),
                  make("span", { class: "quiet" }, agent.trading_mode),
                  make(
                    "span",
                    { class: `push ${tone(agent.pnl_today)}`, title: "PnL of today" },
                    gain(agent.pnl_today),
                  ),
                ),
                make(
                  "div",
                  { class: "row quiet small" },
                  `balance ${money(agent.balance)}`,
                  make("span", {}, `${agent.positions} open`),
                  agent.blocked && make("span", { class: "warn" }, agent.blocked),
                ),
                switched(agent),
                bySymbol(agent),
                make(
                  "div",
                  { class: "row" },
                  follows(agent).map((engine) => {
                    const paused = agent.paused.includes(engine);
                    return make(
                      "button",
                      {
                        type: "button",
                        class: "tiny",
                        "aria-pressed": String(!paused),
                        disabled: !mayDo("pause"),
                        title: mayDo("pause")
                          ? paused
                            ? "Paused: follow it again"
                            : "Followed: pause it"
                          : needs("pause"),
                        onclick: () => follow(agent, engine, paused),
                      },
                      make("span", { class: `dot ${paused ? "" : "good"}` }),
                      engine,
                      paused ? " paused" : "",
                    );
                  }),
                  make(
                    "button",
                    {
                      type: "button",
                      class: "danger tiny push",
                      disabled: !mayDo("close_all") || !agent.positions,
                      onclick: () => closeEvery(agent.agent),
                    },
                    "Close all",
                  ),
                ),
              ),
            ),
          )
        : make(
            "p",
            { class: "state" },
            make("strong", {}, "No agent"),
            "Agents are set in the profile.",
          ),
    );
  }
  const follows = (agent) =>
    agent.engines.length ? agent.engines : state.engines.map((each) => each.engine);

  async function load() {
    try {
      const [agents, engines, last] = await Promise.all([
        get("/agents", {}, left),
        get("/engines", {}, left),
        get("/commands", { limit: COMMANDS_SHOWN }, left),
      ]);
      state.agents = agents.items;
      state.engines = engines.items;
      commands.set(last.items);
      drawn();
      forced(forceBox, state, load);
      limited(limitBox, state, left);
    } catch (error) {
      if (!left.aborted) agentsBox.replaceChildren(failed(error, load));
    }
    held();
  }
  function held() {
    const open = [...live.positions.values()];
    positions.set(open);
    closeAll.disabled = !mayDo("close_all") || !open.length;
    say(closeAll, `Close all positions${open.length ? ` (${open.length})` : ""}`);
  }
  // How they stand now, whoever changed it: the answer to a command comes before its effect is told.
  function standing(message) {
    const told = new Map(message.agents.map((each) => [each.agent, each]));
    const before = JSON.stringify(state.agents);
    state.agents = state.agents.map((each) => ({ ...each, ...told.get(each.agent) }));
    if (JSON.stringify(state.agents) === before) return;
    const { agent, what } = document.activeElement?.dataset ?? {};
    drawn();
    if (what) agentsBox.querySelector(`[data-agent="${agent}"][data-what="${what}"]`)?.focus();
  }
  const offs = [
    on("prices", positions.refresh),
    on("positions", held),
    on("answer", load),
    on("agents", standing),
  ];
  stream.watch({});
  symbols()
    .catch(() => {})
    .then(load);
  return {
    leave() {
      offs.forEach((off) => off());
    },
  };
}

const COMMANDS = [
  { label: "When", cell: (row) => shortMoment(row.at_ms) },
  { label: "Who", spare: true, cell: (row) => row.who },
  { label: "What", cell: (row) => said(row), name: "text" },
  {
    label: "Came of it",
    name: "text",
    cell: (row) => `${row.outcome}${row.detail ? `: ${row.detail}` : ""}`,
    tone: (row) => (row.outcome === "refused" ? "bad" : row.outcome === "waiting" ? "warn" : ""),
  },
];

const said = (row) =>
  [
    words(row.what),
    SWITCHES.includes(row.what) ? (row.on ? "on" : "off") : "",
    row.side,
    row.symbol,
    row.agent,
    row.source,
    row.limit,
    row.value,
    row.notional,
    row.service,
  ]
    .filter(Boolean)
    .join(" ");
