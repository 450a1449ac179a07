// Alerts of this moment first, then the last that began or ended.

import { h } from "./dom.js";
import { ago, measured, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["status"];
export const USES = ["alerts"];

const SHOWN = 6;

export function render({ status, alerts }) {
  const active = (status.kpis?.standings ?? []).filter(({ alert }) => alert.phase === "firing" || alert.phase === "pending");
  const isNow = (each) => each.phase === "firing" && active.some(({ kpi }) => kpi.name === each.name);
  const past = (alerts?.changes ?? []).filter((each) => !isNow(each)).slice(0, SHOWN);
  const calm = active.length ? null : h("p", { class: "calm" }, h("i", { class: "dot", "data-tone": "good" }), t("alerts.none"));
  return [calm, h("ul", { class: "rows" }, active.map(now), past.map(change))];
}

function now({ kpi, alert }) {
  const value = measured(kpi.value, kpi.unit).filter(Boolean).join(" ");
  const bound = measured(kpi.alert, kpi.unit).filter(Boolean).join(" ");
  return row(`now ${kpi.name}`, alert.phase === "firing" ? "bad" : "warn", word("kpi", kpi.name), [t("alerts.above", { value, bound }), kpi.detail].filter(Boolean).join(" · "), word("kpi.state", alert.phase), alert.since_s);
}

function change(each) {
  return row(`${each.entry_ms}-${each.entry_seq}`, each.phase === "firing" ? "warn" : "quiet", word("kpi", each.name), each.detail, word("alert", each.phase), each.entry_ms / 1000);
}

function row(key, tone, title, detail, state, atS) {
  return h(
    "li",
    { "data-key": key },
    h("i", { class: "dot", "data-tone": tone }),
    h("div", { class: "what" }, h("span", { class: "title" }, title), h("span", { class: "sub" }, detail)),
    h("div", { class: "when" }, h("span", {}, state), h("span", { class: "sub" }, ago(atS))),
  );
}
