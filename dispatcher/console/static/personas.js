// Personas: who the assistant is to the devices, and the form in which an operator edits that.

import { ask, tell, whenSignedIn } from "./actions.js";
import { h } from "./dom.js";
import { word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["personas"];

// Of the wake words.
const SHOWN = 3;
// No persona can have this name; it has the texts that a new one begins with.
const NOBODY = "*";
const FIELDS = ["name", "system_prompt", "voice", "language", "wake_words"];
/** What the form was filled with. */
let opened = {};

export function render({ personas }) {
  return [
    h("ul", { class: "rows" }, personas.personas.map(row)),
    h("p", { class: "note tools" }, h("button", { class: "quiet", type: "button", "data-persona-new": "" }, t("personas.new")), h("button", { class: "quiet", type: "button", "data-export": "" }, t("personas.export"))),
  ];
}

function row(each) {
  const words = each.wake_words.split("\n");
  const calls = words.slice(0, SHOWN).join(" · ") + (words.length > SHOWN ? " …" : "");
  const facts = [each.voice, each.language && word("language", each.language), calls].filter(Boolean);
  const title = [each.persona || t("personas.default"), each.name].filter(Boolean).join(" · ");
  const label = t("personas.edit", { persona: each.persona || t("personas.default") });
  return h(
    "li",
    { "data-key": each.persona || "*", "data-persona": each.persona },
    h("div", { class: "what" }, h("span", { class: "title" }, title), h("span", { class: "sub" }, facts.join(" · "))),
    h("div", { class: "when" }, each.edited.length ? h("span", { class: "pill", "data-tone": "warn" }, t("personas.edited")) : null),
    h("button", { class: "more", type: "button", "data-edit": each.persona, "aria-label": label }, "✎"),
  );
}

export function start() {
  const dialog = document.querySelector("#persona");
  const form = dialog.querySelector("form");
  document.addEventListener("click", ({ target }) => {
    const edit = target.closest("[data-edit]");
    if (edit) whenSignedIn(() => open(dialog, edit.dataset.edit));
    if (target.closest("[data-persona-new]")) whenSignedIn(() => open(dialog, null));
    // A download by a link: the browser keeps the page, and the session's cookie goes along.
    if (target.closest("[data-export]")) whenSignedIn(() => h("a", { href: "catalogue.yaml", download: "load_balancing.yaml" }).click());
  });
  form.querySelector(".reset").addEventListener("click", () => fill(form, opened.yaml));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    save(dialog);
  });
}

async function open(dialog, persona) {
  const form = dialog.querySelector("form");
  const isNew = persona === null;
  const found = await ask("GET", null, `persona?${new URLSearchParams({ persona: persona ?? NOBODY })}`);
  opened = found.content ?? {};
  // Empty fields would take back what nobody could see.
  for (const button of form.querySelectorAll(".reset, .primary-button")) button.disabled = !found.ok;
  dialog.querySelector("h2").textContent = isNew ? t("personas.new") : persona || t("personas.default");
  form.querySelector(".key").hidden = !isNew;
  form.querySelector(".reset").hidden = isNew;
  form.elements.persona.value = persona ?? "";
  form.elements.persona.required = isNew;
  form.elements.why.value = "";
  form.elements.language.options[0].hidden = persona === "";
  fill(form, opened);
  tell(dialog, found.reason);
  dialog.showModal();
}

function fill(form, texts) {
  for (const name of FIELDS) form.elements[name].value = texts[name] ?? "";
}

async function save(dialog) {
  const { elements } = dialog.querySelector("form");
  const texts = Object.fromEntries(["persona", "why", ...FIELDS].map((name) => [name, elements[name].value]));
  const found = await ask("POST", { ...texts, seen: opened.seen }, "persona");
  tell(dialog, found.reason);
  if (found.ok) dialog.close();
}
