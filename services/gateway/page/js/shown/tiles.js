// A row of figures at the head of a view, and the health of the services.
import { dress, make, say } from "../parts/elements.js";
import { count, duration } from "../parts/format.js";

const BEHIND_S = 30; // of a service's work behind its inputs: then it is told

// A row of figures, each with a line beneath it.
export function tileRow(names) {
  const parts = names.map((name) => {
    const figure = make("div", { class: "figure" }, "–"),
      under = make("div", { class: "under" }, "\u00a0");
    return {
      figure,
      under,
      element: make("div", { class: "tile" }, make("dt", {}, name), make("dd", {}, figure, under)),
    };
  });
  return {
    element: make(
      "dl",
      { class: "tiles fades" },
      parts.map((each) => each.element),
    ),
    set(at, text, words = "", name = "") {
      say(parts[at].figure, text);
      dress(parts[at].figure, `figure ${name}`.trim());
      say(parts[at].under, words || "\u00a0");
    },
  };
}

export function healthy(list, services) {
  if (!services.length)
    return list.replaceChildren(make("li", { class: "quiet" }, "No service has said anything yet"));
  list.replaceChildren(
    ...services.map((each) =>
      make(
        "li",
        { title: `${each.worker}: ${each.state}` },
        make("span", { class: `dot ${toneOfState(each)}`, role: "img", "aria-label": each.state }),
        make("span", { class: "name" }, each.worker),
        make(
          "span",
          { class: "lag" },
          each.behind_s > BEHIND_S
            ? `${duration(each.behind_s * 1_000)} behind`
            : each.lag
              ? `lag ${count(each.lag)}`
              : each.age_s !== null && each.age_s > 20
              ? duration(each.age_s * 1_000)
              : "",
        ),
      ),
    ),
  );
}

export const toneOfState = (each) =>
  each.ready && each.behind_s > BEHIND_S
    ? "warn"
    : each.ready ? "good" : each.state === "starting" || each.state === "behind" ? "warn" : "bad";
