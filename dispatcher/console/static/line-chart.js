// A line chart with both axes, and the values under the pointer.

import { h, svg } from "./dom.js";
import { digits } from "./format.js";
import { t } from "./i18n.js";

const HEIGHT = 150;
const MARGIN = { top: 8, right: 8, bottom: 20, left: 40 };
const LENGTH_MS = { hour: 3_600_000, day: 86_400_000, month: 30 * 86_400_000 };
const TIME_FORMATS = { hour: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, day: { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }, month: { month: "numeric", day: "numeric" } };
const X_TICKS = 4;
// What each drawn chart shows, for the pointer.
const drawn = new WeakMap();

/** A chart of {label, points} lines; points that are further apart than two steps are not joined. */
export function lineChart(lines, { title, unit, step, until, span }) {
  const width = widthOf();
  const from = until - LENGTH_MS[span];
  const top = niceTop(Math.max(0, ...lines.flatMap(({ points }) => points.map(([, value]) => value))));
  const x = (at) => MARGIN.left + ((at - from) / (until - from)) * (width - MARGIN.left - MARGIN.right);
  const y = (value) => HEIGHT - MARGIN.bottom - (value / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const chart = svg(
    "svg",
    { class: "chart", viewBox: `0 0 ${width} ${HEIGHT}`, role: "img", "aria-label": inWords(title, lines, unit) },
    yAxis(top, y, width),
    xAxis(from, until, x, span),
    lines.map(({ points }, index) => svg("path", { class: `line-${index}`, d: path(points, x, y, step * 2.5) })),
    svg("line", { class: "pointer", y1: MARGIN.top, y2: HEIGHT - MARGIN.bottom, visibility: "hidden" }),
  );
  const host = h("div", { class: "plot", "data-own": "", "data-key": `${title} ${span} ${width} ${lines.map(({ points }) => points.at(-1)).join()}` }, chart, h("output", { "aria-hidden": "true", hidden: true }));
  drawn.set(host, { lines, x, unit, span });
  return host;
}

function widthOf() {
  const body = document.querySelector("#charts .body");
  const columns = body.clientWidth > 620 ? 2 : 1;
  return Math.max(240, Math.floor((body.clientWidth - (columns - 1) * 24) / columns));
}

/** The least of 1, 2, 2.5 and 5 times a power of ten that holds the value. */
function niceTop(value) {
  if (!value) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 2.5, 5, 10].find((each) => each * power >= value) * power;
}

function yAxis(top, y, width) {
  const places = top < 2 ? 1 : 0;
  return [0, top / 2, top].map((value) =>
    svg("g", {}, svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }), svg("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, digits(value, value ? places : 0))),
  );
}

function xAxis(from, until, x, span) {
  const format = formatter(span);
  return Array.from({ length: X_TICKS }, (_, index) => from + ((index + 0.5) / X_TICKS) * (until - from)).map((at) =>
    svg("text", { x: x(at), y: HEIGHT - 4, "text-anchor": "middle" }, format.format(at)),
  );
}

function formatter(span) {
  return new Intl.DateTimeFormat(document.documentElement.lang, TIME_FORMATS[span]);
}

function path(points, x, y, gapMs) {
  return points
    .map(([at, value], index) => `${index && at - points[index - 1][0] <= gapMs ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}${points.length === 1 ? "h1" : ""}`)
    .join("");
}

function inWords(title, lines, unit) {
  const last = lines.filter(({ points }) => points.length).map(({ label, points }) => `${label} ${digits(points.at(-1)[1], 1)} ${unit}`);
  return `${title}: ${last.join(", ") || t("charts.nothing")}`;
}

/** Show the values under the pointer in every chart below an element. */
export function watchPointer(element) {
  element.addEventListener("pointermove", ({ target, clientX }) => {
    const host = target.closest?.(".plot");
    if (host) point(host, clientX);
  });
  element.addEventListener("pointerout", ({ target }) => {
    const host = target.closest?.(".plot");
    if (!host) return;
    host.querySelector(".pointer").setAttribute("visibility", "hidden");
    host.querySelector("output").hidden = true;
  });
}

function point(host, clientX) {
  const { lines, x, unit, span } = drawn.get(host) ?? { lines: [] };
  const chart = host.querySelector("svg");
  const place = ((clientX - chart.getBoundingClientRect().left) / chart.clientWidth) * chart.viewBox.baseVal.width;
  const times = lines.flatMap(({ points }) => points.map(([at]) => at));
  if (!times.length) return;
  const nearest = times.reduce((best, at) => (Math.abs(x(at) - place) < Math.abs(x(best) - place) ? at : best));
  const line = host.querySelector(".pointer");
  for (const name of ["x1", "x2"]) line.setAttribute(name, x(nearest));
  line.setAttribute("visibility", "visible");
  const values = lines.map(({ label, points }) => [label, points.find(([at]) => at === nearest)?.[1]]).filter(([, value]) => value !== undefined);
  const output = host.querySelector("output");
  output.hidden = false;
  output.textContent = `${formatter(span === "month" ? "month" : "hour").format(nearest)}  ${values.map(([label, value]) => `${label} ${digits(value, value < 10 && unit !== "ms" ? 1 : 0)} ${unit}`).join("  ")}`;
}
