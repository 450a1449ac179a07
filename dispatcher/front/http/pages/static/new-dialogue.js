// A dialogue begun anew: what was said is forgotten here when the server says that it has forgotten it.

import { newDialogue } from "./protocol.js";

// Longer than the server waits for a store that restarts.
const TIMEOUT_MS = 5_000;

export class NewDialogue {
  #send;
  #tell;
  #timer = 0;
  #upTo = 0;

  /** `tell(event, detail)`: `forgotten` with the number of the last turn that is, or a `notice`. */
  constructor({ send, tell }) {
    this.#send = send;
    this.#tell = tell;
  }

  /** Ask for it; `upTo` is the number of the last turn. */
  begin(upTo) {
    this.#upTo = upTo;
    this.#send(newDialogue());
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#tell("notice", { key: "notice.notForgotten" }), TIMEOUT_MS);
  }

  confirm() {
    clearTimeout(this.#timer);
    this.#tell("notice", null);
    this.#tell("forgotten", this.#upTo);
  }
}
