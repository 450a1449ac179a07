// Actions of operators: who did what, when and why; and the way to act, signed in and confirmed.

import { h, show } from "./dom.js";
import { ago, nowS, word } from "./format.js";
import { label, t } from "./i18n.js";

export const NEEDS = ["actions"];
export const USES = ["personas", "devices", "status"];

const SHOWN = 8;
// What can be done to each kind of thing; those with a value ask for it.
const OFFERED = {
  instance: ["drain", "restore", "eject", "weight", "cap"],
  device: ["name", "persona", "language", "alert", "block", "unblock", "reboot"],
  experiment: ["undo"],
  overload: ["pin"],
};
const WITH_VALUE = ["pin", "eject", "weight", "cap", "name", "persona", "language", "alert"];
const WITH_TIME = ["weight", "cap"];
/** What a value is now, so that to confirm changes nothing that was not typed. */
const CURRENT = {
  eject: () => "300",
  weight: (name) => instances[name]?.weight_held?.value ?? instances[name]?.weight,
  cap: (name) => instances[name]?.cap,
  name: (id) => devices[id]?.name,
  persona: (id) => devices[id]?.persona,
  language: (id) => devices[id]?.language,
};
// One that was begun so long ago has no end that anybody knows.
const BEGUN_S = 30;

let session = { name: null, csrf: null, may_read: true };
const dialogs = {};
/** What values there are to choose from; others can be typed where none are listed. */
const choices = { language: ["en", "zh", "auto"], persona: [], pin: ["0", "1", "2", "3", "4", "5", "auto"] };
let instances = {};
let devices = {};
/** What goes on when somebody has signed in. */
let next = null;

export function render({ actions, personas, devices: known, status }) {
  devices = Object.fromEntries((known?.devices ?? []).map((each) => [each.device_id, each]));
  instances = Object.fromEntries((status?.services ?? []).flatMap((each) => each.instances).map((each) => [each.name, each]));
  choices.persona = (personas?.personas ?? []).map((each) => each.persona).filter(Boolean);
  if (!actions.actions.length) return [h("p", { class: "nothing" }, t("actions.none"))];
  return [h("ul", { class: "rows" }, actions.actions.slice(0, SHOWN).map(row))];
}

function row(each) {
  const unknown = each.state === "begun" && nowS() - each.at_s > BEGUN_S ? t("actions.begun") : "";
  return h(
    "li",
    {},
    h("div", { class: "what" }, h("span", { class: "title" }, `${word("action", each.what)} · ${each.subject}${each.value ? ` · ${each.value}` : ""}`), h("span", { class: "sub" }, [unknown, each.why].filter(Boolean).join(" · "))),
    h("div", { class: "when" }, h("span", {}, each.who), h("span", { class: "sub" }, ago(each.at_s))),
  );
}

/** A button that offers what can be done to something. */
export function offer(kind, subject) {
  return h("button", { class: "more", type: "button", "data-offer": kind, "data-subject": subject, "aria-label": t("actions.offer", { subject }) }, "⋯");
}

export function start() {
  dialogs.act = document.querySelector("#act");
  dialogs.signIn = document.querySelector("#sign-in");
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("[data-offer]");
    if (button) whenSignedIn(() => open(button.dataset.offer, button.dataset.subject));
    if (target.closest(".cancel")) target.closest("dialog").close();
  });
  document.querySelector("#session").addEventListener("click", () => (session.name ? signOut() : dialogs.signIn.showModal()));
  dialogs.signIn.querySelector("form").addEventListener("submit", signIn);
  dialogs.signIn.addEventListener("close", () => (next = null));
  dialogs.act.querySelector("form").addEventListener("submit", act);
  dialogs.act.querySelector("select").addEventListener("change", explain);
}

/** Ask who is signed in: a console that was started again knows nobody, and may let nobody read. */
export async function checkSession() {
  const found = await ask("GET");
  if (found.ok) take(found.content);
}

/** Go on now, or when somebody has signed in. */
export function whenSignedIn(then) {
  if (session.name) return then();
  next = then;
  return dialogs.signIn.showModal();
}

/** Send a request of the operator; `reason` says why it was refused. */
export async function ask(method, body, path = "session") {
  const options = { method, headers: { "X-CSRF-Token": session.csrf ?? "" }, cache: "no-store" };
  if (body) {
    options.headers["Content-Type"] = "application/json";
    options.body = JSON.stringify(body);
  }
  try {
    const response = await fetch(path, options);
    if (response.status === 403 && path !== "session") await askToSignIn();
    return response.ok ? { ok: true, content: await response.json() } : { ok: false, reason: await response.text() };
  } catch {
    return { ok: false, reason: t("turns.unreachable") };
  }
}

/** The session has ended; what is typed in a dialog stays below this one. */
async function askToSignIn() {
  await checkSession();
  if (!session.name && !dialogs.signIn.open) dialogs.signIn.showModal();
}

function take(found) {
  session = found;
  const button = document.querySelector("#session");
  if (session.name) label(button, "session.out", { name: session.name });
  else label(button, "session.in");
  if (!session.may_read && !dialogs.signIn.open) dialogs.signIn.showModal();
}

async function signIn(event) {
  event.preventDefault();
  const form = event.target;
  const mayRead = session.may_read;
  const found = await ask("POST", { name: form.elements.name.value, password: form.elements.password.value });
  tell(dialogs.signIn, found.reason);
  if (!found.ok) return;
  form.elements.password.value = "";
  take(found.content);
  dialogs.signIn.close();
  const then = next;
  next = null;
  if (!mayRead && !document.querySelector("dialog[open]")) location.reload();
  else if (then) then();
}

async function signOut() {
  await ask("DELETE");
  location.reload();
}

function open(kind, subject) {
  const form = dialogs.act.querySelector("form");
  dialogs.act.querySelector("h2").textContent = kind === "experiment" ? `#${subject}` : subject;
  form.dataset.subject = subject;
  form.elements.why.value = "";
  show(form.elements.action, ...OFFERED[kind].map((name) => h("option", { value: name, "data-key": name }, t(`action.${name}`))));
  form.elements.action.value = OFFERED[kind][0];
  explain();
  tell(dialogs.act);
  dialogs.act.showModal();
}

function explain() {
  const form = dialogs.act.querySelector("form");
  const name = form.elements.action.value;
  form.querySelector(".about").textContent = t(`action.${name}.about`);
  form.querySelector(".value").hidden = !WITH_VALUE.includes(name);
  form.querySelector(".time").hidden = !WITH_TIME.includes(name);
  if (WITH_VALUE.includes(name)) form.querySelector(".value span").textContent = t(`action.${name}.value`);
  show(form.querySelector("datalist"), ...(choices[name] ?? []).map((value) => h("option", { value, "data-key": value })));
  form.elements.value.value = CURRENT[name]?.(form.dataset.subject) ?? "";
  form.elements.for.value = "";
}

async function act(event) {
  event.preventDefault();
  const { action, value, why, for: time } = event.target.elements;
  const found = await ask("POST", { action: action.value, subject: event.target.dataset.subject, value: WITH_VALUE.includes(action.value) ? value.value : "", for: WITH_TIME.includes(action.value) ? time.value : "", why: why.value }, "actions");
  tell(dialogs.act, found.reason);
  if (found.ok) dialogs.act.close();
}

/** Show in a dialog why something was refused. */
export function tell(dialog, reason = "") {
  const line = dialog.querySelector(".trouble");
  line.hidden = !reason;
  line.textContent = reason;
}
