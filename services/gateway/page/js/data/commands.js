// Commands: asked about, sent, waited for, and what became of them said.
import { confirmed, toast } from "../parts/dialogs.js";
import { post } from "./rest.js";
import { may } from "./session.js";

const WAIT = "8s";
// The least role of each, as on Telegram.
const ROLE = {
  trading: "operator",
  buying: "operator",
  selling: "operator",
  pause: "operator",
  resume: "operator",
  close: "operator",
  close_all: "operator",
  resolve: "operator",
  restart: "operator",
  force: "owner",
  limit: "owner",
};

export const mayDo = (what) => may(ROLE[what]);
export const needs = (what) => `needs the role ${ROLE[what]}`;

// Asks, sends and tells; resolves to whether it was done. The same key makes a second sending harmless.
export async function command(body, question) {
  if (!(await confirmed(question))) return false;
  const key = crypto.randomUUID?.() ?? `${Date.now()}-${Math.random()}`;
  try {
    const answer = await post(`/commands?wait=${WAIT}`, { ...body, idempotency_key: key });
    if (answer.outcome === "done") toast(`Done: ${answer.detail || question.title}`, "good");
    else if (answer.outcome === "refused") toast(`Refused: ${answer.detail}`, "bad");
    else toast("Sent; no answer yet. It stands among the last commands.", "");
    return answer.outcome === "done";
  } catch (error) {
    toast(`${error.title || "It can't be sent"}: ${error.detail || error.message}`, "bad");
    return false;
  }
}
