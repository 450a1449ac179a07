// The device protocol as this page speaks it: what it sends, and what it lets in. No I/O here.

export const UPLINK_RATE_HZ = 16000;
export const FRAME_MS = 60;
export const UPLINK_FRAME_SAMPLES = (UPLINK_RATE_HZ * FRAME_MS) / 1000;
const DEFAULT_REPLY_RATE_HZ = 24000;

/** The first message on a socket; `format` ("opus" or "pcm") holds for both directions. */
export function hello(format) {
  return {
    type: "hello",
    version: 1,
    transport: "websocket",
    features: {},
    audio_params: { format, sample_rate: UPLINK_RATE_HZ, channels: 1, frame_duration: FRAME_MS },
  };
}

/** `mode`: "manual" (a button says the end), "auto" or "realtime" (the server finds it). */
export const listenStart = (mode) => ({ type: "listen", state: "start", mode });
export const listenStop = () => ({ type: "listen", state: "stop" });
export const typed = (text) => ({ type: "listen", state: "detect", text });
/** Ours beside the stock messages: forget the dialogue so far. The server answers with the same type. */
export const NEW_DIALOGUE = "new_dialogue";
export const newDialogue = () => ({ type: NEW_DIALOGUE });
export const abort = () => ({ type: "abort" });

/** The message in a text frame, or null for anything that is not a JSON object with a type. */
export function parse(text) {
  try {
    const message = JSON.parse(text);
    return typeof message?.type === "string" ? message : null;
  } catch {
    return null;
  }
}

/** What the server's hello promises: its session, and the sample rate of what will be heard. */
export function readHello(message) {
  const rate = Number(message.audio_params?.sample_rate);
  return {
    sessionId: typeof message.session_id === "string" ? message.session_id : "",
    replyRateHz: rate >= 8000 && rate <= 48000 ? rate : DEFAULT_REPLY_RATE_HZ,
  };
}

/**
 * The socket to open, from the OTA answer.
 *
 * Its path is taken, but the host is the page's own: that one is reachable from here for certain,
 * and it keeps wss under https. Browsers cannot set headers on a socket, so ids and token go into the query.
 */
export function socketUrl({ url, token }, { deviceId, clientId }, page = window.location) {
  const path = new URL(url, page.href).pathname;
  const query = new URLSearchParams({ "device-id": deviceId, "client-id": clientId });
  if (token) query.set("authorization", `Bearer ${token}`);
  // URLSearchParams writes a space as "+", which some servers leave as it is.
  const encoded = query.toString().replaceAll("+", "%20");
  return `${page.protocol === "https:" ? "wss" : "ws"}://${page.host}${path}?${encoded}`;
}
