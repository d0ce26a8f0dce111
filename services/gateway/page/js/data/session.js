// Who is signed in: the token, kept for this tab only, and what its role may do.
const KEY = "chandler.session";
const ROLES = ["viewer", "operator", "owner"];
const RENEW_BEFORE_MS = 120_000;
const listeners = new Set();
let session = read();
let timer = 0;

function read() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY));
  } catch {
    return null;
  }
}

export const current = () => session;
export const token = () => session?.token ?? "";
export const may = (role) => session !== null && ROLES.indexOf(session.role) >= ROLES.indexOf(role);
export const onSession = (then) => listeners.add(then);

export function keep(fresh) {
  session = fresh && {
    token: fresh.token,
    expires_ms: fresh.expires_ms,
    name: fresh.name,
    role: fresh.role,
    agents: fresh.agents,
  };
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
  for (const each of listeners) each(session);
}

// Calls `renew` some time before the token expires.
export function renewing(renew) {
  clearTimeout(timer);
  if (!session) return;
  const wait_ms = Math.min(
    Math.max(session.expires_ms - Date.now() - RENEW_BEFORE_MS, 1_000),
    2 ** 31 - 1,
  );
  timer = setTimeout(renew, wait_ms);
}
