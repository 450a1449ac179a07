// Figures as people read them: with units, in few digits, and a dash where nothing is known.

import { t } from "./i18n.js";
import { STRINGS } from "./strings.js";

export const NONE = "–";
// Beyond this a time in seconds is read more easily than one in ms.
const LONG_S = 10;

let ahead = 0;

/** Keep in step with the server's clock, which all times are told by. */
export function setClock(serverS) {
  ahead = serverS - Date.now() / 1000;
}

export function nowS() {
  return Date.now() / 1000 + ahead;
}

/** A known word in the page's language, or as the server wrote it. */
export function word(prefix, value) {
  const key = `${prefix}.${value}`;
  return key in STRINGS.en ? t(key) : String(value);
}

export function digits(value, places = 0) {
  const language = document.documentElement.lang;
  return new Intl.NumberFormat(language, { minimumFractionDigits: places, maximumFractionDigits: places }).format(value);
}

/** A value of a KPI, as [number, unit]. */
export function measured(value, unit) {
  if (value === null || value === undefined) return [NONE, ""];
  if (unit === "ratio") return [digits(value * 100, value < 0.1 ? 1 : 0), "%"];
  if (unit === "count") return [digits(value), ""];
  return value < LONG_S ? [digits(value * 1000), "ms"] : [digits(value), "s"];
}

export function ms(value) {
  return value === null || value === undefined ? NONE : `${digits(value)} ms`;
}

/** A wait in the unit that keeps it short. */
export function wait(value) {
  return value >= 1000 ? `${digits(value / 1000, 1)} s` : ms(value);
}

export function percent(ratio, places = 0) {
  return ratio === null || ratio === undefined ? NONE : `${digits(ratio * 100, places)} %`;
}

/** A length of time in the largest unit that fits. */
export function span(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  if (seconds < 60) return t("time.s", { n: Math.max(0, Math.round(seconds)) });
  if (seconds < 3600) return t("time.min", { n: Math.round(seconds / 60) });
  if (seconds < 48 * 3600) return t("time.h", { n: Math.round(seconds / 3600) });
  return t("time.d", { n: Math.round(seconds / 86400) });
}

export function ago(atS) {
  return t("time.ago", { span: span(nowS() - atS) });
}

export function clock(atMs) {
  const language = document.documentElement.lang;
  return new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(atMs);
}

export function megabytes(bytes) {
  return `${digits(bytes / 1e6)} MB`;
}
