// The page put together: parts are made here, and events of the session become what one sees.

import { pickFormat } from "./codec.js";
import { Connection } from "./connection.js";
import { TalkButton, wireComposer } from "./controls.js";
import { Conversation } from "./conversation.js";
import { DeviceCard } from "./device-card.js";
import { showConsoleLink, showFlowerLink } from "./flower-link.js";
import { label, t, toggleLanguage, translate } from "./i18n.js";
import { loadIdentity, recall, remember } from "./identity.js";
import { Meter } from "./meter.js";
import { Microphone, microphoneObstacle } from "./microphone.js";
import { Notice } from "./notice.js";
import { Player } from "./player.js";
import { Readiness } from "./readiness.js";
import { Session } from "./session.js";
import { TabGuard } from "./tabs.js";

const $ = (id) => document.getElementById(id);
const NAME = "xiaozhi dispatcher";
const SPEECH_KEY = "talk.speech-language";
const TALKED_KEY = "talk.has-talked";
const SPEECH_TAGS = { auto: null, en: "en", zh: "zh-CN" };
// A loss that heals with the first try is not worth a message.
const OFFLINE_NOTICE_MS = 1500;

translate();
const format = await pickFormat();
const identity = loadIdentity();
const connection = new Connection({ identity, format });
const player = new Player();
const session = new Session({ connection, microphone: new Microphone(), player, format });
const conversation = new Conversation($("turns"));
const notice = new Notice($("notice"));
const meter = new Meter($("meter"), () => session.level);
const obstacle = microphoneObstacle();
const isTouch = window.matchMedia("(pointer: coarse)");
const talkButton = new TalkButton($("talk"), {
  onDown: () => session.startTalking(),
  onUp: () => session.stopTalking(),
  onLatch: () => showState(session.state),
  listens: () => session.state === "asking" || session.state === "listening",
});
new DeviceCard($("device"), $("device-open"));
new Readiness($("readiness"), $("readiness-open"));
const tabs = new TabGuard(() => giveWay());
let offlineTimer = 0;
let turnCount = 0;

function showState(state) {
  document.body.dataset.state = state;
  label($("state"), `state.${state}`);
  label($("hint"), hintOf(state));
  $("hint-more").hidden = state !== "ready" || obstacle !== null;
  meter.active = state === "listening" || state === "speaking";
  const isAnswering = state === "thinking" || state === "speaking";
  $("stop").classList.toggle("shown", isAnswering);
  $("stop").disabled = !isAnswering;
  const isUsable = isAnswering || state === "ready" || session.handsFree;
  $("send").disabled = $("new-dialogue").disabled = !isUsable;
  const canListen = obstacle === null && (isUsable || state === "asking");
  const canTalk = canListen || (obstacle === null && state === "listening");
  $("talk").setAttribute("aria-disabled", String(!canTalk || session.handsFree));
  $("hands-free").disabled = !canListen;
  $("hands-free").setAttribute("aria-pressed", String(session.handsFree));
  for (const chip of document.querySelectorAll("#welcome button")) chip.disabled = !isUsable;
  document.title = `${t(state === "ready" ? "page.title" : `state.${state}`)} · ${NAME}`;
  announceLoss(state);
}

function hintOf(state) {
  if (state === "ready" && obstacle) return "hint.typing";
  if (session.handsFree && state === "listening") return "hint.handsFree";
  if (state === "listening" && talkButton.latched) return "hint.listening.tap";
  return state === "ready" && isTouch.matches ? "hint.ready.touch" : `hint.${state}`;
}

function announceLoss(state) {
  if (state === "offline") {
    if (offlineTimer) return;
    offlineTimer = setTimeout(() => {
      const action = { key: "notice.retry", run: () => connection.restart() };
      notice.show({ key: "notice.offline", action });
    }, OFFLINE_NOTICE_MS);
  } else if (state !== "connecting") {
    clearTimeout(offlineTimer);
    if (offlineTimer) notice.clear();
    offlineTimer = 0;
  }
}

function showNotice(detail) {
  if (detail === null) notice.clear();
  else notice.show({ ...detail, values: { local: `http://localhost:${window.location.port || 80}` } });
}

/** Another tab has taken the connection over: stay away until the user wants it back. */
function giveWay() {
  connection.stop();
  showState("elsewhere");
  notice.show({ key: "notice.elsewhere", action: { key: "notice.here", run: takeOver } });
}

function takeOver() {
  notice.clear();
  connect();
}

function connect() {
  tabs.claim();
  connection.restart();
}

function wireSession() {
  const on = (type, act) => session.addEventListener(type, ({ detail }) => act(detail));
  on("state", showState);
  on("notice", showNotice);
  on("turn", (turn) => {
    turnCount += 1;
    showWelcome(false);
    conversation.begin(turn);
  });
  on("forgotten", (upTo) => showWelcome(conversation.forget(upTo)));
  on("transcript", (detail) => conversation.transcript(detail));
  on("sentence", (detail) => conversation.sentence(detail));
  on("emotion", (detail) => conversation.emotion(detail));
  on("times", (turn) => conversation.times(turn));
  on("end", (detail) => conversation.end(detail));
}

/** The dialogue lives on the server, so a page that was opened again may have one that it does not show. */
function showWelcome(isShown) {
  remember(TALKED_KEY, isShown ? "" : "yes");
  // Whoever pressed the button that goes away types next, or speaks; focus must not be lost with it.
  if (isShown && document.activeElement === $("new-dialogue")) $("talk").focus({ preventScroll: true });
  $("welcome").hidden = !isShown;
  $("new-dialogue").hidden = isShown;
}

function wireControls() {
  if (obstacle) showNotice({ key: `microphone.${obstacle}` });
  $("new-dialogue").hidden = !recall(TALKED_KEY);
  $("new-dialogue").addEventListener("click", () => session.startNewDialogue());
  label($("welcome").querySelector("p"), isTouch.matches ? "welcome.text.touch" : "welcome.text");
  if (isTouch.matches) $("talk").setAttribute("aria-label", t(($("talk").dataset.label = "talk.label.touch")));
  wireComposer($("composer"), (text) => session.say(text));
  $("stop").addEventListener("click", () => session.interrupt());
  $("hands-free").addEventListener("click", () => session.toggleHandsFree());
  window.addEventListener("keydown", ({ key }) => {
    // With the dialog open, Escape is meant for that.
    if (key === "Escape" && !document.querySelector("dialog[open]")) session.interrupt();
  });
  for (const chip of document.querySelectorAll("#welcome button")) {
    chip.addEventListener("click", () => session.say(chip.textContent));
  }
  $("page-language").addEventListener("click", () => {
    toggleLanguage();
    showState(document.body.dataset.state);
  });
  const speech = $("speech");
  speech.value = recall(SPEECH_KEY) in SPEECH_TAGS ? recall(SPEECH_KEY) : "auto";
  connection.language = SPEECH_TAGS[speech.value];
  speech.addEventListener("change", () => {
    remember(SPEECH_KEY, speech.value);
    connection.language = SPEECH_TAGS[speech.value];
    takeOver();
  });
}

/** For tests and the curious: what goes on, to read only. */
const status = {
  get state() {
    return session.state;
  },
  get format() {
    return format;
  },
  get handsFree() {
    return session.handsFree;
  },
  get turns() {
    return turnCount;
  },
  get framesSent() {
    return session.framesSent;
  },
  get framesScheduled() {
    return player.framesScheduled;
  },
  get framesPlayed() {
    return player.framesPlayed;
  },
  get gaps() {
    return player.gaps;
  },
  get lastTurn() {
    return session.lastTurn?.times ?? null;
  },
};
Object.defineProperty(window, "talk", { value: Object.freeze(status) });

$("about").textContent = `${identity.deviceId} · ${format}`;
showConsoleLink($("console"), identity.deviceId);
showFlowerLink($("flower"), $("readiness").querySelector(".flower"));
wireSession();
wireControls();
showState(session.state);
connect();
