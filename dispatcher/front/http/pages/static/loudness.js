// How loud a sound is right now, as the meter shows it.

const QUIETEST_DB = -55;
const LOUDEST_DB = -12;

/** A meter on an AnalyserNode: a function that returns 0 (silence) .. 1 (loud speech). */
export function loudnessOf(analyser) {
  const samples = new Float32Array(analyser.fftSize);
  return () => {
    analyser.getFloatTimeDomainData(samples);
    const power = samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length;
    const db = 10 * Math.log10(power + 1e-12);
    return Math.min(1, Math.max(0, (db - QUIETEST_DB) / (LOUDEST_DB - QUIETEST_DB)));
  };
}
