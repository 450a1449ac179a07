// Play-out: chunks of sound, one right after the other, on the clock of Web Audio.

import { loudnessOf } from "./loudness.js";
import { Resampler } from "./resampler.js";

// Sound waits this long before it starts, so that a frame may come late without a gap.
const JITTER_S = 0.06;
// Servers send a few frames ahead; a queue of this length is a fault, and must not eat the memory.
const LONGEST_QUEUE_S = 60;
const FADE_S = 0.02;

export class Player {
  #context = null;
  #analyser = null;
  #output = null;
  #loudness = () => 0;
  #resampler = null;
  #rateHz = 0;
  #nextSample = 0;
  #sources = new Set();
  #whenEmpty = [];
  framesScheduled = 0;
  framesPlayed = 0;
  gaps = 0;

  /** 0..1 */
  get level() {
    return this.#loudness();
  }

  /** Make sound possible; call it while the user presses something, browsers allow it only then. */
  unlock() {
    this.#context ??= this.#open();
    if (this.#context.state !== "running") this.#context.resume();
  }

  /** How long from now until a chunk that came now would be heard. */
  get queuedMs() {
    if (this.#sources.size === 0) return 0;
    return Math.max(0, this.#nextSample / this.#context.sampleRate - this.#context.currentTime) * 1000;
  }

  /** Play the samples after all that is queued. Returns the ms until they sound, or null if they were dropped. */
  enqueue(samples, rateHz) {
    this.unlock();
    if (this.queuedMs > LONGEST_QUEUE_S * 1000) return null;
    const ready = this.#resample(samples, rateHz);
    if (ready.length === 0) return null;
    const context = this.#context;
    const startS = this.#startOfNext();
    const buffer = new AudioBuffer({ length: ready.length, sampleRate: context.sampleRate });
    buffer.copyToChannel(ready, 0);
    const source = new AudioBufferSourceNode(context, { buffer });
    source.connect(this.#output);
    source.onended = () => this.#ended(source);
    source.start(startS);
    this.#sources.add(source);
    this.#nextSample = Math.round(startS * context.sampleRate) + ready.length;
    this.framesScheduled += 1;
    return Math.max(0, startS - context.currentTime) * 1000;
  }

  /** Fall silent at once and forget what is queued. */
  clear() {
    this.#resampler = null;
    if (this.#sources.size === 0) return;
    const now = this.#context.currentTime;
    // A short fade instead of a cut: a cut clicks.
    this.#output.gain.setTargetAtTime(0, now, FADE_S / 4);
    for (const source of this.#sources) {
      source.onended = null;
      source.stop(now + FADE_S);
    }
    this.#sources.clear();
    const faded = this.#output;
    setTimeout(() => faded.disconnect(), FADE_S * 2000);
    this.#output = this.#newOutput(this.#context);
    this.#settle();
  }

  /** Resolves when nothing is left to play. */
  async drained() {
    if (this.#sources.size === 0) return;
    // A browser that keeps the context suspended would never end a chunk.
    const limit = this.queuedMs + 2000;
    await new Promise((resolve) => {
      this.#whenEmpty.push(resolve);
      setTimeout(resolve, limit);
    });
  }

  #open() {
    const context = new AudioContext({ latencyHint: "interactive" });
    this.#analyser = new AnalyserNode(context, { fftSize: 1024 });
    this.#analyser.connect(context.destination);
    this.#loudness = loudnessOf(this.#analyser);
    this.#output = this.#newOutput(context);
    return context;
  }

  #newOutput(context) {
    const gain = new GainNode(context);
    gain.connect(this.#analyser);
    return gain;
  }

  #resample(samples, rateHz) {
    if (this.#resampler === null || this.#rateHz !== rateHz) {
      this.#resampler = new Resampler(rateHz, this.#context.sampleRate);
      this.#rateHz = rateHz;
    }
    return this.#resampler.process(samples);
  }

  #startOfNext() {
    const { currentTime, sampleRate } = this.#context;
    const planned = this.#nextSample / sampleRate;
    if (planned >= currentTime && this.#sources.size > 0) return planned;
    if (this.#sources.size > 0) this.gaps += 1;
    // Anchored anew, on a whole sample, so that the chunks that follow meet without a seam.
    return Math.ceil((currentTime + JITTER_S) * sampleRate) / sampleRate;
  }

  #ended(source) {
    this.#sources.delete(source);
    this.framesPlayed += 1;
    if (this.#sources.size === 0) this.#settle();
  }

  #settle() {
    for (const resolve of this.#whenEmpty.splice(0)) resolve();
  }
}
