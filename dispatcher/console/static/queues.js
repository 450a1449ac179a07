// Queues: what waits, for how long, and who takes it.

import { offer } from "./actions.js";
import { h } from "./dom.js";
import { digits, megabytes, ms, NONE, span, wait, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["queues"];

const COLUMNS = ["queue", "depth", "oldest", "wait", "slotWait", "workers"];

export function render({ queues }) {
  const limit = queues.redis_memory.limit_bytes;
  const memory = megabytes(queues.redis_memory.used_bytes) + (limit ? ` / ${megabytes(limit)}` : "");
  const { step, line_s, turned_away, pin } = queues.overload;
  const told = t("queues.overload", { step, means: t(`overload.${step}`), line: span(line_s), n: digits(turned_away) });
  const pinned = pin ? ` · ${t("queues.pinned", { step: pin.step, by: pin.by })}` : "";
  return [
    h("p", { class: "note overload", "data-overload": step, "data-pinned": pin ? pin.step : false }, h("span", {}, told, pinned), offer("overload", "overload")),
    h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": t("queues.title") }, table(queues.queues)),
    h("p", { class: "note" }, t("queues.redis", { memory }), queues.records_backlog > 1000 ? ` · ${t("queues.backlog", { n: digits(queues.records_backlog) })}` : ""),
  ];
}

function table(rows) {
  return h(
    "table",
    { class: "plain" },
    h("thead", {}, h("tr", {}, COLUMNS.map((name) => h("th", { scope: "col" }, t(`queues.${name}`))))),
    h("tbody", {}, rows.map(row)),
  );
}

function row(each) {
  const workers = each.is_consumed ? digits(each.workers) : h("span", { class: "pill", "data-tone": "bad", title: t("queues.notConsumed") }, `${digits(each.workers)} !`);
  const pool = each.pool ? h("small", { title: t("queues.pool", { n: each.pool }) }, ` × ${digits(each.pool / (each.workers || 1))}`) : null;
  return h(
    "tr",
    { "data-key": each.queue, "data-queue": each.queue },
    h("th", { scope: "row" }, word("queue", each.queue)),
    h("td", { class: each.depth ? "warn" : "" }, digits(each.depth)),
    h("td", {}, each.depth && each.oldest_age_s !== null ? span(each.oldest_age_s) : NONE),
    h("td", { title: t("queues.lastWait", { ms: ms(each.queue_wait_ms) }) }, wait(each.queue_wait_p95_ms)),
    h("td", {}, wait(each.slot_wait_p95_ms)),
    h("td", {}, workers, pool),
  );
}
