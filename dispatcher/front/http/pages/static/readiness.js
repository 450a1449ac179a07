// "Readiness": how the server stands, in words and beside the conversation; asked again while it is open.

import { label, t } from "./i18n.js";

const REFRESH_MS = 2000;
const TIMEOUT_MS = 5000;
// What the server calls its parts, in the order in which a turn meets them.
const PARTS = ["front", "broker", "replies", "asr", "llm", "tts", "stages"];
// Reasons that the server always words in the same way; any other is shown as it came.
const REASONS = {
  ok: "readiness.ok",
  draining: "readiness.draining",
  "no worker": "readiness.noWorker",
  "no stream yet": "readiness.noStream",
  "no answer in 1 s": "readiness.noAnswer",
};
const NO_INSTANCE = "no instance ready: ";

export class Readiness {
  #dialog;
  #verdict;
  #list;
  #timer = 0;

  constructor(dialog, opener) {
    this.#dialog = dialog;
    this.#verdict = dialog.querySelector(".verdict");
    this.#list = dialog.querySelector("dl");
    opener.addEventListener("click", () => this.#open());
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    dialog.addEventListener("close", () => clearTimeout(this.#timer));
  }

  #open() {
    this.#dialog.showModal();
    this.#refresh();
  }

  async #refresh() {
    const found = await ask();
    if (!this.#dialog.open) return;
    this.#show(found);
    this.#timer = setTimeout(() => this.#refresh(), REFRESH_MS);
  }

  #show(found) {
    const parts = { ...found?.checks, ...found?.stages };
    const known = PARTS.filter((name) => name in parts);
    const isReady = found?.status === "ready" && known.every((name) => parts[name] === "ok");
    const verdict = found === null ? "away" : isReady ? "ready" : "notReady";
    this.#verdict.dataset.verdict = verdict;
    say(this.#verdict.querySelector("strong"), `readiness.${verdict}`);
    const rows = known.map((name) => row(`readiness.part.${name}`, parts[name]));
    if (found) rows.push(row("readiness.devices", String(found.devices)));
    this.#list.replaceChildren(...rows);
  }
}

/** The server's own word on it; null where none comes. */
async function ask() {
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    // Its text says what is not ready: a 503 is an answer like any other.
    const response = await fetch("/readyz?stages=now", { cache: "no-store", signal });
    const found = await response.json();
    return typeof found?.checks === "object" ? found : null;
  } catch {
    return null;
  }
}

function row(key, state) {
  const element = document.createElement("div");
  const value = document.createElement("dd");
  if (Object.hasOwn(REASONS, state)) label(value, REASONS[state]);
  else if (state.startsWith(NO_INSTANCE)) label(value, "readiness.noInstance", { reasons: state.slice(NO_INSTANCE.length) });
  else value.textContent = state;
  value.classList.toggle("bad", key.startsWith("readiness.part.") && state !== "ok");
  element.append(label(document.createElement("dt"), key), value);
  return element;
}

/** Change a text only where it is another one: it is read out whenever it changes. */
function say(element, key) {
  if (element.textContent !== t(key)) label(element, key);
}
