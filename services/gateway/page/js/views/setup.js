// The first password, by a one-time link.
import { empty, failed, loading, make, say } from "../parts/elements.js";
import { moment } from "../parts/format.js";
import { get, post } from "../data/rest.js";
import { keep } from "../data/session.js";

const SHORTEST = 10;
export const title = () => "Set a password";

export async function show(root, { argument, go, signal }) {
  root.append(loading());
  let state;
  try {
    state = await get(`/setup/${encodeURIComponent(argument)}`, {}, signal);
  } catch (error) {
    root.replaceChildren(
      error.status === 404
        ? empty(
            "This link can't be used",
            "It was used, has expired, or is not whole. A new one is made by an owner, or where the gateway is started.",
          )
        : failed(error, () => go(location.pathname)),
    );
    return {};
  }
  const said = make("p", { class: "said", role: "alert" });
  const name = make("input", {
    name: "name",
    autocomplete: "username",
    required: true,
    maxlength: 200,
    value: state.name,
    readonly: true,
  });
  const one = make("input", {
    type: "password",
    autocomplete: "new-password",
    required: true,
    minlength: SHORTEST,
    maxlength: 200,
  });
  const other = make("input", {
    type: "password",
    autocomplete: "new-password",
    required: true,
    maxlength: 200,
  });
  const button = make("button", { class: "main" }, "Set password and sign in");
  async function submit(event) {
    event.preventDefault();
    if (one.value !== other.value) {
      say(said, "The two passwords differ.");
      other.focus();
      return;
    }
    button.disabled = true;
    try {
      const body = { name: name.value.trim(), password: one.value };
      keep(await post(`/setup/${encodeURIComponent(argument)}`, body));
      history.replaceState(null, "", "/");
      go("/");
    } catch (error) {
      say(said, error.detail || error.message);
    } finally {
      button.disabled = false;
    }
  }
  root.replaceChildren(
    make(
      "section",
      { class: "panel access", "aria-label": "Set a password" },
      make(
        "form",
        { onsubmit: submit },
        make(
          "div",
          {},
          make("h1", {}, "Set a password"),
          make(
            "p",
            { class: "quiet" },
            `For ${state.name}. The link is good once, until ${moment(state.expires_ms)} UTC.`,
          ),
        ),
        make("label", { class: "field" }, "Name", name),
        make("label", { class: "field" }, `Password, at least ${SHORTEST} characters`, one),
        make("label", { class: "field" }, "Again", other),
        said,
        button,
      ),
    ),
  );
  one.focus();
  return {};
}
