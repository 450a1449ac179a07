// Fingers, mouse and keyboard on the talk button, as "goes down" and "comes up".

// A finger that is up again sooner has tapped, and wants the microphone on until it taps once more.
const TAP_MS = 300;
const TAPPED = "tap";
const FIELDS = "input, textarea, select, [contenteditable]";

/** The big button: pointer, space bar anywhere outside of text fields, and a plain click from assistive tools. */
export class TalkButton {
  #button;
  #onDown;
  #onUp;
  #onLatch;
  #listens;
  #heldBy = null;
  #downAt = 0;

  /** `onLatch()`: a tap leaves the button down. `listens()`: whether what a tap began still goes on. */
  constructor(button, { onDown, onUp, onLatch, listens }) {
    this.#button = button;
    this.#onLatch = onLatch;
    this.#listens = listens;
    this.#onDown = onDown;
    this.#onUp = onUp;
    button.addEventListener("pointerdown", (event) => this.#pointerDown(event));
    button.addEventListener("pointerup", (event) => this.#latchTap(event));
    for (const type of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(type, ({ pointerId }) => this.#release(pointerId));
    }
    // A long press on a phone is our gesture, not the system's menu.
    button.addEventListener("contextmenu", (event) => event.preventDefault());
    button.addEventListener("click", (event) => this.#click(event));
    window.addEventListener("keydown", (event) => this.#keyDown(event));
    window.addEventListener("keyup", (event) => this.#keyUp(event));
    window.addEventListener("blur", () => this.#letGo());
    document.addEventListener("visibilitychange", () => document.hidden && this.#letGo());
  }

  /** Whether a tap keeps it down. */
  get latched() {
    return this.#heldBy === TAPPED;
  }

  #pointerDown(event) {
    if (event.button !== 0) return;
    if (this.latched) {
      const wasOn = this.#listens();
      this.#letGo();
      if (wasOn) return;
    }
    this.#button.setPointerCapture(event.pointerId);
    this.#downAt = event.timeStamp;
    this.#hold(event.pointerId);
  }

  #latchTap({ pointerId, pointerType, timeStamp }) {
    if (pointerType !== "touch" || this.#heldBy !== pointerId || timeStamp - this.#downAt >= TAP_MS) return;
    this.#heldBy = TAPPED;
    this.#onLatch();
  }

  #keyDown(event) {
    if (!this.#isTalkKey(event)) return;
    event.preventDefault();
    if (!event.repeat) this.#hold(event.code);
  }

  #keyUp(event) {
    // Firefox makes a click of this, even when the key's way down was prevented.
    if (event.target === this.#button && event.code === this.#heldBy) event.preventDefault();
    this.#release(event.code);
  }

  #isTalkKey({ code, target, altKey, ctrlKey, metaKey }) {
    if (altKey || ctrlKey || metaKey || document.querySelector("dialog[open]")) return false;
    if (target === this.#button) return code === "Space" || code === "Enter";
    if (code !== "Space" || target.closest?.(FIELDS)) return false;
    // Whoever walks the page by keyboard wants the space bar for the control in focus;
    // a control that has focus only because it was clicked does not need it.
    return !target.closest?.("button, summary, a")?.matches(":focus-visible");
  }

  /** Screen readers and voice control cannot hold: their click, which has no press before it, toggles. */
  #click({ detail }) {
    if (detail !== 0) return;
    if (this.#heldBy === "click") this.#letGo();
    else this.#hold("click");
  }

  #hold(by) {
    if (this.#heldBy !== null) return;
    this.#heldBy = by;
    this.#button.setAttribute("aria-pressed", "true");
    this.#onDown();
  }

  #release(by) {
    if (this.#heldBy === by) this.#letGo();
  }

  #letGo() {
    if (this.#heldBy === null) return;
    this.#heldBy = null;
    this.#button.setAttribute("aria-pressed", "false");
    this.#onUp();
  }
}

/** The text field: `onText(text)` returns whether the text was taken; only then the field is emptied. */
export function wireComposer(form, onText) {
  const field = form.elements.namedItem("text");
  const isTouch = window.matchMedia("(pointer: coarse)");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const text = field.value.trim();
    if (text && onText(text)) field.value = "";
    // A phone's keyboard would hide the answer; at a desk one goes on typing.
    if (isTouch.matches) field.blur();
    else field.focus();
  });
}
