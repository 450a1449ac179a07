// One utterance from the microphone to the socket: encoded frame by frame, and ended at its longest.

import { makeEncoder } from "./codec.js";

export class Capture {
  /** Packets sent since the page was opened. */
  framesSent = 0;
  #microphone;
  #format;
  #send;
  #encoder = null;
  #timer = 0;

  /** `send(packet)` puts one packet on its way. */
  constructor({ microphone, format, send }) {
    this.#microphone = microphone;
    this.#format = format;
    this.#send = send;
  }

  get active() {
    return this.#encoder !== null;
  }

  /** `onFull()` is called after `longestMs`, if it is not ended before. */
  begin(longestMs = Infinity, onFull = () => {}) {
    const encoder = makeEncoder(this.#format, (packet) => {
      this.framesSent += 1;
      this.#send(packet);
    });
    this.#encoder = encoder;
    this.#microphone.start((samples) => encoder.encode(samples));
    if (longestMs < Infinity) this.#timer = setTimeout(onFull, longestMs);
  }

  /** Returns when the last packet of the utterance has been sent. */
  async end() {
    const encoder = this.#encoder;
    this.#encoder = null;
    clearTimeout(this.#timer);
    await this.#microphone.stop();
    await encoder?.finish();
  }
}
