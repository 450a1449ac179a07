// The page's own language: look up texts, and keep marked elements in step with a change.

import { recall, remember } from "./identity.js";
import { STRINGS } from "./strings.js";

const KEY = "talk.page-language";
const browsers = () => (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
let language = recall(KEY) in STRINGS ? recall(KEY) : browsers();

/** The text of a key, with its {placeholders} filled in. */
export function t(key, values = {}) {
  return STRINGS[language][key].replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

/** Give an element the text of a key, now and after every change of language. */
export function label(element, key, values = {}) {
  element.dataset.text = key;
  element.dataset.values = JSON.stringify(values);
  element.textContent = t(key, values);
  return element;
}

/** Write the texts of all marked elements: `data-text`, `data-label`, `data-placeholder`, `data-title`. */
export function translate(root = document) {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of root.querySelectorAll("[data-text]")) {
    element.textContent = t(element.dataset.text, JSON.parse(element.dataset.values ?? "{}"));
  }
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", t(element.dataset.label));
  }
  for (const element of root.querySelectorAll("[data-placeholder]")) {
    element.placeholder = t(element.dataset.placeholder);
  }
  for (const element of root.querySelectorAll("[data-alt]")) element.alt = t(element.dataset.alt);
  for (const element of root.querySelectorAll("[data-title]")) element.title = t(element.dataset.title);
}

/** Change to the other language and remember it. */
export function toggleLanguage() {
  language = language === "zh" ? "en" : "zh";
  remember(KEY, language);
  translate();
}

/** A whole number as this language groups it. */
export function number(value) {
  return new Intl.NumberFormat(language).format(value);
}
