// Sound to and from what travels: Opus by WebCodecs, or raw PCM where the browser has no Opus.

import { FRAME_MS, UPLINK_RATE_HZ } from "./protocol.js";

const FRAME_US = FRAME_MS * 1000;
// A decoder that is this far behind will not catch up in time to be heard.
const MOST_UNDECODED = 200;
const ENCODER = {
  codec: "opus",
  sampleRate: UPLINK_RATE_HZ,
  numberOfChannels: 1,
  bitrate: 28_000,
  opus: { frameDuration: FRAME_US, application: "voip", signal: "voice" },
};
const decoderConfig = (rateHz) => ({ codec: "opus", sampleRate: rateHz, numberOfChannels: 1 });

/** "opus" when this browser can do both directions, else "pcm" (also on plain http, where WebCodecs is hidden). */
export async function pickFormat() {
  if (!window.AudioEncoder || !window.AudioDecoder) return "pcm";
  try {
    const [encoder, decoder] = await Promise.all([
      AudioEncoder.isConfigSupported(ENCODER),
      AudioDecoder.isConfigSupported(decoderConfig(24000)),
    ]);
    return encoder.supported && decoder.supported ? "opus" : "pcm";
  } catch {
    return "pcm";
  }
}

/** An encoder for one utterance: `encode(samples)` per 60 ms frame, then `await finish()`. */
export function makeEncoder(format, onPacket) {
  return format === "opus" ? new OpusEncoder(onPacket) : new PcmEncoder(onPacket);
}

/** A decoder for answers: `decode(bytes)`, `flush()` until all is out, `reset()` to drop what waits. */
export function makeDecoder(format, rateHz, onSamples) {
  return format === "opus" ? new OpusDecoder(rateHz, onSamples) : new PcmDecoder(rateHz, onSamples);
}

class OpusEncoder {
  #encoder;
  #frames = 0;

  constructor(onPacket) {
    this.#encoder = new AudioEncoder({
      output: (chunk) => {
        const bytes = new Uint8Array(chunk.byteLength);
        chunk.copyTo(bytes);
        onPacket(bytes);
      },
      // The browser closes the encoder by itself then; the utterance goes on as far as it came.
      error: () => {},
    });
    this.#encoder.configure(ENCODER);
  }

  encode(samples) {
    if (this.#encoder.state !== "configured") return;
    const data = new AudioData({
      format: "f32",
      sampleRate: UPLINK_RATE_HZ,
      numberOfChannels: 1,
      numberOfFrames: samples.length,
      timestamp: this.#frames * FRAME_US,
      data: samples,
    });
    this.#frames += 1;
    this.#encoder.encode(data);
    data.close();
  }

  async finish() {
    if (this.#encoder.state !== "configured") return;
    await this.#encoder.flush().catch(() => {});
    if (this.#encoder.state !== "closed") this.#encoder.close();
  }
}

class OpusDecoder {
  #rateHz;
  #onSamples;
  #decoder = null;
  #packets = 0;

  constructor(rateHz, onSamples) {
    this.#rateHz = rateHz;
    this.#onSamples = onSamples;
  }

  decode(bytes) {
    // A packet that does not decode closes the decoder: the next one gets a new one, the answer goes on.
    if (this.#decoder?.state !== "configured") this.#open();
    if (this.#decoder.decodeQueueSize > MOST_UNDECODED) return;
    const timestamp = this.#packets * FRAME_US;
    this.#packets += 1;
    this.#decoder.decode(new EncodedAudioChunk({ type: "key", timestamp, data: bytes }));
  }

  async flush() {
    if (this.#decoder?.state === "configured") await this.#decoder.flush().catch(() => {});
  }

  reset() {
    if (this.#decoder?.state === "configured") this.#decoder.close();
  }

  #open() {
    this.#decoder = new AudioDecoder({
      output: (data) => {
        const samples = new Float32Array(data.numberOfFrames);
        data.copyTo(samples, { planeIndex: 0, format: "f32-planar" });
        // Not the rate asked for: Chromium decodes Opus at 48 kHz, whatever the config says.
        this.#onSamples(samples, data.sampleRate);
        data.close();
      },
      error: () => {},
    });
    this.#decoder.configure(decoderConfig(this.#rateHz));
  }
}

class PcmEncoder {
  #onPacket;

  constructor(onPacket) {
    this.#onPacket = onPacket;
  }

  encode(samples) {
    const view = new DataView(new ArrayBuffer(samples.length * 2));
    samples.forEach((sample, index) => {
      view.setInt16(index * 2, Math.round(Math.max(-1, Math.min(1, sample)) * 32767), true);
    });
    this.#onPacket(new Uint8Array(view.buffer));
  }

  async finish() {}
}

class PcmDecoder {
  #rateHz;
  #onSamples;

  constructor(rateHz, onSamples) {
    this.#rateHz = rateHz;
    this.#onSamples = onSamples;
  }

  decode(bytes) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const samples = new Float32Array(Math.floor(bytes.byteLength / 2));
    for (let index = 0; index < samples.length; index += 1) {
      samples[index] = view.getInt16(index * 2, true) / 32768;
    }
    if (samples.length > 0) this.#onSamples(samples, this.#rateHz);
  }

  async flush() {}

  reset() {}
}
