// The WebSocket: says who we are, keeps the place, comes back after a loss with what was last seen.
import { token } from "./session.js";

const AGAIN_MS = [500, 1_000, 2_000, 4_000, 8_000, 15_000];
const SILENT_MS = 50_000; // pings come every 20 s
const PLACES_MAX = 4_000;
const FINAL = new Set([4001, 4003, 4400]); // signed out, not allowed, not understood
const TOO_MANY = 4029;
const TOO_MANY_MS = 30_000;

export class Stream {
  constructor(take, tell) {
    this.take = take; // of each message
    this.tell = tell; // of "connecting", "live", "lost", "refused"
    this.last = null; // {stream, seq, places}
    this.socket = null;
    this.tries = 0;
    this.heard = 0;
    this.timer = 0;
    this.wanted = false;
    this.detail = "";
    this.watched = {}; // {topics, symbols, granularities}; {}: as the gateway thinks best
  }

  start() {
    if (this.wanted) return;
    this.wanted = true;
    this.connect();
    this.looking = setInterval(() => this.look(), 5_000);
  }

  stop() {
    this.wanted = false;
    clearTimeout(this.timer);
    clearInterval(this.looking);
    this.last = null;
    this.socket?.close(1000);
    this.socket = null;
  }

  // Tries at once: the person asked, or the network is back.
  now() {
    if (!this.wanted || this.socket?.readyState === WebSocket.OPEN) return;
    this.tries = 0;
    clearTimeout(this.timer);
    this.socket?.close();
    this.connect();
  }

  send(message) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  // What is wanted from now on: a view's part of it.
  watch(wanted) {
    if (JSON.stringify(wanted) === JSON.stringify(this.watched)) return;
    this.watched = wanted;
    this.send({ type: "watch", ...wanted });
  }

  renew() {
    this.send({ type: "token", token: token() });
  }

  connect() {
    if (!this.wanted) return;
    this.tell("connecting", this.detail);
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/v1/stream`);
    this.socket = socket;
    socket.onopen = () => {
      this.heard = Date.now();
      socket.send(
        JSON.stringify({
          type: "hello",
          token: token(),
          agent: "",
          ...this.watched,
          ...(this.last ? { last: this.last } : {}),
        }),
      );
    };
    socket.onmessage = (event) => {
      if (socket === this.socket) this.message(event.data);
    };
    socket.onclose = (event) => {
      if (socket === this.socket) this.closed(event);
    };
  }

  message(text) {
    this.heard = Date.now();
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message.type === "ping") this.send({ type: "pong" });
    if (message.type === "error") this.detail = message.detail || "";
    this.place(message);
    if (message.type === "connected") {
      this.tries = 0;
      this.detail = "";
      this.tell("live", "");
    }
    this.take(message);
  }

  // Remembers how far we are: by number, and by the newest offset of each topic's partition.
  place(message) {
    this.last ??= { stream: "", seq: 0, places: {} };
    if (typeof message.stream === "string" && message.stream) this.last.stream = message.stream;
    if (message.type === "connected") this.last.seq = message.seq;
    else if (message.seq > this.last.seq) this.last.seq = message.seq;
    const { places } = this.last;
    if (typeof message.place === "string") {
      const cut = message.place.lastIndexOf(":");
      places[message.place.slice(0, cut)] = Number(message.place.slice(cut + 1));
    }
    if (message.places && typeof message.places === "object") Object.assign(places, message.places);
    if (Object.keys(places).length > PLACES_MAX) this.last = null;
  }

  closed(event) {
    this.socket = null;
    if (!this.wanted) return;
    if (FINAL.has(event.code)) {
      this.tell("refused", this.detail || event.reason, event.code);
      return;
    }
    this.tell("lost", this.detail);
    const again_ms =
      event.code === TOO_MANY ? TOO_MANY_MS : AGAIN_MS[Math.min(this.tries, AGAIN_MS.length - 1)];
    const wait_ms = again_ms * (0.75 + Math.random() / 2);
    this.tries += 1;
    this.timer = setTimeout(() => this.connect(), wait_ms);
  }

  // A socket that says nothing for long is a lost one.
  look() {
    if (this.socket?.readyState === WebSocket.OPEN && Date.now() - this.heard > SILENT_MS)
      this.socket.close(4000);
  }
}
