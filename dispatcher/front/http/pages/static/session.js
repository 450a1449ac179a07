// The dialogue: what the user does and what the server says, turned into states and turns.

import { Answer } from "./answer.js";
import { makeEncoder } from "./codec.js";
import { abort, listenStart, listenStop, NEW_DIALOGUE, newDialogue, typed } from "./protocol.js";
import { Turn } from "./turn.js";

// Shorter than this is a tap, not speech.
const SHORTEST_SPEECH_MS = 300;
// The server closes an utterance at 60 s; the button lets go a little before.
const LONGEST_SPEECH_MS = 58_000;
// Longer than the server's own limit for a turn, which ends with a spoken apology.
const SILENT_SERVER_MS = 70_000;
// A server that never confirms an abort must not leave the page deaf.
const ABORT_TIMEOUT_MS = 2_000;
// Longer than the server waits for a store that restarts.
const NEW_DIALOGUE_TIMEOUT_MS = 5_000;
const MAY_BEGIN = ["ready", "thinking", "speaking"];

/**
 * States: connecting, ready, asking (for the microphone), listening, thinking, speaking, offline.
 *
 * Events: `state` (name) · `turn` (turn) · `transcript` {turn, text} · `sentence` {turn, text} ·
 * `emotion` {turn, name} · `times` (turn) · `forgotten` (number of the last turn that is) · `end` {turn, interrupted} · `notice` ({key} or {text}, or null to clear).
 */
export class Session extends EventTarget {
  #state = "connecting";
  #framesSent = 0;
  #connection;
  #microphone;
  #player;
  #format;
  #press = 0;
  #pressedAt = 0;
  #encoder = null;
  #stopping = Promise.resolve();
  #speechTimer = 0;
  #turn = null;
  #lastTurn = null;
  #answer = null;
  #answerTimer = 0;
  #abortsOpen = 0;
  #abortTimer = 0;
  #newDialogueTimer = 0;
  #forgetUpTo = 0;

  constructor({ connection, microphone, player, format }) {
    super();
    this.#connection = connection;
    this.#microphone = microphone;
    this.#player = player;
    this.#format = format;
    connection.addEventListener("status", ({ detail }) => this.#onStatus(detail));
    connection.addEventListener("message", ({ detail }) => this.#onMessage(detail));
    connection.addEventListener("audio", ({ detail }) => this.#onAudio(detail));
  }

  get state() {
    return this.#state;
  }

  /** Packets handed to the socket since the page was opened. */
  get framesSent() {
    return this.#framesSent;
  }

  /** The turn under way, or the one that ended last. */
  get lastTurn() {
    return this.#turn ?? this.#lastTurn;
  }

  /** Loudness of who speaks now, 0..1. */
  get level() {
    if (this.#state === "listening") return this.#microphone.level;
    return this.#state === "speaking" ? this.#player.level : 0;
  }

  /** The button goes down: stop the answer, if any, and listen. */
  async startTalking() {
    const press = ++this.#press;
    this.#player.unlock();
    await this.#stopping;
    if (!MAY_BEGIN.includes(this.#state)) return;
    this.interrupt();
    this.#enter("asking");
    try {
      await this.#microphone.open();
    } catch (error) {
      if (this.#state === "asking") this.#backToReady(`microphone.${error.reason}`);
      return;
    }
    if (this.#state !== "asking") this.#microphone.letGoLater();
    // The permission dialog took the pointer away, so the user has to press once more.
    else if (press !== this.#press) this.#backToReady("notice.pressAgain");
    else this.#listen();
  }

  /** The button comes up: the utterance is over. */
  async stopTalking() {
    this.#press += 1;
    if (this.#encoder === null) return;
    const isTap = performance.now() - this.#pressedAt < SHORTEST_SPEECH_MS;
    this.#stopping = this.#endCapture();
    await this.#stopping;
    if (this.#state !== "listening") return;
    if (isTap) {
      this.#abort();
      this.#backToReady("notice.holdLonger");
      return;
    }
    this.#connection.send(listenStop());
    this.#begin("voice");
  }

  /** Send typed text as an utterance. Returns false when that is not possible now. */
  say(text) {
    if (!MAY_BEGIN.includes(this.#state)) return false;
    this.#player.unlock();
    this.interrupt();
    this.#tell("notice", null);
    this.#connection.send(typed(text));
    this.#tell("transcript", { turn: this.#begin("text"), text });
    return true;
  }

  /** Barge-in: end the answer under way, here and on the server. */
  interrupt() {
    if (this.#turn === null) return;
    if (!this.#turn.closed) this.#abort();
    this.#end({ interrupted: true });
  }

  /** Begin the dialogue anew: what was said is forgotten, here when the server says that it has. */
  startNewDialogue() {
    if (!MAY_BEGIN.includes(this.#state)) return;
    this.interrupt();
    this.#forgetUpTo = this.#lastTurn?.number ?? 0;
    this.#connection.send(newDialogue());
    clearTimeout(this.#newDialogueTimer);
    this.#newDialogueTimer = setTimeout(
      () => this.#tell("notice", { key: "notice.notForgotten" }),
      NEW_DIALOGUE_TIMEOUT_MS,
    );
  }

  #listen() {
    this.#connection.send(listenStart());
    const encoder = makeEncoder(this.#format, (packet) => {
      this.#framesSent += 1;
      this.#connection.sendAudio(packet);
    });
    this.#encoder = encoder;
    this.#pressedAt = performance.now();
    this.#microphone.start((samples) => encoder.encode(samples));
    this.#speechTimer = setTimeout(() => this.stopTalking(), LONGEST_SPEECH_MS);
    this.#tell("notice", null);
    this.#enter("listening");
  }

  /** Returns when the last packet of the utterance has been sent. */
  async #endCapture() {
    const encoder = this.#encoder;
    this.#encoder = null;
    clearTimeout(this.#speechTimer);
    await this.#microphone.stop();
    await encoder?.finish();
  }

  #begin(kind) {
    const turn = new Turn(kind);
    this.#turn = turn;
    this.#answer = new Answer({
      turn,
      player: this.#player,
      format: this.#format,
      rateHz: this.#connection.replyRateHz,
      callbacks: {
        onSentence: (text) => this.#tell("sentence", { turn, text }),
        onSound: () => {
          this.#enter("speaking");
          this.#tell("times", turn);
        },
      },
    });
    this.#expectServer();
    this.#tell("turn", turn);
    this.#enter("thinking");
    return turn;
  }

  #end({ interrupted }) {
    const turn = this.#turn;
    clearTimeout(this.#answerTimer);
    if (interrupted) this.#answer.cancel();
    else turn.mark("complete");
    this.#lastTurn = turn;
    this.#turn = this.#answer = null;
    this.#tell("end", { turn, interrupted });
    if (this.#state === "thinking" || this.#state === "speaking") this.#enter("ready");
  }

  #abort() {
    this.#connection.send(abort());
    // Until the server confirms with `tts stop`, all that comes belongs to the turn that was ended.
    this.#abortsOpen += 1;
    clearTimeout(this.#abortTimer);
    this.#abortTimer = setTimeout(() => (this.#abortsOpen = 0), ABORT_TIMEOUT_MS);
  }

  #onStatus(status) {
    this.#abortsOpen = 0;
    if (this.#turn) this.#end({ interrupted: true });
    if (this.#encoder) this.#stopping = this.#endCapture();
    this.#enter(status);
  }

  #onMessage(message) {
    if (this.#abortsOpen > 0) {
      if (message.type === "tts" && message.state === "stop") this.#abortsOpen -= 1;
      return;
    }
    this.#expectServer();
    if (message.type === "tts") this.#onTts(message);
    else if (message.type === NEW_DIALOGUE) this.#onForgotten();
    else if (message.type === "alert") this.#tell("notice", { text: String(message.message ?? "") });
    else if (this.#turn && message.type === "stt") this.#onTranscript(String(message.text ?? ""));
    else if (this.#turn && message.type === "llm" && message.emotion)
      this.#tell("emotion", { turn: this.#turn, name: String(message.emotion) });
  }

  #onForgotten() {
    clearTimeout(this.#newDialogueTimer);
    this.#tell("notice", null);
    this.#tell("forgotten", this.#forgetUpTo);
  }

  #onTranscript(text) {
    this.#turn.mark("transcript");
    this.#tell("transcript", { turn: this.#turn, text });
    this.#tell("times", this.#turn);
  }

  #onTts({ state, text }) {
    if (state === "start") {
      if (this.#turn === null && this.#state === "ready") this.#begin("server");
      this.#answer?.start();
    } else if (state === "sentence_start" && typeof text === "string") {
      this.#answer?.sentence(text);
      if (this.#turn) this.#tell("times", this.#turn);
    } else if (state === "stop" && this.#turn) {
      this.#onAnswerSent();
    }
  }

  async #onAnswerSent() {
    const turn = this.#turn;
    // A late confirmation of an earlier abort; typed text always gets an answer of its own.
    if (turn.kind === "text" && !this.#answer.started) return;
    turn.closed = true;
    await this.#answer.playedOut();
    if (turn === this.#turn) this.#end({ interrupted: false });
  }

  #onAudio(bytes) {
    if (this.#abortsOpen > 0 || this.#answer === null) return;
    this.#expectServer();
    this.#answer.sound(bytes);
  }

  /** A server that says nothing for too long ends the turn. */
  #expectServer() {
    clearTimeout(this.#answerTimer);
    if (this.#turn === null) return;
    this.#answerTimer = setTimeout(() => {
      this.interrupt();
      this.#tell("notice", { key: "notice.noAnswer" });
    }, SILENT_SERVER_MS);
  }

  #backToReady(noticeKey) {
    this.#microphone.letGoLater();
    this.#enter("ready");
    this.#tell("notice", { key: noticeKey });
  }

  #enter(state) {
    if (state === this.#state) return;
    this.#state = state;
    this.#tell("state", state);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
