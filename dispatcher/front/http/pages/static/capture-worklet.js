// On the audio thread: cuts the microphone into 60 ms frames at the rate the server hears.

import { Resampler } from "./resampler.js";

/** Takes "start" and "stop"; posts Float32Array frames, and "stopped" after the last one. */
class Capture extends AudioWorkletProcessor {
  #options;
  #resampler = null;
  #frame;
  #filled = 0;

  constructor({ processorOptions }) {
    super();
    this.#options = processorOptions;
    this.#frame = new Float32Array(processorOptions.frameSamples);
    this.port.onmessage = ({ data }) => (data === "start" ? this.#start() : this.#stop());
  }

  process([[channel]]) {
    if (this.#resampler && channel) this.#append(this.#resampler.process(channel));
    return true;
  }

  #start() {
    // `sampleRate` is the worklet's global: the rate of its audio context.
    this.#resampler = new Resampler(sampleRate, this.#options.rateHz);
    this.#filled = 0;
  }

  #stop() {
    this.#resampler = null;
    // The last frame is filled up with silence: the server knows only whole frames.
    if (this.#filled > 0) this.#post();
    this.port.postMessage("stopped");
  }

  #append(samples) {
    for (let from = 0; from < samples.length; ) {
      const part = samples.subarray(from, from + this.#frame.length - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === this.#frame.length) this.#post();
    }
  }

  #post() {
    this.port.postMessage(this.#frame, [this.#frame.buffer]);
    this.#frame = new Float32Array(this.#options.frameSamples);
    this.#filled = 0;
  }
}

registerProcessor("capture", Capture);
