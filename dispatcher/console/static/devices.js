// Devices: who is connected, when each was last heard, and what an operator set.

import { offer } from "./actions.js";
import { h } from "./dom.js";
import { ago, digits, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["devices"];

// As many as the server sends.
const SHOWN = 100;

export function render({ devices }) {
  const summary = h("p", { class: "note" }, t("devices.summary", { connected: digits(devices.connected), busy: digits(devices.busy) }));
  if (!devices.devices.length) return [summary, h("p", { class: "nothing" }, t("devices.none"))];
  const more = devices.devices.length - SHOWN;
  return [
    summary,
    h("ul", { class: "rows" }, devices.devices.slice(0, SHOWN).map(row)),
    more > 0 ? h("p", { class: "note" }, t("devices.more", { n: more })) : null,
  ];
}

/** What a connected device does, as its front last reported it. */
function doing(each) {
  if (!each.connected) return t("devices.away");
  return each.activity ? word("activity", each.activity) : t("devices.connected");
}

function row(each) {
  const heard = each.connected ? each.last_heard_ms : each.last_seen_ms;
  const facts = [each.name && each.device_id, each.persona, each.language && word("language", each.language), each.board].filter(Boolean);
  return h(
    "li",
    { "data-key": each.device_id, "data-device": each.device_id, "data-activity": each.activity || false },
    h("i", { class: "dot", "data-tone": each.blocked ? "bad" : each.connected ? "good" : "quiet" }),
    h("div", { class: "what" }, h("span", { class: "title" }, each.name || each.device_id), h("span", { class: "sub" }, facts.join(" · "))),
    h(
      "div",
      { class: "when" },
      h("span", {}, each.state ? word("device", each.state) : doing(each)),
      h("span", { class: "sub" }, [heard ? ago(heard / 1000) : "", each.gaps ? t("devices.gaps", { n: each.gaps }) : ""].filter(Boolean).join(" · ")),
    ),
    offer("device", each.device_id),
  );
}
