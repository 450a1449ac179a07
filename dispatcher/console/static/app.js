// The console: one feed for the whole page, and a module for each of its sections.

import * as actions from "./actions.js";
import * as alerts from "./alerts.js";
import * as charts from "./charts.js";
import * as devices from "./devices.js";
import { show } from "./dom.js";
import * as events from "./events.js";
import { follow } from "./feed.js";
import { showFlowerLink } from "./flower-link.js";
import { toggleLanguage, translate } from "./i18n.js";
import * as instances from "./instances.js";
import * as kpis from "./kpis.js";
import * as personas from "./personas.js";
import * as queues from "./queues.js";
import * as tuner from "./tuner.js";
import * as turns from "./turns.js";
import * as usage from "./usage.js";

// A section is sent when it changes; in these, what it says of how long ago something was goes on.
const WITH_AGES = ["devices", "tuner", "alerts", "events", "actions"];
const AGES_MS = 5000;

// Each names its element, the parts of the feed that it needs, and draws itself from all that is known.
const SECTIONS = { kpis, instances, queues, turns, devices, personas, tuner, alerts, events, actions, charts, usage };
/** All that is known: the last message of each part, and what sections asked for themselves. */
const known = {};

function draw(name, section) {
  if (!section.NEEDS.every((part) => part in known)) return;
  show(document.querySelector(`#${name} .body`), ...section.render(known));
}

function update(part, content) {
  known[part] = content;
  for (const [name, section] of Object.entries(SECTIONS)) {
    if (section.NEEDS.includes(part) || section.USES?.includes(part)) draw(name, section);
  }
}

function drawAll() {
  for (const [name, section] of Object.entries(SECTIONS)) draw(name, section);
}

translate();
showFlowerLink(document.querySelector("#flower"), document.querySelector("#flower-note"));
document.querySelector("#page-language").addEventListener("click", () => {
  toggleLanguage();
  drawAll();
});
for (const [name, section] of Object.entries(SECTIONS)) section.start?.(document.getElementById(name), update);
follow(["status", "queues", "turns", "devices", "personas", "tuner", "alerts", "events", "actions", "budgets"], update, actions.checkSession);
setInterval(() => WITH_AGES.forEach((name) => draw(name, SECTIONS[name])), AGES_MS);
// For tests and for the curious.
window.shown = known;
