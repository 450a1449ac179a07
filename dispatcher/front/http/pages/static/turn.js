// One exchange: what was said, what is answered, and the times of it.

export const MARKS = ["silence", "transcript", "firstSentence", "firstAudio", "complete"];

let turnsMade = 0;

export class Turn {
  /** Times are ms after this: the moment the user had finished. */
  #spokenAt = performance.now();
  #marks = {};

  /**
   * `kind`: "voice" | "text" | "server" (the server speaks unasked). Where the server found the end of speech
   * it says how long ago that was, and after which silence.
   */
  constructor(kind, { speech_ended_ms_ago: ago = 0, silence_ms: silence } = {}) {
    this.#spokenAt -= Number(ago) || 0;
    if (silence > 0) this.#marks.silence = Math.round(silence);
    turnsMade += 1;
    this.number = turnsMade;
    this.kind = kind;
    /** The server has sent its `tts stop`, or was told to. */
    this.closed = false;
  }

  /** Note that something has happened, `inMs` from now; only the first time counts. */
  mark(name, inMs = 0) {
    this.#marks[name] ??= Math.round(performance.now() + inMs - this.#spokenAt);
  }

  has(name) {
    return name in this.#marks;
  }

  /** A copy of the times so far, in ms. */
  get times() {
    return { ...this.#marks };
  }
}
