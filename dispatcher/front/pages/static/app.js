// The page put together: parts are made here, and events of the session become what one sees.

import { pickFormat } from "./codec.js";
import { Connection } from "./connection.js";
import { TalkButton, wireComposer } from "./controls.js";
import { Conversation } from "./conversation.js";
import { DeviceCard } from "./device-card.js";
import { showFlowerLink } from "./flower-link.js";
import { label, t, toggleLanguage, translate } from "./i18n.js";
import { loadIdentity, recall, remember } from "./identity.js";
import { Meter } from "./meter.js";
import { Microphone, microphoneObstacle } from "./microphone.js";
import { Notice } from "./notice.js";
import { Player } from "./player.js";
import { Session } from "./session.js";
import { TabGuard } from "./tabs.js";

const $ = (id) => document.getElementById(id);
const SPEECH_KEY = "talk.speech-language";
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
const deviceCard = new DeviceCard($("device"), $("device-open"));
const tabs = new TabGuard(() => giveWay());
let offlineTimer = 0;
let turnCount = 0;

function showState(state) {
  document.body.dataset.state = state;
  label($("state"), `state.${state}`);
  label($("hint"), state === "ready" && obstacle ? "hint.typing" : `hint.${state}`);
  $("hint-more").hidden = state !== "ready" || obstacle !== null;
  meter.active = state === "listening" || state === "speaking";
  const isAnswering = state === "thinking" || state === "speaking";
  $("stop").classList.toggle("shown", isAnswering);
  $("stop").disabled = !isAnswering;
  const isUsable = isAnswering || state === "ready";
  $("send").disabled = !isUsable;
  const canTalk = obstacle === null && (isUsable || state === "asking" || state === "listening");
  $("talk").setAttribute("aria-disabled", String(!canTalk));
  for (const chip of document.querySelectorAll("#welcome button")) chip.disabled = !isUsable;
  document.title = state === "ready" ? t("page.title") : `${t(`state.${state}`)} · ${t("page.title")}`;
  announceLoss(state);
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
    $("welcome").hidden = true;
    conversation.begin(turn);
  });
  on("transcript", (detail) => conversation.transcript(detail));
  on("sentence", (detail) => conversation.sentence(detail));
  on("emotion", (detail) => conversation.emotion(detail));
  on("times", (turn) => conversation.times(turn));
  on("end", (detail) => conversation.end(detail));
}

function wireControls() {
  if (obstacle) showNotice({ key: `microphone.${obstacle}` });
  new TalkButton($("talk"), { onDown: () => session.startTalking(), onUp: () => session.stopTalking() });
  wireComposer($("composer"), (text) => session.say(text));
  $("stop").addEventListener("click", () => session.interrupt());
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
  connection.addEventListener("address", ({ detail }) => deviceCard.show(detail));
}

/** For tests and the curious: what goes on, to read only. */
const status = {
  get state() {
    return session.state;
  },
  get format() {
    return format;
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
showFlowerLink($("flower"));
wireSession();
wireControls();
showState(session.state);
connect();
