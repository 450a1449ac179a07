// The strip of KPIs: value, target, state, since when, and the last hour.

import { h } from "./dom.js";
import { measured, nowS, span, word } from "./format.js";
import { t } from "./i18n.js";
import { sparkline } from "./sparkline.js";

export const NEEDS = ["status"];
export const USES = ["hour"];

export function render({ status, hour }) {
  if (!status.kpis) return [h("li", { class: "nothing" }, t("kpis.none"))];
  return status.kpis.standings.map(({ kpi, alert }) => tile(kpi, alert, hour?.kpis?.[kpi.name] ?? []));
}

function tile(kpi, alert, points) {
  const state = stateOf(kpi, alert);
  const [value, unit] = measured(kpi.value, kpi.unit);
  const target = measured(kpi.target, kpi.unit).filter(Boolean).join(" ");
  const since = alert.since_s ? t("kpis.since", { span: span(nowS() - alert.since_s) }) : "";
  return h(
    "li",
    { class: "kpi", "data-key": kpi.name, "data-kpi": kpi.name, "data-tone": TONES[state], title: kpi.detail },
    h("div", { class: "head" }, h("h3", {}, word("kpi", kpi.name)), h("span", { class: "pill" }, word("kpi.state", state))),
    h("div", { class: "value" }, h("strong", {}, value), unit && h("span", { class: "unit" }, unit), sparkline(points, kpi.target)),
    h("p", { class: "foot" }, h("span", {}, t("kpis.target", { target })), h("span", {}, since)),
  );
}

const TONES = {
  ok: "good",
  "off target": "warn",
  pending: "warn",
  firing: "bad",
  resolved: "good",
  unknown: "quiet",
  "few turns": "quiet",
};

/** The phase of the alert, or why nothing can be said; "off target" is short of an alert. */
export function stateOf(kpi, alert) {
  if (alert.phase !== "ok") return alert.phase;
  if (kpi.value === null) return "unknown";
  if (!kpi.judged) return "few turns";
  return kpi.value > kpi.target ? "off target" : "ok";
}
