// Signing in with name and password.
import { make, say } from "../parts/elements.js";
import { post } from "../data/rest.js";
import { current, keep } from "../data/session.js";

export const title = () => "Sign in";

export function show(root, { go }) {
  if (current()) {
    go("/");
    return {};
  }
  const said = make("p", { class: "said", role: "alert" });
  const name = make("input", {
    name: "name",
    autocomplete: "username",
    required: true,
    maxlength: 200,
    autocapitalize: "none",
    spellcheck: "false",
  });
  const password = make("input", {
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
    maxlength: 1_000,
  });
  const button = make("button", { class: "main" }, "Sign in");
  async function submit(event) {
    event.preventDefault();
    button.disabled = true;
    say(said, "");
    try {
      keep(await post("/login", { name: name.value.trim(), password: password.value }));
      const after = sessionStorage.getItem("chandler.after") ?? "/";
      sessionStorage.removeItem("chandler.after");
      go(after.startsWith("/") && !after.startsWith("//") ? after : "/");
    } catch (error) {
      say(said, error.detail || error.message);
      password.value = "";
      password.focus();
    } finally {
      button.disabled = false;
    }
  }
  root.append(
    make(
      "section",
      { class: "panel access", "aria-label": "Sign in" },
      make(
        "form",
        { onsubmit: submit },
        make(
          "div",
          {},
          make("h1", {}, "Sign in"),
          make("p", { class: "quiet" }, "With your name in this installation."),
        ),
        make("label", { class: "field" }, "Name", name),
        make("label", { class: "field" }, "Password", password),
        said,
        button,
        make(
          "p",
          { class: "quiet small" },
          "No password yet? The first owner gets a one-time link where the gateway is started; an owner makes links for others.",
        ),
      ),
    ),
  );
  name.focus();
  return {};
}
