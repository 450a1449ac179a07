// The tuner's log: what it found, what it did about it, and what became of that.

import { offer } from "./actions.js";
import { h } from "./dom.js";
import { ago, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["tuner"];

const TONES = { tried: "warn", kept: "good", undone: "quiet", reversed: "quiet", done: "good", refused: "bad", observed: "quiet" };
const SHOWN = 8;

export function render({ tuner }) {
  if (!tuner.experiments.length) return [h("p", { class: "nothing" }, t("tuner.none"))];
  return [h("ul", { class: "rows" }, tuner.experiments.slice(0, SHOWN).map(row))];
}

function row(each) {
  return h(
    "li",
    { "data-key": String(each.number), "data-experiment": each.number },
    h("span", { class: "number" }, `#${each.number}`),
    h("div", { class: "what" }, h("span", { class: "title" }, each.action), h("span", { class: "sub" }, `${each.why} (${each.evidence})`), each.verdict ? h("span", { class: "sub" }, each.verdict) : null),
    h("div", { class: "when" }, h("span", { class: "pill", "data-tone": TONES[each.event] }, word("tuner", each.event)), h("span", { class: "sub" }, ago(each.at_s))),
    each.is_active ? offer("experiment", String(each.number)) : null,
  );
}
