// Fingers, mouse and keyboard on the talk button, as "goes down" and "comes up".

const FIELDS = "input, textarea, select, [contenteditable]";

/** The big button: pointer, space bar anywhere outside of text fields, and a plain click from assistive tools. */
export class TalkButton {
  #button;
  #onDown;
  #onUp;
  #heldBy = null;

  constructor(button, { onDown, onUp }) {
    this.#button = button;
    this.#onDown = onDown;
    this.#onUp = onUp;
    button.addEventListener("pointerdown", (event) => this.#pointerDown(event));
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

  #pointerDown(event) {
    if (event.button !== 0) return;
    this.#button.setPointerCapture(event.pointerId);
    this.#hold(event.pointerId);
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
