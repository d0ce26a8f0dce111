// System: services with lags and ages, what happened to them, topics, dead letters.
import { command, mayDo, needs } from "../data/commands.js";
import { failed, loading, make, panel, say } from "../parts/elements.js";
import { count, day, duration, plain, size, time, words } from "../parts/format.js";
import { on, stream } from "../data/live.js";
import { get } from "../data/rest.js";
import { paged, table } from "../parts/table.js";
import { toneOfState } from "../shown/tiles.js";

const AGAIN_MS = 10_000;
const EVENTS_SHOWN = 200;

export const title = () => "System";

export function show(root, { signal: left }) {
  const services = table(
    "Services",
    [
      {
        label: "Service",
        value: (row) => row.worker,
        cell: (row) =>
          make(
            "span",
            { class: "dotted" },
            make("span", { class: `dot ${toneOfState(row)}` }),
            make("span", { class: "strong" }, row.worker),
          ),
        mark: (row) => row.worker + toneOfState(row),
      },
      {
        label: "State",
        value: (row) => row.state,
        cell: (row) => row.state,
        tone: (row) => (toneOfState(row) === "good" ? "" : "warn"),
      },
      { label: "Lag", number: true, value: (row) => row.lag, cell: (row) => count(row.lag) },
      {
        label: "Age",
        number: true,
        value: (row) => row.age_s,
        cell: (row) => (row.age_s === null ? "–" : duration(row.age_s * 1_000)),
      },
      {
        label: "Behind",
        number: true,
        spare: true,
        value: (row) => row.behind_s,
        cell: (row) => (row.behind_s ? duration(row.behind_s * 1_000) : "–"),
      },
      {
        label: "Restarts, a day",
        number: true,
        spare: true,
        value: (row) => row.restarts,
        cell: (row) => count(row.restarts),
        tone: (row) => (row.restarts ? "warn" : ""),
      },
      {
        label: "",
        cell: (row) =>
          make(
            "button",
            {
              type: "button",
              class: "tiny",
              disabled: !mayDo("restart") || row.elsewhere,
              title: row.elsewhere
                ? "It runs on another machine"
                : mayDo("restart")
                  ? ""
                  : needs("restart"),
              onclick: () => restart(row),
            },
            "Restart",
          ),
        mark: (row) => row.worker + row.elsewhere,
      },
    ],
    { key: (row) => row.worker, none: ["No service is known", "None has said anything yet."] },
  );
  const events = table(
    "Infra events",
    [
      { label: "When", cell: (row) => `${day(row.at).slice(5)} ${time(row.at)}` },
      { label: "Service", cell: (row) => row.service, name: "strong" },
      {
        label: "What",
        cell: (row) => words(row.kind),
        tone: (row) =>
          /crash|lost/.test(row.kind) ? "bad" : /behind|stopping/.test(row.kind) ? "warn" : "",
      },
      { label: "Detail", name: "text", cell: (row) => row.detail },
      { label: "Instance", spare: true, name: "quiet", cell: (row) => row.instance },
    ],
    {
      key: (row) => `${row.service}${row.instance}${row.kind}${row.at}`,
      none: ["Nothing happened", "Starts, crashes and recoveries stand here."],
    },
  );
  const topics = table(
    "Topics",
    [
      { label: "Topic", value: (row) => row.name, cell: (row) => row.name, name: "strong" },
      {
        label: "Partitions",
        number: true,
        spare: true,
        value: (row) => row.partitions,
        cell: (row) => count(row.partitions),
      },
      {
        label: "Records",
        number: true,
        value: (row) => row.records,
        cell: (row) => count(row.records),
      },
      { label: "Size", number: true, value: (row) => row.bytes, cell: (row) => size(row.bytes) },
      {
        label: "Kept",
        value: (row) => row.retention_ms,
        cell: (row) =>
          row.compacted
            ? "newest by key"
            : row.retention_ms < 0
              ? "for ever"
              : duration(row.retention_ms),
      },
      { label: "Writers", spare: true, cell: (row) => row.writers.join(", ") },
    ],
    { key: (row) => row.name, none: ["No topic", ""] },
  );
  const letters = table(
    "Dead letters",
    [
      { label: "When", cell: (row) => `${day(row.written_ms).slice(5)} ${time(row.written_ms)}` },
      { label: "From", cell: (row) => row.source, name: "strong" },
      { label: "Cause", cell: (row) => row.cause, tone: () => "warn" },
      { label: "Detail", name: "text", cell: (row) => row.detail },
      {
        label: "Message",
        spare: true,
        name: "mono",
        cell: (row) => (row.topic ? `${row.topic}:${row.partition}:${row.offset}` : "–"),
      },
    ],
    {
      key: (row) => row.place,
      open: (row) => {
        say(raw, row.raw || "no message is kept with it");
        rawBox.hidden = false;
        letters.mark(row.place);
      },
      opens: "Dead letter",
      none: ["No dead letter", "Everything could be read."],
    },
  );
  const raw = make("code", { class: "mono wrap" });
  const rawBox = make("div", { class: "inside", hidden: true }, raw);
  const facts = make("span", { class: "quiet" });
  const [eventBox, topicBox, letterBox, serviceBox] = [1, 2, 3, 4].map(() =>
    make("div", {}, loading()),
  );
  root.append(
    make("div", { class: "headline" }, make("h1", {}, "System"), facts),
    make(
      "div",
      { class: "system" },
      panel("Services", {}, serviceBox),
      panel("Infra events", {}, eventBox),
      panel("Topics", {}, topicBox),
      panel("Dead letters", {}, letterBox),
    ),
  );
  const pages = {
    events: paged(
      (after) => get("/infra/events", { limit: EVENTS_SHOWN, after }, left),
      events.set,
    ),
    letters: paged((after) => get("/dead-letters", { limit: 100, after }, left), letters.set),
  };

  async function restart(row) {
    await command(
      { what: "restart", service: row.service },
      {
        title: `Restart ${row.service}?`,
        lines: [
          "It ends what it is at, starts again and goes on where it was. What depends on it waits meanwhile.",
        ],
        yes: "Restart",
        danger: true,
      },
    );
  }
  async function part(box, work, ...shown) {
    try {
      await work();
      if (box.firstChild !== shown[0]) box.replaceChildren(...shown);
    } catch (error) {
      if (!left.aborted) box.replaceChildren(failed(error, () => part(box, work, ...shown)));
    }
  }
  const infra = () =>
    part(
      serviceBox,
      async () => {
        const found = await get("/infra", {}, left);
        services.set(found.items);
        say(
          facts,
          `profile ${found.profile}, ${found.mode} money, venue ${found.venue}${found.pace !== 1 ? `, ${plain(found.pace, 1)} × as fast` : ""}${found.stale ? `, ${found.stale}` : ""}`,
        );
      },
      services.element,
    );
  const happened = () =>
    part(
      eventBox,
      pages.events.restart,
      make("div", { class: "tall scroll" }, events.element),
      make("div", { class: "inside" }, pages.events.button),
    );
  const offs = [
    on("infra", ({ infra: event }) => {
      events.set([event, ...events.rows].slice(0, EVENTS_SHOWN));
      infra();
    }),
  ];
  stream.watch({});
  const slow = () =>
    Promise.all([
      infra(),
      part(
        topicBox,
        async () => topics.set((await get("/topics", {}, left)).items),
        topics.element,
      ),
    ]);
  const timer = setInterval(() => {
    if (!document.hidden) slow();
  }, AGAIN_MS);
  slow();
  happened();
  part(
    letterBox,
    pages.letters.restart,
    letters.element,
    rawBox,
    make("div", { class: "inside" }, pages.letters.button),
  );
  return {
    leave() {
      clearInterval(timer);
      offs.forEach((off) => off());
    },
  };
}
