// The ring of bars around the button: how loud the last second was, for whoever speaks.

const BARS = 72;
// The newest level is at the top; it wanders down both sides, one bar per step.
const STEP_MS = 30;
const ATTACK = 0.55;
const RELEASE = 0.14;
// After the last word the bars sink together, in about a third of a second.
const SINK = 0.75;
const VISIBLE = 0.01;

export class Meter {
  #canvas;
  #levelNow;
  #history = new Float32Array(BARS / 2 + 1);
  #smooth = 0;
  #steppedAt = 0;
  #active = false;
  #drawing = false;
  #calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  /** `levelNow()` returns 0..1; the colour is the canvas's CSS colour. */
  constructor(canvas, levelNow) {
    this.#canvas = canvas;
    this.#levelNow = levelNow;
  }

  /** Show the level, or let the bars sink and then rest. */
  set active(active) {
    this.#active = active;
    if (active && !this.#drawing) {
      this.#drawing = true;
      requestAnimationFrame((now) => this.#frame(now));
    }
  }

  #frame(now) {
    if (now - this.#steppedAt >= STEP_MS) {
      this.#steppedAt = now;
      this.#step();
      this.#draw();
    }
    this.#drawing = this.#active || this.#history.some((level) => level > VISIBLE);
    if (this.#drawing) requestAnimationFrame((next) => this.#frame(next));
    else this.#clear();
  }

  #step() {
    const target = this.#active ? this.#levelNow() : 0;
    this.#smooth += (target - this.#smooth) * (target > this.#smooth ? ATTACK : RELEASE);
    // Without motion: one even ring that only gets stronger and weaker.
    if (this.#calm.matches) this.#history.fill(this.#smooth);
    else this.#history.copyWithin(1, 0);
    this.#history[0] = this.#smooth;
    if (!this.#active) this.#history.forEach((level, age) => (this.#history[age] = level * SINK));
  }

  #draw() {
    const { context, size } = this.#clear();
    const centre = size / 2;
    const inner = size * 0.375;
    const longest = size * 0.115;
    context.strokeStyle = getComputedStyle(this.#canvas).color;
    context.lineCap = "round";
    context.lineWidth = size * 0.0125;
    for (let bar = 0; bar < BARS; bar += 1) {
      const age = bar <= BARS / 2 ? bar : BARS - bar;
      const level = this.#history[age] * (1 - (0.45 * age) / (BARS / 2));
      const angle = (bar / BARS) * 2 * Math.PI - Math.PI / 2;
      const outer = inner + Math.max(0.5, level * longest);
      context.globalAlpha = 0.22 + 0.78 * level;
      context.beginPath();
      context.moveTo(centre + Math.cos(angle) * inner, centre + Math.sin(angle) * inner);
      context.lineTo(centre + Math.cos(angle) * outer, centre + Math.sin(angle) * outer);
      context.stroke();
    }
  }

  #clear() {
    const canvas = this.#canvas;
    const size = Math.round(canvas.clientWidth * window.devicePixelRatio);
    if (canvas.width !== size) canvas.width = canvas.height = size;
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, size, size);
    return { context, size };
  }
}
