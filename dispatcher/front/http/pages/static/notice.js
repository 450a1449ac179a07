// The one line of message above the controls.

import { label } from "./i18n.js";

export class Notice {
  #bar;
  #text;
  #action;
  #onAction = null;

  constructor(bar) {
    this.#bar = bar;
    this.#text = bar.querySelector("p");
    this.#action = bar.querySelector(".action");
    this.#action.addEventListener("click", () => this.#onAction?.());
    bar.querySelector(".close").addEventListener("click", () => this.clear());
  }

  /** Show a text of ours (`key`) or of the server (`text`), with a button if there is an `action` {key, run}. */
  show({ key, text, values, action }) {
    if (key) {
      label(this.#text, key, values);
    } else {
      delete this.#text.dataset.text;
      this.#text.textContent = text;
    }
    this.#action.hidden = !action;
    if (action) label(this.#action, action.key);
    this.#onAction = action?.run ?? null;
    this.#bar.hidden = false;
  }

  clear() {
    this.#bar.hidden = true;
  }
}
