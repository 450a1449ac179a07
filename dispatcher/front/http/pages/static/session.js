// The dialogue: what the user does and what the server says, turned into states and turns.

import { Answer } from "./answer.js";
import { Capture } from "./capture.js";
import { NewDialogue } from "./new-dialogue.js";
import { OpenAborts } from "./open-aborts.js";
import { abort, listenStart, listenStop, NEW_DIALOGUE, typed } from "./protocol.js";
import { Turn } from "./turn.js";

// Shorter than this is a tap, not speech.
const SHORTEST_SPEECH_MS = 300;
// The server closes an utterance at 60 s; the button lets go a little before.
const LONGEST_SPEECH_MS = 58_000;
// Longer than the server's own limit for a turn, which ends with a spoken apology.
const SILENT_SERVER_MS = 70_000;
const MAY_BEGIN = ["ready", "thinking", "speaking"];

/**
 * States: connecting, ready, asking (for the microphone), listening, thinking, speaking, offline.
 *
 * Events: `state` (name) · `turn` (turn) · `transcript` {turn, text} · `sentence` {turn, text} ·
 * `emotion` {turn, name} · `times` (turn) · `forgotten` (number of the last turn that is) · `end` {turn, interrupted} · `notice` ({key} or {text}, or null to clear).
 */
export class Session extends EventTarget {
  #state = "connecting";
  #connection;
  #microphone;
  #player;
  #format;
  #capture;
  #press = 0;
  #pressedAt = 0;
  #stopping = Promise.resolve();
  #turn = null;
  #lastTurn = null;
  #answer = null;
  #answerTimer = 0;
  #aborts = new OpenAborts();
  // The state between two turns: "listening" where the microphone is on without a button.
  #idle = "ready";
  #newDialogue;

  constructor({ connection, microphone, player, format }) {
    super();
    this.#connection = connection;
    this.#microphone = microphone;
    this.#player = player;
    this.#format = format;
    this.#capture = new Capture({ microphone, format, send: (packet) => connection.sendAudio(packet) });
    const send = (message) => connection.send(message);
    this.#newDialogue = new NewDialogue({ send, tell: (type, detail) => this.#tell(type, detail) });
    connection.addEventListener("status", ({ detail }) => this.#onStatus(detail));
    connection.addEventListener("message", ({ detail }) => this.#onMessage(detail));
    connection.addEventListener("audio", ({ detail }) => this.#onAudio(detail));
  }

  get state() {
    return this.#state;
  }

  /** Whether the server finds the end of speech, and speech ends an answer. */
  get handsFree() {
    return this.#idle === "listening";
  }

  /** Packets handed to the socket since the page was opened. */
  get framesSent() {
    return this.#capture.framesSent;
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
    if (this.handsFree || !(await this.#openMicrophone())) return;
    // The permission dialog took the pointer away, so the user has to press once more.
    if (press !== this.#press) this.#backToReady("notice.pressAgain");
    else this.#listen("manual");
  }

  /** Keep the microphone on over all turns, or end that. */
  async toggleHandsFree() {
    this.#player.unlock();
    await this.#stopping;
    if (this.handsFree) {
      this.interrupt();
      this.#abort();
      this.#stopping = this.#capture.end();
      this.#backToReady(null);
    } else if (await this.#openMicrophone()) {
      this.#idle = "listening";
      this.#listen("realtime");
    }
  }

  /** The button comes up: the utterance is over. */
  async stopTalking() {
    this.#press += 1;
    if (!this.#capture.active || this.handsFree) return;
    const isTap = performance.now() - this.#pressedAt < SHORTEST_SPEECH_MS;
    this.#stopping = this.#capture.end();
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
    if (!this.mayBegin) return false;
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
    if (!this.mayBegin) return;
    this.interrupt();
    this.#newDialogue.begin(this.#lastTurn?.number ?? 0);
  }

  /** Whether a turn may begin now. */
  get mayBegin() {
    return MAY_BEGIN.includes(this.#state) || this.#state === this.#idle;
  }

  /** Returns whether it is open, and nothing else has begun meanwhile. */
  async #openMicrophone() {
    if (!MAY_BEGIN.includes(this.#state)) return false;
    this.interrupt();
    this.#enter("asking");
    try {
      await this.#microphone.open();
    } catch (error) {
      if (this.#state === "asking") this.#backToReady(`microphone.${error.reason}`);
      return false;
    }
    if (this.#state !== "asking") this.#microphone.letGoLater();
    return this.#state === "asking";
  }

  #listen(mode) {
    this.#connection.send(listenStart(mode));
    this.#pressedAt = performance.now();
    if (this.handsFree) this.#capture.begin();
    else this.#capture.begin(LONGEST_SPEECH_MS, () => this.stopTalking());
    this.#tell("notice", null);
    this.#enter("listening");
  }

  #begin(kind, spoken) {
    const turn = new Turn(kind, spoken);
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
    if (this.#state === "thinking" || this.#state === "speaking") this.#enter(this.#idle);
  }

  #abort() {
    this.#connection.send(abort());
    this.#aborts.add();
  }

  #onStatus(status) {
    this.#aborts.clear();
    this.#idle = "ready";
    if (this.#turn) this.#end({ interrupted: true });
    if (this.#capture.active) this.#stopping = this.#capture.end();
    this.#enter(status);
  }

  #onMessage(message) {
    if (this.#aborts.take(message)) return;
    this.#expectServer();
    if (message.type === "tts") this.#onTts(message);
    else if (message.type === NEW_DIALOGUE) this.#newDialogue.confirm();
    else if (message.type === "alert") this.#tell("notice", { text: String(message.message ?? "") });
    else if (message.type === "stt") this.#onTranscript(message);
    else if (this.#turn && message.type === "llm" && message.emotion)
      this.#tell("emotion", { turn: this.#turn, name: String(message.emotion) });
  }

  #onTranscript({ text: said, ...spoken }) {
    if (this.#turn === null && !this.handsFree) return;
    const text = String(said ?? "");
    // The rest of an answer that was spoken over may still be heard.
    if (this.handsFree && this.#turn?.closed) this.#end({ interrupted: true });
    if (this.#turn === null) this.#begin("voice", spoken);
    this.#turn.mark("transcript");
    this.#tell("transcript", { turn: this.#turn, text });
    this.#tell("times", this.#turn);
  }

  #onTts({ state, text }) {
    if (state === "start") {
      if (this.#turn === null && this.#state === this.#idle) this.#begin("server");
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
    if (this.#aborts.any || this.#answer === null) return;
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
    this.#enter((this.#idle = "ready"));
    this.#tell("notice", noticeKey && { key: noticeKey });
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
