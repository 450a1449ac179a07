// Events of the fleet: ejections with the time until calls went elsewhere, returns, reloads, restarts.

import { h } from "./dom.js";
import { ago, ms, span, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["events"];

const SHOWN = 12;
const BAD = ["ejected", "down", "failing"];

export function render({ events }) {
  if (!events.events.length) return [h("p", { class: "nothing" }, t("events.none"))];
  return [h("ul", { class: "rows" }, events.events.slice(0, SHOWN).map(row))];
}

function row(each) {
  const failover = typeof each.failover_s === "number" ? t("events.failover", { time: ms(each.failover_s * 1000) }) : "";
  const lasted = typeof each.lasted_s === "number" ? t("events.lasted", { span: span(each.lasted_s) }) : "";
  return h(
    "li",
    {},
    h("i", { class: "dot", "data-tone": BAD.includes(each.kind) ? "bad" : each.kind === "back" ? "good" : "quiet" }),
    h("div", { class: "what" }, h("span", { class: "title" }, each.subject), h("span", { class: "sub" }, [each.reason, failover, lasted].filter(Boolean).join(" · "))),
    h("div", { class: "when" }, h("span", {}, word("event", each.kind)), h("span", { class: "sub" }, ago(each.at_s))),
  );
}
