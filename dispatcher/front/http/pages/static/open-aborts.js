// Aborts that the server has not confirmed yet.

// A server that never confirms must not leave the page deaf.
const ABORT_TIMEOUT_MS = 2_000;

/** Until the server confirms with `tts stop`, all that comes belongs to the turn that was ended. */
export class OpenAborts {
  #open = 0;
  #timer = 0;

  get any() {
    return this.#open > 0;
  }

  add() {
    this.#open += 1;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.clear(), ABORT_TIMEOUT_MS);
  }

  clear() {
    this.#open = 0;
  }

  /** Whether a message is of a turn that was ended. */
  take({ type, state }) {
    if (!this.any) return false;
    if (type === "tts" && state === "stop") this.#open -= 1;
    return true;
  }
}
