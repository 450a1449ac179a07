// The feed: server-sent events, what cannot be seen at the moment, and since when.

import { show, h } from "./dom.js";
import { clock, setClock } from "./format.js";
import { label, t } from "./i18n.js";

// The server sends something each second.
const SILENCE_MS = 6000;
const PARTS = ["redis", "sql"];

let silence = 0;
let silentSinceMs = 0;

/**
 * Call `update(part, content)` with each message, for ever; the browser connects again by itself.
 * `onChange` is called when a connection opens or is refused: another console may not know the session.
 */
export function follow(parts, update, onChange) {
  const source = new EventSource("live");
  source.addEventListener("open", onChange);
  for (const part of parts) source.addEventListener(part, ({ data }) => update(part, JSON.parse(data)));
  source.addEventListener("health", ({ data }) => {
    const health = JSON.parse(data);
    setClock(health.at_s);
    hear(health);
    update("health", health);
  });
  source.addEventListener("error", () => {
    lose();
    if (source.readyState !== EventSource.CLOSED) return;
    onChange();
    // Refused for good: another try may find a server that is back, or somebody who signed in.
    setTimeout(() => follow(parts, update, onChange), 3000);
  });
}

function hear(health) {
  clearTimeout(silence);
  silence = setTimeout(lose, SILENCE_MS);
  silentSinceMs = 0;
  const troubles = PARTS.filter((part) => health[part]);
  setState(health.redis ? "stale" : "live");
  tell(troubles.map((part) => t(`outage.${part}`, { since: clock(health[part].since_s * 1000), reason: health[part].reason })));
}

function lose() {
  silentSinceMs ||= Date.now();
  setState("lost");
  tell([t("outage.console", { since: clock(silentSinceMs) })]);
}

function setState(state) {
  document.body.dataset.feed = state;
  const shown = document.querySelector("#feed-state");
  if (shown.dataset.text !== `feed.${state}` || shown.textContent !== t(`feed.${state}`)) label(shown, `feed.${state}`);
}

function tell(lines) {
  const bar = document.querySelector("#outage");
  bar.hidden = lines.length === 0;
  show(bar, ...lines.map((line) => h("p", {}, line)));
}
