// Sample rate conversion of a stream of chunks, without a seam between them.

const ZERO_CROSSINGS = 16;
const STEPS_PER_CROSSING = 256;
// Below the theoretical limit by the width of the filter's slope, so that little folds back.
const PASSBAND = 0.92;

/** Half of a Hann-windowed sinc, from its centre to its last zero crossing. */
const KERNEL = Float32Array.from({ length: ZERO_CROSSINGS * STEPS_PER_CROSSING + 2 }, (_, step) => {
  const x = step / STEPS_PER_CROSSING;
  if (x >= ZERO_CROSSINGS) return 0;
  const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
  return sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / ZERO_CROSSINGS));
});

/** Runs in the page (play-out) and in the audio worklet (microphone). */
export class Resampler {
  #step;
  #cutoff;
  #reach;
  #held;
  #position;

  constructor(fromHz, toHz) {
    this.#step = fromHz / toHz;
    this.#cutoff = Math.min(1, toHz / fromHz) * PASSBAND;
    this.#reach = Math.ceil(ZERO_CROSSINGS / this.#cutoff);
    // Silence before the first sample, so that the filter has a left side from the beginning.
    this.#held = new Float32Array(this.#reach);
    this.#position = this.#reach;
  }

  /** The converted samples that this chunk completes; a filter's reach (about 1 ms) stays behind. */
  process(chunk) {
    if (this.#step === 1) return chunk;
    const input = new Float32Array(this.#held.length + chunk.length);
    input.set(this.#held);
    input.set(chunk, this.#held.length);
    const end = input.length - this.#reach;
    const output = new Float32Array(Math.max(0, Math.ceil((end - this.#position) / this.#step)));
    for (let index = 0; index < output.length; index += 1) {
      output[index] = this.#sampleAt(input, this.#position + index * this.#step);
    }
    const next = this.#position + output.length * this.#step;
    const from = Math.max(0, Math.floor(next) - this.#reach);
    this.#held = input.slice(from);
    this.#position = next - from;
    return output;
  }

  #sampleAt(input, position) {
    const first = Math.max(0, Math.ceil(position - this.#reach));
    const last = Math.min(input.length - 1, Math.floor(position + this.#reach));
    let sum = 0;
    for (let index = first; index <= last; index += 1) {
      const exact = Math.abs(position - index) * this.#cutoff * STEPS_PER_CROSSING;
      const step = Math.floor(exact);
      if (step >= ZERO_CROSSINGS * STEPS_PER_CROSSING) continue;
      const weight = KERNEL[step] + (KERNEL[step + 1] - KERNEL[step]) * (exact - step);
      sum += input[index] * weight;
    }
    return sum * this.#cutoff;
  }
}
