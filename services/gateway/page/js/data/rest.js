// The REST API: JSON in and out; what it refuses is thrown as a Refusal with the problem's words.
import { keep, token } from "./session.js";

const WAIT_MS = 40_000;
const stale = new Map(); // path → why what it tells may be old

export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `the gateway answered ${status}`);
    this.status = status;
    this.kind = problem.kind || "";
    this.title = problem.title || "It can't be answered";
    this.detail = problem.detail || "";
  }
}

export async function ask(
  path,
  { method = "GET", body = undefined, signal = undefined, headers = {} } = {},
) {
  const sent = { Accept: "application/json", ...headers };
  if (token()) sent.Authorization = `Bearer ${token()}`;
  if (body !== undefined) sent["Content-Type"] = "application/json";
  const limits = [AbortSignal.timeout(WAIT_MS), ...(signal ? [signal] : [])];
  let response;
  try {
    response = await fetch(`/v1${path}`, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.any(limits),
      credentials: "omit",
      cache: "no-store",
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Refusal(0, {
      title: "The gateway can't be reached",
      detail: "No answer: is it running, and is this machine on the network?",
    });
  }
  const text = await response.text();
  let said = {};
  try {
    said = text ? JSON.parse(text) : {};
  } catch {
    said = { detail: `the gateway answered ${response.status} with something else than JSON` };
    if (response.ok) throw new Refusal(response.status, said);
  }
  if (response.ok) {
    if (typeof said.stale === "string") stale.set(path.split("?")[0], said.stale);
    return said;
  }
  if (response.status === 401 && token() && !path.startsWith("/login")) keep(null);
  throw new Refusal(response.status, said);
}

// Why what was last asked for may be old, one line; "" where it is as it is.
export const staleness = () => [...stale.values()].find(Boolean) ?? "";
export const forgetStaleness = () => stale.clear();

export const get = (path, query = {}, signal = undefined) => {
  const asked = Object.entries(query).filter(
    ([, value]) => value !== "" && value !== null && value !== undefined,
  );
  const search = asked.length ? `?${new URLSearchParams(asked)}` : "";
  return ask(path + search, { signal });
};
export const post = (path, body = {}, more = {}) => ask(path, { method: "POST", body, ...more });
export const remove = (path) => ask(path, { method: "DELETE" });

// Ends the session here and at the gateway.
export async function signOut() {
  await post("/logout").catch(() => {});
  keep(null);
}
