// Charts from the records over an hour, a day or a month; the hour also feeds the curves of the strip.

import { h } from "./dom.js";
import { word } from "./format.js";
import { t } from "./i18n.js";
import { lineChart, watchPointer } from "./line-chart.js";

export const NEEDS = [];
export const USES = ["hour", "day", "month", "spanChosen", "resized"];

const SPANS = ["hour", "day", "month"];
const REFRESH_MS = { hour: 30_000, day: 300_000, month: 900_000 };
const CHARTS = [
  { name: "firstAudio", unit: "ms", factor: 1000, series: ["first_audio_p50", "first_audio_p95"] },
  { name: "errors", unit: "%", factor: 100, series: ["errors"] },
  { name: "devices", unit: "", factor: 1, series: ["devices"] },
  { name: "host", unit: "%", factor: 100, series: ["cpu", "memory"] },
];
let chosen = "hour";
let trouble = "";

export function start(element, update) {
  const load = async (span) => {
    try {
      const response = await fetch(`history/${span}`, { cache: "no-store" });
      const found = response.ok ? await response.json() : { trouble: await response.text() };
      trouble = found.trouble ?? "";
      update(...(trouble ? ["spanChosen", chosen] : [span, found]));
    } catch {
      // The feed says that the console is unreachable; the last picture stays.
    }
  };
  element.addEventListener("click", ({ target }) => {
    const span = target.closest("[data-span]")?.dataset.span;
    if (!span) return;
    chosen = span;
    update("spanChosen", span);
    load(span);
  });
  watchPointer(element);
  let resizing = 0;
  addEventListener("resize", () => {
    clearTimeout(resizing);
    resizing = setTimeout(() => update("resized", window.innerWidth), 150);
  });
  for (const span of SPANS) setInterval(() => (span === "hour" || span === chosen) && load(span), REFRESH_MS[span]);
  update("spanChosen", chosen);
  load("hour");
}

export function render(known) {
  const tabs = h(
    "div",
    { class: "tabs", role: "group", "aria-label": t("charts.title") },
    SPANS.map((span) => h("button", { type: "button", "data-span": span, "aria-pressed": String(span === chosen) }, t(`charts.${span}`))),
  );
  const history = known[chosen];
  if (!history) return [tabs, h("p", { class: "nothing" }, trouble || t("charts.loading"))];
  return [tabs, h("div", { class: "charts" }, CHARTS.map((chart) => figure(chart, history)))];
}

function figure({ name, unit, factor, series }, history) {
  const lines = series.map((each) => ({ label: word("kpi", each), points: (history.kpis[each] ?? []).map(([at, value]) => [at, value * factor]) }));
  const legend = lines.length > 1 && h("span", { class: "legend" }, lines.map(({ label }, index) => h("span", { class: `line-${index}` }, label)));
  const title = unit ? `${t(`charts.${name}`)} (${unit})` : t(`charts.${name}`);
  return h("figure", { "data-key": name }, h("figcaption", {}, h("span", {}, title), legend), lineChart(lines, { title, unit, step: history.step_ms, until: history.now_ms, span: chosen }));
}
