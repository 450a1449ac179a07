// The microphone: permission, capture in 60 ms frames, and its level.

import { loudnessOf } from "./loudness.js";
import { UPLINK_FRAME_SAMPLES, UPLINK_RATE_HZ } from "./protocol.js";

// Kept open between turns, because opening takes up to half a second; then let go,
// because the browser shows a recording mark as long as it is open.
const KEEP_OPEN_MS = 30_000;
// The audio thread answers in a few ms; without an answer its device is gone.
const STOP_TIMEOUT_MS = 300;
const REASONS = { NotAllowedError: "denied", NotFoundError: "missing", NotReadableError: "busy" };

/** `reason`: insecure | unsupported | denied | missing | busy | failed. */
export class MicrophoneError extends Error {
  constructor(reason) {
    super(`microphone: ${reason}`);
    this.reason = reason;
  }
}

/** Why this page can never have a microphone here, or null when it may ask for it. */
export function microphoneObstacle() {
  if (!window.isSecureContext) return "insecure";
  if (!navigator.mediaDevices?.getUserMedia || !window.AudioWorkletNode) return "unsupported";
  return null;
}

export class Microphone {
  #opening = null;
  #stream = null;
  #context = null;
  #node = null;
  #loudness = () => 0;
  #onFrame = null;
  #onStopped = null;
  #letGoTimer = 0;

  /** 0..1 */
  get level() {
    return this.#loudness();
  }

  /** Have the microphone open; asks the user the first time. Throws MicrophoneError. */
  async open() {
    clearTimeout(this.#letGoTimer);
    if (this.#node) {
      // A phone call, for one, suspends it.
      await this.#context.resume();
      return;
    }
    this.#opening ??= this.#acquire().finally(() => (this.#opening = null));
    await this.#opening;
  }

  /** Hand every frame (Float32Array, 60 ms at 16 kHz) to `onFrame` until `stop`. */
  start(onFrame) {
    clearTimeout(this.#letGoTimer);
    this.#onFrame = onFrame;
    this.#node?.port.postMessage("start");
  }

  /** End the capture; returns when the last frame has been handed over. */
  async stop() {
    if (this.#node) {
      await new Promise((resolve) => {
        this.#onStopped = resolve;
        setTimeout(resolve, STOP_TIMEOUT_MS);
        this.#node.port.postMessage("stop");
      });
    }
    this.#onFrame = null;
    this.letGoLater();
  }

  /** Close the microphone soon, unless it is used again before. */
  letGoLater() {
    clearTimeout(this.#letGoTimer);
    this.#letGoTimer = setTimeout(() => this.#close(), KEEP_OPEN_MS);
  }

  async #acquire() {
    const obstacle = microphoneObstacle();
    if (obstacle) throw new MicrophoneError(obstacle);
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({
        audio: { channelCount: 1, echoCancellation: true, noiseSuppression: true, autoGainControl: true },
      });
      await this.#wire(this.#stream);
    } catch (error) {
      this.#close();
      throw new MicrophoneError(REASONS[error.name] ?? "failed");
    }
  }

  async #wire(stream) {
    const { context, source } = listenTo(stream);
    this.#context = context;
    await context.audioWorklet.addModule(new URL("./capture-worklet.js", import.meta.url));
    const node = new AudioWorkletNode(context, "capture", {
      channelCount: 1,
      channelCountMode: "explicit",
      processorOptions: { rateHz: UPLINK_RATE_HZ, frameSamples: UPLINK_FRAME_SAMPLES },
    });
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    // The node's output is silence; connected all the same, since browsers run only what leads to a destination.
    source.connect(analyser).connect(node).connect(context.destination);
    node.port.onmessage = ({ data }) => (data === "stopped" ? this.#onStopped?.() : this.#onFrame?.(data));
    stream.getAudioTracks()[0].onended = () => this.#close();
    await context.resume();
    this.#loudness = loudnessOf(analyser);
    this.#node = node;
  }

  #close() {
    clearTimeout(this.#letGoTimer);
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#context?.close();
    this.#stream = this.#context = this.#node = null;
    this.#loudness = () => 0;
  }
}

/** A context at the server's rate where the browser converts by itself (not Firefox), else at its own. */
function listenTo(stream) {
  const context = new AudioContext({ sampleRate: UPLINK_RATE_HZ, latencyHint: "interactive" });
  try {
    return { context, source: context.createMediaStreamSource(stream) };
  } catch {
    context.close();
    const fallback = new AudioContext({ latencyHint: "interactive" });
    return { context: fallback, source: fallback.createMediaStreamSource(stream) };
  }
}
