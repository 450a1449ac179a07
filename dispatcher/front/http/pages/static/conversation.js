// The written conversation: a pair of bubbles per turn, with the times of the answer.

import { makeFace, showEmotion } from "./faces.js";
import { label } from "./i18n.js";
import { Waterfall } from "./waterfall.js";

const MOST_TURNS = 50;
// Whoever has scrolled up further than this is reading; do not pull the page away.
const FOLLOW_PX = 120;
// After these a sentence follows without a space.
const CJK_END = /[\u3000-\u9fff\uff00-\uffef]$/;

export class Conversation {
  #list;
  #views = new Map();

  /** `list`: the <ol> that holds the turns; its parent scrolls. */
  constructor(list) {
    this.#list = list;
  }

  begin(turn) {
    for (const view of this.#views.values()) view.waterfall.fold();
    const view = turnView(turn);
    this.#views.set(turn.number, view);
    this.#following(() => this.#list.append(view.element), { always: true });
    for (const number of [...this.#views.keys()].slice(0, -MOST_TURNS)) {
      this.#views.get(number).element.remove();
      this.#views.delete(number);
    }
  }

  /** Remove the turns up to this number; returns whether none is left. */
  forget(upTo) {
    for (const [number, view] of this.#views) {
      if (number > upTo) continue;
      view.element.remove();
      this.#views.delete(number);
    }
    return this.#views.size === 0;
  }

  transcript({ turn, text }) {
    this.#with(turn, ({ said }) => {
      if (text) said.replaceChildren(text);
      else said.replaceChildren(remark("turn.nothing"));
    });
  }

  sentence({ turn, text }) {
    this.#with(turn, ({ answer, answered }) => {
      answer.querySelector(".dots")?.remove();
      const before = answered.textContent;
      for (const spoken of answered.children) spoken.classList.remove("now");
      const span = tag("span", "now");
      span.textContent = text;
      answered.append(before && !CJK_END.test(before) ? " " : "", span);
    });
  }

  emotion({ turn, name }) {
    this.#with(turn, ({ face }) => showEmotion(face, name));
  }

  times(turn) {
    this.#with(turn, ({ waterfall }) => waterfall.update(turn.times));
  }

  end({ turn, interrupted }) {
    this.times(turn);
    this.#with(turn, ({ said, answer, answered }) => {
      answer.querySelector(".dots")?.remove();
      for (const spoken of answered.children) spoken.classList.remove("now");
      const wasAnswered = answered.textContent !== "";
      // An answer without a transcript is the server's apology.
      if (said.querySelector(".dots")) {
        said.replaceChildren(remark(wasAnswered || interrupted ? "turn.untold" : "turn.nothing"));
      }
      if (interrupted) answered.after(wasAnswered ? " · " : "", remark("turn.interrupted"));
      else if (!wasAnswered) answer.closest(".assistant").hidden = true;
    });
  }

  #with({ number }, change) {
    const view = this.#views.get(number);
    if (view) this.#following(() => change(view));
  }

  #following(change, { always = false } = {}) {
    const pane = this.#list.parentElement;
    const follows = always || pane.scrollHeight - pane.scrollTop - pane.clientHeight < FOLLOW_PX;
    change();
    if (follows) pane.scrollTop = pane.scrollHeight;
  }
}

function turnView(turn) {
  const element = tag("li", "turn");
  const said = tag("p", "bubble");
  said.dir = "auto";
  said.append(dots());
  if (turn.kind !== "server") element.append(side("user", "turn.you", said));
  const face = makeFace();
  const answered = tag("span", "answered");
  const answer = tag("p", "bubble");
  answer.dir = "auto";
  answer.append(dots(), answered);
  const waterfall = new Waterfall();
  const assistant = side("assistant", "turn.answer", answer, waterfall.element);
  assistant.prepend(face);
  element.append(assistant);
  return { element, said, answer, answered, face, waterfall };
}

function side(name, key, ...content) {
  const element = tag("div", name);
  const body = tag("div", "body");
  body.append(label(tag("span", "visually-hidden"), key), ...content);
  element.append(body);
  return element;
}

function dots() {
  const element = tag("span", "dots");
  element.append(tag("i"), tag("i"), tag("i"), label(tag("span", "visually-hidden"), "turn.waiting"));
  return element;
}

function remark(key) {
  return label(tag("em", "remark"), key);
}

function tag(name, className = "") {
  const element = document.createElement(name);
  element.className = className;
  return element;
}
