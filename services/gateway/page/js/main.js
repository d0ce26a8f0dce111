// The shell: which view is shown, who is signed in, how fresh it all is, the keys.
import { findSymbol, listShortcuts, toast } from "./parts/dialogs.js";
import { dress, failed, icon, link, make, say } from "./parts/elements.js";
import { duration, share, time, tone } from "./parts/format.js";
import { isOld, live, on, stream } from "./data/live.js";
import { ask, forgetStaleness, staleness } from "./data/rest.js";
import { current, keep, onSession, renewing } from "./data/session.js";
import { followed } from "./data/symbols.js";
import { swapTheme, themed } from "./parts/theme.js";

const VIEWS = [
  ["overview", "/", "Overview", "o"],
  ["scanner", "/scanner", "Scanner", "s"],
  ["symbol", "/symbol", "Symbol", "y"],
  ["trades", "/trades", "Trades", "t"],
  ["backtests", "/backtests", "Backtests", "b"],
  ["controls", "/controls", "Controls", "c"],
  ["system", "/system", "System", "h"],
];
const OPEN = new Set(["login", "setup"]); // views for people who are not signed in

const main = document.getElementById("main");
const notice = document.getElementById("notice");
let view = null; // {leave, keys} of what is shown
let turn = 0;

// The view's name and what stands behind it in the address; a link to set a password has it
// behind the #, where no server sees it.
function place() {
  const path = location.hash.startsWith("#/") ? location.hash.slice(1) : location.pathname;
  const [name = "", ...rest] = path.split("/").filter(Boolean);
  try {
    return [name || "overview", rest.map(decodeURIComponent).join("/")];
  } catch {
    return [name || "overview", ""];
  }
}

export function go(path) {
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
  show();
}

async function show() {
  const mine = ++turn;
  let [name, argument] = place();
  if (!current() && !OPEN.has(name)) {
    sessionStorage.setItem("chandler.after", location.pathname + location.search);
    history.replaceState(null, "", "/login");
    [name, argument] = ["login", ""];
  }
  document.body.classList.toggle("bare", !current());
  marked(name);
  view?.leave?.();
  view = null;
  forgetStaleness();
  const root = make("div", { class: "view" });
  try {
    const module = await import(`./views/${KNOWN.has(name) ? name : "missing"}.js`);
    if (mine !== turn) return;
    main.className = module.wide ? "wide" : "";
    main.replaceChildren(root);
    document.title = `${module.title(argument)} · Chandler`;
    const shown = await module.show(root, { argument, go, signal: leaving() });
    if (mine === turn) view = shown;
    else shown.leave?.();
  } catch (error) {
    if (mine !== turn) return;
    main.replaceChildren(failed(error, show));
    console.warn(error);
  }
}

const KNOWN = new Set([...VIEWS.map(([name]) => name), ...OPEN, "account"]);
let controller = null;
function leaving() {
  controller?.abort();
  controller = new AbortController();
  return controller.signal;
}

const tabs = VIEWS.map(([name, to, words]) =>
  link(to, { "data-view": name }, icon(name), make("span", {}, words)),
);
function marked(name) {
  for (const each of tabs) {
    if (each.dataset.view === name) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
}

const dot = make("span", { class: "dot" });
const standing = make("span", {});
const clock = make("span", { class: "clock" });
const state = make(
  "span",
  { class: "live of-person", role: "status", "aria-label": "Connection" },
  dot,
  standing,
  clock,
);
const person = link(
  "/account",
  { class: "button plain icon of-person", "aria-label": "Your account" },
  icon("person"),
);
const theme = make(
  "button",
  { type: "button", class: "plain icon", onclick: swapped },
  icon("theme"),
);
const search = make(
  "button",
  {
    type: "button",
    class: "plain icon of-person",
    "aria-label": "Go to a symbol",
    title: "Go to a symbol  /",
    onclick: find,
  },
  icon("search"),
);

function swapped() {
  swapTheme();
  named();
}
function named() {
  const words = themed() ? "Show in light colours" : "Show in dark colours";
  theme.setAttribute("aria-label", words);
  theme.title = `${words}  t`;
}

function find() {
  const symbols = followed().map((symbol) => {
    const change = live.changes.get(symbol);
    return { symbol, said: change === undefined ? "" : share(change), tone: tone(change) };
  });
  findSymbol(symbols, (symbol) => go(`/symbol/${encodeURIComponent(symbol)}`));
}

// How fresh it is, once a second, and at once where the connection changes.
function fresh() {
  const old = isOld();
  const said = {
    live: old ? "Old" : "Live",
    connecting: "Connecting",
    lost: "Lost",
    refused: "Refused",
    idle: "",
  }[live.state];
  say(standing, said);
  dress(
    dot,
    `dot ${live.state === "live" && !old ? "good" : live.state === "live" || live.state === "connecting" ? "warn" : "bad"}`,
  );
  say(clock, live.clock_ms ? `${time(live.clock_ms)} UTC` : "");
  const words = !current() ? "" : trouble(old);
  document.body.classList.toggle("lost", live.state === "lost" || live.state === "refused");
  document.body.classList.toggle("stale", Boolean(words));
  notice.hidden = !words;
  if (!words) return notice.replaceChildren();
  dress(notice, live.state === "live" ? "" : "bad");
  if (notice.firstChild?.dataset?.kind !== live.state) {
    notice.replaceChildren(
      make("span", { "data-kind": live.state }),
      live.state === "live"
        ? ""
        : make("button", { type: "button", onclick: () => stream.now() }, "Try now"),
    );
  }
  say(notice.firstChild, words);
}

function trouble(old) {
  const of = live.clock_ms ? ` What you see is of ${time(live.clock_ms)} UTC.` : "";
  if (live.state === "lost")
    return `Connection lost${live.lostAt ? ` ${duration(Date.now() - live.lostAt)} ago` : ""}.${of} Trying again.`;
  if (live.state === "refused")
    return `The gateway closed the stream: ${live.detail || "see the system view"}.${of}`;
  if (old)
    return `Data is old: no price for ${duration(Date.now() - live.heard)}.${of} See System.`;
  return staleness() && live.state === "live" ? `What is shown may be old: ${staleness()}` : "";
}

function signed(session) {
  if (!session) {
    stream.stop();
    if (!OPEN.has(place()[0])) show();
    return;
  }
  person.title = `${session.name}, ${session.role}`;
  stream.start();
  renewing(renew);
}

async function renew() {
  try {
    keep({ ...current(), ...(await ask("/refresh", { method: "POST", body: {} })) });
    stream.renew();
  } catch (error) {
    if (error.status !== 401) setTimeout(renew, 5_000);
  }
}

let chord = false; // "g" was pressed: the next key says where to
function pressed(event) {
  if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || !current())
    return;
  if (event.target.closest("input, select, textarea, dialog[open]")) return;
  const key = event.key;
  if (chord) {
    chord = false;
    const found = VIEWS.find(([, , , letter]) => letter === key);
    if (found) {
      event.preventDefault();
      go(found[1]);
    }
    return;
  }
  if (key === "g") chord = true;
  else if (key === "?") listShortcuts();
  else if (key === "/") {
    event.preventDefault();
    find();
  } else if (key === "t") swapped();
  else view?.keys?.(event);
}

function clicked(event) {
  const anchor = event.target.closest?.("a[href]");
  if (
    !anchor ||
    event.defaultPrevented ||
    event.button ||
    event.ctrlKey ||
    event.metaKey ||
    event.shiftKey ||
    anchor.target
  )
    return;
  const url = new URL(anchor.href);
  if (
    url.origin !== location.origin ||
    url.pathname.startsWith("/v1") ||
    anchor.hasAttribute("download")
  )
    return;
  if (url.hash && url.pathname === location.pathname) return;
  event.preventDefault();
  go(url.pathname + url.search);
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

document.getElementById("views").append(...tabs);
document.getElementById("tools").append(
  state,
  search,
  theme,
  make(
    "button",
    {
      type: "button",
      class: "plain icon spare of-person",
      "aria-label": "Keys",
      title: "Keys  ?",
      onclick: listShortcuts,
    },
    icon("keys"),
  ),
  person,
);
named();
addEventListener("popstate", show);
addEventListener("hashchange", show);
addEventListener("click", clicked);
addEventListener("keydown", pressed);
on("state", ({ state: now, code }) => {
  fresh();
  if (now === "refused" && code === 4001) renew();
});
on("connected", ({ lost }) => {
  if (lost) {
    toast(`Not all that was missed can be had: ${lost}`);
    show();
  }
});
on("error", (message) => {
  if (message.detail) toast(message.detail, "bad");
});
onSession(signed);
setInterval(fresh, 1_000);
signed(current());
show();
