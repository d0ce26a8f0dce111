// Account: who you are, keys for programs, hooks for alerts, links for other people.
import { confirmed, toast } from "../parts/dialogs.js";
import { failed, loading, make, panel } from "../parts/elements.js";
import { moment } from "../parts/format.js";
import { stream } from "../data/live.js";
import { get, post, remove, signOut } from "../data/rest.js";
import { current, may } from "../data/session.js";
import { table } from "../parts/table.js";

const SCOPES = [
  ["read", "read"],
  ["signals", "send signals"],
  ["commands", "give commands"],
];

export const title = () => "Account";

export function show(root, { signal: left }) {
  stream.watch({});
  const me = current();
  const keys = make("div", {}, loading()),
    hooks = make("div", {}, loading());
  root.append(
    make(
      "div",
      { class: "headline" },
      make("h1", {}, "Account"),
      make(
        "span",
        { class: "push" },
        make("button", { type: "button", onclick: signOut }, "Sign out"),
      ),
    ),
    make(
      "div",
      { class: "system" },
      panel(
        "You",
        {},
        make(
          "div",
          { class: "inside" },
          make(
            "dl",
            { class: "facts" },
            make("dt", {}, "Name"),
            make("dd", {}, me.name),
            make("dt", {}, "Role"),
            make("dd", {}, me.role),
            make("dt", {}, "Agents"),
            make("dd", {}, me.agents?.length ? me.agents.join(", ") : "all"),
          ),
        ),
      ),
      panel("Link for a person", {}, linkForm()),
      panel("API keys", {}, keys),
      panel("Hooks for alerts", {}, hooks),
    ),
  );

  function linkForm() {
    if (!may("owner"))
      return make(
        "p",
        { class: "state" },
        make("strong", {}, "For owners"),
        "An owner makes the one-time links with which people set a password.",
      );
    const name = make("input", {
      required: true,
      maxlength: 64,
      autocomplete: "off",
      spellcheck: "false",
    });
    const said = make("div", {});
    return make(
      "form",
      {
        class: "form",
        onsubmit: async (event) => {
          event.preventDefault();
          await tried(said, async () =>
            secret(
              said,
              "Give this link to them. It is good once.",
              (await post(`/users/${encodeURIComponent(name.value.trim())}/link`)).url,
            ),
          );
        },
      },
      make("label", { class: "field" }, "Name in [users] of the profile", name),
      make("button", {}, "Make a link"),
      said,
    );
  }
  async function listed(box, path, columns, none, form) {
    try {
      const rows = table(
        path,
        [
          ...columns,
          {
            label: "",
            cell: (row) =>
              make(
                "button",
                { type: "button", class: "danger tiny", onclick: () => gone(row) },
                "Revoke",
              ),
            mark: (row) => row.id,
          },
        ],
        { none },
      );
      async function gone(row) {
        if (
          !(await confirmed({
            title: `Revoke ${row.name}?`,
            lines: ["What uses it is refused from then on."],
            yes: "Revoke",
            danger: true,
          }))
        )
          return;
        try {
          await remove(`/${path}/${encodeURIComponent(row.id)}`);
          again();
        } catch (error) {
          toast(error.detail || error.message, "bad");
        }
      }
      const again = async () => rows.set((await get(`/${path}`, {}, left)).items);
      await again();
      box.replaceChildren(rows.element, form(again));
    } catch (error) {
      if (!left.aborted)
        box.replaceChildren(
          error.status === 403
            ? make("p", { class: "state" }, make("strong", {}, "Not yours to see"), error.detail)
            : failed(error, () => listed(box, path, columns, none, form)),
        );
    }
  }
  function keyForm(again) {
    const name = make("input", { required: true, maxlength: 40, autocomplete: "off" });
    const boxes = SCOPES.map(([scope, text]) => [
      scope,
      make("input", { type: "checkbox", checked: scope === "read" }),
      text,
    ]);
    const said = make("div", {});
    return make(
      "form",
      {
        class: "form",
        onsubmit: async (event) => {
          event.preventDefault();
          const scopes = boxes.filter(([, box]) => box.checked).map(([scope]) => scope);
          await tried(said, async () => {
            const made = await post("/keys", { name: name.value.trim(), scopes });
            secret(
              said,
              "The key, shown this once. Send it as X-API-Key: ID.SECRET",
              `${made.id}.${made.secret}`,
            );
            await again();
          });
        },
      },
      make("label", { class: "field" }, "Name of a new key", name),
      make(
        "div",
        { class: "row" },
        boxes.map(([, box, text]) => make("label", { class: "beside" }, box, text)),
      ),
      make("button", {}, "Make a key"),
      said,
    );
  }
  function hookForm(again) {
    const name = make("input", { required: true, maxlength: 40, autocomplete: "off" });
    const said = make("div", {});
    return make(
      "form",
      {
        class: "form",
        onsubmit: async (event) => {
          event.preventDefault();
          await tried(said, async () => {
            secret(
              said,
              "The address, shown this once. Give it to TradingView as the webhook's URL.",
              (await post("/hooks", { name: name.value.trim() })).url,
            );
            await again();
          });
        },
      },
      make("label", { class: "field" }, "Name of a new hook", name),
      make("button", {}, "Make a hook"),
      said,
    );
  }
  const secret = (box, text, value) =>
    box.replaceChildren(make("p", {}, text), make("code", { class: "secret mono" }, value));
  async function tried(box, work) {
    try {
      await work();
    } catch (error) {
      box.replaceChildren(
        make("p", { class: "said", role: "alert" }, error.detail || error.message),
      );
    }
  }
  listed(
    keys,
    "keys",
    [
      { label: "Name", cell: (row) => row.name, name: "strong" },
      { label: "Id", name: "mono", spare: true, cell: (row) => row.id },
      { label: "May", cell: (row) => row.scopes.join(", ") },
      { label: "Until", cell: (row) => (row.expires_ms ? moment(row.expires_ms) : "no end") },
    ],
    ["No key", "Programs come with a key; make one here."],
    keyForm,
  );
  listed(
    hooks,
    "hooks",
    [
      { label: "Name", cell: (row) => row.name, name: "strong" },
      { label: "Strength", number: true, cell: (row) => String(row.strength) },
      { label: "Agents", cell: (row) => row.agents.join(", ") || "all that you see" },
    ],
    ["No hook", "An address that takes TradingView's alerts."],
    hookForm,
  );
  return {};
}
