// Instances of each service: state, weight, calls under way, speed, errors, and what last went wrong.

import { offer } from "./actions.js";
import { h } from "./dom.js";
import { digits, ms, NONE, percent, span, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["status"];

const TONES = {
  ready: "good",
  slow: "warn",
  "slow start": "warn",
  "half-open": "warn",
  ejected: "bad",
  down: "bad",
  failing: "bad",
  "not configured": "quiet",
  draining: "quiet",
  leaving: "quiet",
};
const COLUMNS = ["name", "state", "weight", "inFlight", "latency", "errors", "cached"];

export function render({ status }) {
  const services = status.services.filter((each) => each.instances.length);
  if (!services.length) return [h("p", { class: "nothing" }, t("instances.none"))];
  return [
    h(
      "table",
      { class: "instances" },
      h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col", class: name }, t(`instances.${name}`))))),
      services.map(group),
    ),
    phrases(status.phrase_cache),
  ];
}

/** What of the replies no TTS had to speak; nothing before the first look-up. */
function phrases(cache) {
  const looked = cache ? cache.hits + cache.misses : 0;
  return looked ? h("p", { class: "note" }, t("instances.phrases", { share: percent(cache.hits / looked), n: digits(looked) })) : null;
}

function group(service) {
  const waiting = service.waiting ? h("span", { class: "pill", "data-tone": "warn" }, t("instances.waiting", { n: service.waiting })) : null;
  const head = h(
    "tr",
    { class: "service" },
    h("th", { colspan: COLUMNS.length, scope: "rowgroup" }, h("b", {}, service.service.toUpperCase()), " ", h("span", {}, word("algorithm", service.algorithm)), waiting),
  );
  return h("tbody", { "data-key": service.service }, head, service.instances.map(row));
}

function row(each) {
  return h(
    "tr",
    { class: "instance", "data-key": each.name, "data-instance": each.name, "data-state": each.state },
    h("th", { class: "name", scope: "row" }, h("span", { class: "title" }, each.name), offer("instance", each.name), h("span", { class: "sub" }, reasonOf(each) || each.endpoint)),
    cell("state", h("span", { class: "pill", "data-tone": TONES[each.state] }, word("state", each.state)), backIn(each)),
    cell("weight", h("span", {}, weightOf(each)), held(each.weight_held), each.priority === "normal" ? null : h("span", { class: "sub" }, word("priority", each.priority))),
    cell("inFlight", meter(each), held(each.cap_held)),
    cell("latency", h("span", {}, ms(each.latency_ewma_ms)), h("span", { class: "sub" }, `p95 ${ms(each.latency_p95_ms)}`)),
    cell("errors", h("span", { class: each.error_ratio > 0.05 ? "bad" : "" }, percent(each.error_ratio, each.error_ratio && each.error_ratio < 0.1 ? 1 : 0)), h("span", { class: "sub" }, t("instances.calls", { n: digits(each.calls) }))),
    cell("cached", h("span", {}, each.service === "llm" ? percent(each.cached_ratio) : NONE)),
  );
}

function cell(name, ...content) {
  return h("td", { class: name, "data-label": t(`instances.${name}`) }, ...content);
}

function backIn(each) {
  return each.back_in_s === null ? null : h("span", { class: "sub" }, t("instances.backIn", { span: span(each.back_in_s) }));
}

/** What last went wrong, as long as it matters. */
function reasonOf(each) {
  const isFresh = each.failed_s_ago !== null && each.failed_s_ago < 60;
  return each.last_reason && (each.state !== "ready" || isFresh) ? each.last_reason : "";
}

/** Who holds a weight or a cap over what is configured and learned, and for how long. */
function held(by) {
  if (!by) return null;
  return h("span", { class: "sub held" }, by.left_s === null ? t("instances.held", { who: by.by }) : t("instances.heldFor", { who: by.by, span: span(by.left_s) }));
}

function weightOf(each) {
  const [configured, effective] = [each.weight, each.effective_weight].map((value) => String(Math.round(value * 100) / 100));
  return configured === effective ? configured : `${configured} → ${effective}`;
}

function meter(each) {
  const share = Math.min(1, each.cap ? each.in_flight / each.cap : 0);
  return [
    h("span", { class: "count" }, h("b", {}, digits(each.in_flight)), ` / ${digits(each.cap)}`),
    h("span", { class: "bar", "aria-hidden": "true" }, h("i", { class: share >= 1 ? "full" : "", style: { "--share": share } })),
  ];
}
