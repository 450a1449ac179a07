// The last turns as waterfalls; one that is opened tells why each of its calls went where it went.

import { h } from "./dom.js";
import { clock, digits, ms, NONE, word } from "./format.js";
import { t } from "./i18n.js";

export const NEEDS = ["turns"];
export const USES = ["devices", "why", "linked", "linkedCalls"];

const TONES = { answered: "good", "spoken over": "quiet", "device left": "quiet", "nothing said": "quiet", apologised: "bad", "turned away": "bad", cut: "bad" };
const STAGES = ["asr", "llm", "tts"];
// The slowest turn of all would leave nothing to see of the others.
const SCALE_PERCENTILE = 0.9;
const NEAREST_SCALE_MS = 1000;

const why = {};
/** What a link names, `#turn=5f0c1d` or `#device=…` for the last turn of one; it is opened once. */
let linked = null;

export function start(element, update) {
  const follow = () => {
    const words = new URLSearchParams(location.hash.slice(1));
    linked = words.has("turn") || words.has("device") ? { turn: words.get("turn"), device: words.get("device") } : null;
    update("linked", linked);
    if (linked?.turn) explanation(linked.turn).then((found) => update("linkedCalls", found));
  };
  addEventListener("hashchange", follow);
  follow();
  element.addEventListener(
    "toggle",
    async ({ target }) => {
      const id = target.dataset.key;
      if (!target.open || !id) return;
      why[id] ??= {};
      why[id] = await explanation(id);
      update("why", why);
    },
    true,
  );
}

async function explanation(id) {
  try {
    const response = await fetch(`turns/${encodeURIComponent(id)}`, { cache: "no-store" });
    return response.ok ? await response.json() : { error: await response.text() };
  } catch {
    return { error: t("turns.unreachable") };
  }
}

export function render({ turns, devices, linkedCalls }) {
  const earlier = linkedCalls && linked?.turn && !turns.turns.some(isLinked) ? linkedTurn(linkedCalls) : null;
  if (!turns.turns.length) return [earlier, h("p", { class: "nothing" }, t("turns.none"))];
  const names = Object.fromEntries((devices?.devices ?? []).map((each) => [each.device_id, each.name]));
  const scaleMs = scale(turns.turns);
  const legend = h("p", { class: "legend" }, [...STAGES, "play"].map((stage) => h("span", { class: stage }, t(`turns.stage.${stage}`))));
  queueMicrotask(() => reveal(turns.turns.find(isLinked)));
  const missing = linked?.device && !turns.turns.some(isLinked) ? h("p", { class: "note" }, t("turns.noneOf", { device: linked.device })) : null;
  return [earlier, missing, legend, ...turns.turns.map((turn) => row(turn, names, scaleMs))];
}

function isLinked(turn) {
  if (!linked) return false;
  return linked.turn ? turn.turn.startsWith(linked.turn) : turn.device === linked.device.toLowerCase();
}

/** Open the turn that a link names, and leave it to the reader from then on. */
function reveal(turn) {
  const element = turn && document.querySelector(`[data-turn="${CSS.escape(turn.turn)}"]`);
  if (!element) return;
  linked = null;
  element.open = true;
  element.scrollIntoView({ block: "center" });
}

/** One that is no longer among the last, or has not ended: what is known of its calls. */
function linkedTurn(found) {
  return h("div", { class: "why linked", "data-key": "linked" }, h("p", { class: "facts" }, `${t("turns.id")} `, h("code", {}, found.turn ?? linked.turn)), calls(found));
}

function scale(turns) {
  const known = turns.map((turn) => turn.first_audio_ms ?? 0).sort((one, other) => one - other);
  return Math.max(NEAREST_SCALE_MS, known[Math.floor((known.length - 1) * SCALE_PERCENTILE)] * 1.25);
}

function row(turn, names, scaleMs) {
  return h(
    "details",
    { class: "turn", "data-key": turn.turn, "data-turn": turn.turn },
    h(
      "summary",
      {},
      h("time", {}, clock(turn.started_at_ms)),
      h("span", { class: "device" }, names[turn.device] || turn.device),
      h("span", { class: "track", "aria-hidden": "true" }, bars(turn, scaleMs)),
      h("span", { class: "first" }, ms(turn.first_audio_ms)),
      h("span", { class: "marks" }, marks(turn)),
    ),
    h("div", { class: "why" }, explained(turn)),
  );
}

/** The stages from the end of speech to the first sound, and the reply after it. */
function bars(turn, scaleMs) {
  const heard = turn.transcript_ms ?? 0;
  const worded = heard + (turn.llm_first_sentence_ms ?? 0);
  const audible = turn.first_audio_ms ?? worded;
  const spans = { asr: [0, heard], llm: [heard, Math.min(worded, audible)], tts: [Math.min(worded, audible), audible], play: [audible, turn.played_ms ?? audible] };
  return Object.entries(spans)
    .filter(([, [from, to]]) => to > from && from < scaleMs)
    .map(([stage, [from, to]]) => h("i", { class: stage, style: { "--from": from / scaleMs, "--width": Math.min(1, to / scaleMs) - from / scaleMs } }));
}

function marks(turn) {
  const { hedge, retry } = turn.calls;
  const found = [
    turn.outcome !== "answered" && pill(word("outcome", turn.outcome), TONES[turn.outcome], turn.reason),
    hedge && pill(t("turns.hedges", { n: hedge }), "warn"),
    retry && pill(t("turns.retries", { n: retry }), "warn"),
    "filler_ms" in turn && pill(t("turns.filler"), "quiet"),
    turn.gaps && pill(t("turns.gaps", { n: turn.gaps }), "warn"),
  ];
  return found.filter(Boolean);
}

function pill(text, tone, title) {
  return h("span", { class: "pill", "data-tone": tone, title: title || false }, text);
}

function explained(turn) {
  const facts = STAGES.map((stage) => turn[`${stage}_instance`] && `${t(`turns.stage.${stage}`)} ${turn[`${stage}_instance`]}`);
  const times = [
    ["turns.asr", turn.asr_ms],
    ["turns.firstToken", turn.llm_first_token_ms],
    ["turns.llm", turn.llm_ms],
    ["turns.tts", turn.tts_first_audio_ms],
    ["turns.played", turn.played_ms],
  ];
  const told = times.filter(([, value]) => value !== undefined).map(([key, value]) => `${t(key)} ${ms(value)}`);
  const tokens = turn.llm_prompt_tokens === undefined ? [] : [t("turns.tokens", { n: digits(turn.llm_prompt_tokens), cached: turn.llm_cached_tokens === undefined ? NONE : digits(turn.llm_cached_tokens) })];
  return [
    h("p", { class: "facts" }, [...facts.filter(Boolean), ...told, ...tokens].join(" · ")),
    turn.reason && h("p", { class: "facts" }, turn.reason),
    h("p", { class: "facts" }, `${t("turns.id")} `, h("code", {}, turn.turn)),
    ...words(why[turn.turn]?.end),
    calls(why[turn.turn]),
  ];
}

/** What was said and answered, where the YAML shows it. */
function words(end) {
  return ["said", "answered"].filter((name) => end?.[name]).map((name) => h("p", { class: "words", "data-words": name }, h("b", {}, t(`turns.${name}`)), " ", end[name]));
}

function calls(found) {
  if (!found) return null;
  if (found.error) return h("p", { class: "facts" }, found.error);
  if (!found.calls) return h("p", { class: "facts" }, t("turns.loading"));
  const began = found.calls[0].at_ms;
  return h(
    "ol",
    { class: "calls" },
    found.calls.map((call) =>
      h(
        "li",
        {},
        h("span", { class: "at" }, `+${digits(call.at_ms - began)} ms`),
        h("div", {}, h("p", {}, `${call.service.toUpperCase()} → `, h("b", {}, call.instance), " ", ending(call)), h("p", { class: "sub" }, call.reason), h("p", { class: "sub" }, `${t("turns.among")} ${call.candidates.join(", ")}`)),
      ),
    ),
  );
}

function ending(call) {
  if (!call.end) return pill(t(call.held ? "turns.underWay" : "turns.noEnd"), call.held ? "warn" : "bad");
  const tone = { ok: "good", failed: "bad" }[call.end.outcome] ?? "quiet";
  return [pill(`${word("call", call.end.outcome)} ${ms(call.end.latency_ms)}`, tone), call.end.reason ? ` ${call.end.reason}` : ""];
}
