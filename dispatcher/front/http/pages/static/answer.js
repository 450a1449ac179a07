// The answer to one turn as it comes in: sentences, sound, and the moments of both.

import { makeDecoder } from "./codec.js";

/**
 * Calls back: `onSentence(text)` when a sentence begins to sound, `onSound()` when the first sound was queued.
 */
export class Answer {
  #turn;
  #player;
  #decoder;
  #callbacks;
  #started = false;
  #subtitles = new Set();

  constructor({ turn, player, format, rateHz, callbacks }) {
    this.#turn = turn;
    this.#player = player;
    this.#callbacks = callbacks;
    this.#decoder = makeDecoder(format, rateHz, (samples, actualHz) => this.#play(samples, actualHz));
  }

  /** Whether the server has announced it; sound that comes before is not for us. */
  get started() {
    return this.#started;
  }

  /** `tts start`: what a device clears its queue for. */
  start() {
    this.#player.clear();
    this.#started = true;
  }

  /** A sentence is announced a little ahead of its sound: show it when that begins. */
  sentence(text) {
    this.#turn.mark("firstSentence");
    const timer = setTimeout(() => {
      this.#subtitles.delete(timer);
      this.#callbacks.onSentence(text);
    }, this.#player.queuedMs);
    this.#subtitles.add(timer);
  }

  sound(bytes) {
    if (this.#started) this.#decoder.decode(bytes);
  }

  /** Returns when all of it has been heard. */
  async playedOut() {
    await this.#decoder.flush();
    await this.#player.drained();
    this.#decoder.reset();
  }

  /** Fall silent; sentences that were not yet heard are not shown. */
  cancel() {
    for (const timer of this.#subtitles) clearTimeout(timer);
    this.#subtitles.clear();
    this.#decoder.reset();
    this.#player.clear();
  }

  #play(samples, rateHz) {
    const waitMs = this.#player.enqueue(samples, rateHz);
    if (waitMs === null || this.#turn.has("firstAudio")) return;
    this.#turn.mark("firstAudio", waitMs);
    this.#callbacks.onSound();
  }
}
