// Usage: tokens, characters, seconds and cost of a day, a week or a month, by device, persona, instance or day.

import { h } from "./dom.js";
import { digits, NONE } from "./format.js";
import { t } from "./i18n.js";
import { lineChart } from "./line-chart.js";

export const NEEDS = [];
export const USES = ["usage", "budgets", "resized"];

const SPANS = ["day", "week", "month"];
const GROUPINGS = ["instance", "device", "persona", "day"];
const COLUMNS = ["calls", "prompt_tokens", "cached_tokens", "completion_tokens", "characters", "seconds", "cost"];
const REFRESH_MS = 60_000;
const DAY_MS = 86_400_000;
const SHOWN = 12;
const PLACES = 2;
let span = "week";
let by = "instance";

export function start(element, update) {
  const load = async () => {
    try {
      const response = await fetch(`usage/${span}?by=${by}`, { cache: "no-store" });
      update("usage", response.ok ? await response.json() : { trouble: await response.text() });
    } catch {
      // The feed says that the console is unreachable; the last picture stays.
    }
  };
  element.addEventListener("click", ({ target }) => {
    const chosen = target.closest("[data-usage-span], [data-usage-by]")?.dataset;
    if (!chosen) return;
    span = chosen.usageSpan ?? span;
    by = chosen.usageBy ?? by;
    load();
  });
  setInterval(load, REFRESH_MS);
  load();
}

export function render({ usage, budgets: known }) {
  const bar = h("div", { class: "usage-bar" }, tabs("span", SPANS, span), tabs("by", GROUPINGS, by), h("a", { class: "quiet", href: `usage/${span}/csv?by=${by}`, download: "usage.csv" }, t("usage.csv")));
  const budgets = spent(known?.budgets ?? []);
  if (!usage || usage.trouble) return [bar, budgets, h("p", { class: "nothing" }, usage?.trouble || t("charts.loading"))];
  if (!usage.rows.length) return [bar, budgets, h("p", { class: "nothing" }, t("usage.none"))];
  return [bar, budgets, plot(usage), table(usage)];
}

/** What is spent of each budget, and what that does. */
function spent(budgets) {
  return budgets.length ? h("ul", { class: "budgets", "data-key": "budgets" }, budgets.map(budget)) : null;
}

function short(amount) {
  return digits(amount, Number.isInteger(amount) ? 0 : PLACES);
}

function budget(each) {
  const told = t("usage.budget", { name: each.name, spent: short(each.spent), limit: short(each.limit), unit: each.unit, per: t(`usage.per.${each.per}`) });
  const share = Math.min(1, each.limit ? each.spent / each.limit : 1);
  return h(
    "li",
    { "data-key": each.name, "data-budget": each.name, "data-state": each.state },
    h("span", {}, told),
    each.state === "ok" ? null : h("span", { class: "pill", "data-tone": each.state === "spent" ? "bad" : "warn" }, t(`budget.${each.state}`)),
    h("span", { class: "bar", "aria-hidden": "true" }, h("i", { class: each.state === "spent" ? "full" : "", style: { "--share": share } })),
  );
}

function tabs(kind, names, chosen) {
  return h(
    "div",
    { class: "tabs", role: "group", "aria-label": t(`usage.${kind}`) },
    names.map((name) => h("button", { type: "button", [`data-usage-${kind}`]: name, "aria-pressed": String(name === chosen) }, t(`usage.${kind}.${name}`))),
  );
}

function table({ rows, by: grouped, currency }) {
  const columns = COLUMNS.filter((name) => name === "calls" || rows.some((row) => row[name]));
  const heading = (name) => (name === "cost" ? currency : t(`usage.${name}`));
  const counted = rows.some((row) => row.counted_calls);
  return h(
    "div",
    { class: "scroll", tabindex: "0", role: "region", "aria-label": t("usage.title") },
    h(
      "table",
      { class: "plain" },
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t(`usage.by.${grouped}`)), columns.map((name) => h("th", { scope: "col" }, heading(name))))),
      h("tbody", {}, rows.slice(0, SHOWN).map((row) => h("tr", { "data-key": row.name }, h("th", { scope: "row" }, row.name || NONE), columns.map((name) => h("td", {}, amount(row, name)))))),
    ),
    counted && h("p", { class: "note" }, t("usage.counted")),
  );
}

function amount(row, name) {
  const mark = name === "calls" && row.counted_calls ? " *" : "";
  return digits(row[name], name === "cost" ? 3 : 0) + mark;
}

/** The cost of each day; where nothing has a price, the tokens. */
function plot({ days, currency }) {
  const name = days.some(({ cost }) => cost) ? "cost" : "tokens";
  const points = days.map((day) => [Date.parse(day.name), name === "cost" ? day.cost : day.prompt_tokens + day.completion_tokens]);
  if (points.length < 2) return null;
  const title = name === "cost" ? `${t("usage.perDay")} (${currency})` : t("usage.tokensPerDay");
  return h("figure", { "data-key": name }, h("figcaption", {}, title), lineChart([{ label: title, points }], { title, unit: "", step: DAY_MS, until: points.at(-1)[0] + DAY_MS, span: "month" }));
}
