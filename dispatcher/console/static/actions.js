// Actions of operators: who did what, when and why; and the way to act, signed in and confirmed.

import { h, show } from "./dom.js";
import { ago, word } from "./format.js";
import { label, t } from "./i18n.js";

export const NEEDS = ["actions"];

const SHOWN = 8;
// What can be done to each kind of thing; those with a value ask for it.
const OFFERED = {
  instance: ["drain", "restore", "eject"],
  device: ["name", "persona", "alert", "block", "unblock", "reboot"],
  experiment: ["undo"],
};
const WITH_VALUE = ["eject", "name", "persona", "alert"];
const DEFAULTS = { eject: "300" };

let session = { name: null, csrf: null, may_read: true };

export function render({ actions }) {
  if (!actions.actions.length) return [h("p", { class: "nothing" }, t("actions.none"))];
  return [h("ul", { class: "rows" }, actions.actions.slice(0, SHOWN).map(row))];
}

function row(each) {
  return h(
    "li",
    {},
    h("div", { class: "what" }, h("span", { class: "title" }, `${word("action", each.what)} · ${each.subject}${each.value ? ` · ${each.value}` : ""}`), h("span", { class: "sub" }, each.why)),
    h("div", { class: "when" }, h("span", {}, each.who), h("span", { class: "sub" }, ago(each.at_s))),
  );
}

/** A button that offers what can be done to something. */
export function offer(kind, subject) {
  return h("button", { class: "more", type: "button", "data-offer": kind, "data-subject": subject, "aria-label": t("actions.offer", { subject }) }, "⋯");
}

export function start() {
  const dialogs = { act: document.querySelector("#act"), signIn: document.querySelector("#sign-in") };
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-offer]");
    if (button) open(dialogs, button.dataset.offer, button.dataset.subject);
    if (target.closest(".cancel")) target.closest("dialog").close();
  });
  document.querySelector("#session").addEventListener("click", () => (session.name ? signOut() : dialogs.signIn.showModal()));
  dialogs.signIn.querySelector("form").addEventListener("submit", (event) => signIn(event, dialogs));
  dialogs.act.querySelector("form").addEventListener("submit", (event) => act(event, dialogs.act));
  dialogs.act.querySelector("select").addEventListener("change", () => explain(dialogs.act));
  dialogs.act.addEventListener("close", () => delete dialogs.act.dataset.waiting);
  ask("GET").then((found) => found.ok && take(found.content, dialogs));
}

async function ask(method, body, path = "session") {
  const options = { method, headers: { "X-CSRF-Token": session.csrf ?? "" }, cache: "no-store" };
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, options);
    return response.ok ? { ok: true, content: await response.json() } : { ok: false, reason: await response.text() };
  } catch {
    return { ok: false, reason: t("turns.unreachable") };
  }
}

function take(found, dialogs) {
  session = found;
  const button = document.querySelector("#session");
  if (session.name) label(button, "session.out", { name: session.name });
  else label(button, "session.in");
  if (!session.may_read) dialogs.signIn.showModal();
}

async function signIn(event, dialogs) {
  event.preventDefault();
  const form = event.target;
  const mayRead = session.may_read;
  const found = await ask("POST", { name: form.elements.name.value, password: form.elements.password.value });
  tell(dialogs.signIn, found.reason);
  if (!found.ok) return;
  form.elements.password.value = "";
  take(found.content, dialogs);
  dialogs.signIn.close();
  if (!mayRead) location.reload();
  else if (dialogs.act.dataset.waiting) dialogs.act.showModal();
}

async function signOut() {
  await ask("DELETE");
  location.reload();
}

function open(dialogs, kind, subject) {
  const form = dialogs.act.querySelector("form");
  dialogs.act.querySelector("h2").textContent = kind === "experiment" ? `#${subject}` : subject;
  form.dataset.subject = subject;
  form.elements.why.value = "";
  show(form.elements.action, ...OFFERED[kind].map((name) => h("option", { value: name, "data-key": name }, t(`action.${name}`))));
  form.elements.action.value = OFFERED[kind][0];
  explain(dialogs.act);
  tell(dialogs.act);
  if (session.name) return dialogs.act.showModal();
  dialogs.act.dataset.waiting = "yes";
  return dialogs.signIn.showModal();
}

function explain(dialog) {
  const form = dialog.querySelector("form");
  const name = form.elements.action.value;
  form.querySelector(".about").textContent = t(`action.${name}.about`);
  form.querySelector(".value").hidden = !WITH_VALUE.includes(name);
  if (WITH_VALUE.includes(name)) form.querySelector(".value span").textContent = t(`action.${name}.value`);
  form.elements.value.value = DEFAULTS[name] ?? "";
}

async function act(event, dialog) {
  event.preventDefault();
  const form = event.target;
  const { action, value, why } = form.elements;
  const found = await ask("POST", { action: action.value, subject: form.dataset.subject, value: WITH_VALUE.includes(action.value) ? value.value : "", why: why.value }, "actions");
  tell(dialog, found.reason);
  if (found.ok) dialog.close();
}

function tell(dialog, reason = "") {
  const line = dialog.querySelector(".trouble");
  line.hidden = !reason;
  line.textContent = reason;
}
