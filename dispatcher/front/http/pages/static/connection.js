// The way to the server: OTA, socket, hello, and a new try by back-off whenever it is lost.

import { hello, parse, readHello, socketUrl } from "./protocol.js";

const HELLO_TIMEOUT_MS = 10_000;
const OTA_TIMEOUT_MS = 8_000;
const RETRY_FIRST_MS = 500;
const RETRY_MOST_MS = 15_000;
// A connection that lasted this long counts as good: the next loss starts again with a short wait.
const STABLE_MS = 10_000;
// Beyond this the network does not keep up with the microphone; old sound is of no use then.
const UPLINK_BACKLOG_BYTES = 256 * 1024;

/**
 * Events: `status` (detail "connecting" | "ready" | "offline"), `message` (detail: object),
 * `audio` (detail: Uint8Array).
 */
export class Connection extends EventTarget {
  #identity;
  #format;
  #language = null;
  #socket = null;
  #sessionId = null;
  #replyRateHz = 0;
  #failures = 0;
  #readyAt = 0;
  #retryTimer = 0;
  #helloTimer = 0;
  #run = 0;
  #wanted = false;

  constructor({ identity, format }) {
    super();
    this.#identity = identity;
    this.#format = format;
    // A retry that is due while the tab is hidden waits for the user to come back.
    document.addEventListener("visibilitychange", () => this.#retryNow());
    window.addEventListener("online", () => this.#retryNow());
  }

  get ready() {
    return this.#sessionId !== null;
  }

  /** Between the server's farewell and `onclose` the session stands, but its socket takes nothing. */
  get #takesData() {
    return this.ready && this.#socket.readyState === WebSocket.OPEN;
  }

  get replyRateHz() {
    return this.#replyRateHz;
  }

  /** The language asked for by OTA ("en", "zh-CN"), or null for the browser's own. */
  set language(tag) {
    this.#language = tag;
  }

  /** Connect now, whatever the present state is. */
  restart() {
    this.#wanted = true;
    this.#failures = 0;
    this.#connect();
  }

  /** Close and stay away until `restart`. */
  stop() {
    this.#wanted = false;
    this.#run += 1;
    this.#forgetRetry();
    this.#drop();
    this.#tell("status", "offline");
  }

  send(message) {
    if (this.#takesData) this.#socket.send(JSON.stringify({ session_id: this.#sessionId, ...message }));
  }

  sendAudio(bytes) {
    if (this.#takesData && this.#socket.bufferedAmount < UPLINK_BACKLOG_BYTES) this.#socket.send(bytes);
  }

  async #connect() {
    const run = ++this.#run;
    this.#forgetRetry();
    this.#drop();
    this.#tell("status", "connecting");
    try {
      const target = await this.#askAddress();
      if (run !== this.#run) return;
      this.#open(socketUrl(target, this.#identity));
    } catch {
      if (run === this.#run) this.#retryLater();
    }
  }

  async #askAddress() {
    const { deviceId, clientId } = this.#identity;
    const headers = { "Content-Type": "application/json", "Device-Id": deviceId, "Client-Id": clientId };
    // "*" is no preference: the browser's own language says little about the one that is spoken to it.
    headers["Accept-Language"] = this.#language || "*";
    const board = { type: "web", name: "talk-page", mac: deviceId };
    const response = await fetch("/xiaozhi/ota/", {
      method: "POST",
      headers,
      body: JSON.stringify({ uuid: clientId, mac_address: deviceId, board }),
      cache: "no-store",
      signal: AbortSignal.timeout(OTA_TIMEOUT_MS),
    });
    const { websocket } = await response.json();
    if (typeof websocket?.url !== "string") throw new TypeError("the OTA answer names no websocket.url");
    return websocket;
  }

  #open(url) {
    const socket = new WebSocket(url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify(hello(this.#format)));
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(data);
    socket.onclose = () => this.#lost(socket);
    this.#helloTimer = setTimeout(() => this.#lost(socket), HELLO_TIMEOUT_MS);
    this.#socket = socket;
  }

  #receive(data) {
    if (typeof data !== "string") {
      if (this.ready) this.#tell("audio", new Uint8Array(data));
      return;
    }
    const message = parse(data);
    if (message === null) return;
    if (message.type === "hello") this.#welcome(message);
    else if (this.ready) this.#tell("message", message);
  }

  #welcome(message) {
    if (this.ready) return;
    clearTimeout(this.#helloTimer);
    const { sessionId, replyRateHz } = readHello(message);
    this.#sessionId = sessionId;
    this.#replyRateHz = replyRateHz;
    this.#readyAt = performance.now();
    this.#tell("status", "ready");
  }

  #lost(socket) {
    if (socket !== this.#socket) return;
    if (this.ready && performance.now() - this.#readyAt > STABLE_MS) this.#failures = 0;
    this.#drop();
    this.#retryLater();
  }

  #drop() {
    clearTimeout(this.#helloTimer);
    const socket = this.#socket;
    this.#socket = null;
    this.#sessionId = null;
    socket?.close();
  }

  #retryLater() {
    if (!this.#wanted) return;
    this.#tell("status", "offline");
    const wait = Math.min(RETRY_MOST_MS, RETRY_FIRST_MS * 2 ** this.#failures);
    this.#failures += 1;
    // Spread over ±25 %, so that many pages do not come back in the same instant.
    this.#retryTimer = setTimeout(() => this.#retryNow(), wait * (0.75 + Math.random() / 2));
  }

  #retryNow() {
    const due = this.#retryTimer !== 0;
    if (due && !document.hidden) this.#connect();
  }

  #forgetRetry() {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = 0;
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
