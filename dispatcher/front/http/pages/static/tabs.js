// One tab at a time. The ids belong to the browser, and a server keeps one socket per device:
// two tabs that both come back after being replaced would throw each other out for ever.

export class TabGuard {
  #channel = window.BroadcastChannel ? new BroadcastChannel("talk") : null;

  /** `onTaken()` is called when another tab claims the connection. */
  constructor(onTaken) {
    if (this.#channel) this.#channel.onmessage = ({ data }) => data === "claim" && onTaken();
  }

  claim() {
    this.#channel?.postMessage("claim");
  }
}
