// The times of a turn as bars: each from the moment before it to its own.

import { label, number } from "./i18n.js";
import { MARKS } from "./turn.js";

// The first sound ends at this share of the width. The end of the answer, often ten times later,
// runs off the edge: on one scale it would leave nothing to see of the rest.
const FIRST_AUDIO_SHARE = 0.72;

/** A folding block that `update(times)` redraws. */
export class Waterfall {
  #rows = new Map();
  #summary;
  #list = document.createElement("dl");

  constructor() {
    this.element = document.createElement("details");
    this.element.className = "times";
    this.element.open = true;
    this.element.hidden = true;
    this.#summary = document.createElement("summary");
    // Inside the live log: the bars are not worth reading out each time they grow.
    this.element.setAttribute("aria-live", "off");
    this.element.append(this.#summary, this.#list);
    for (const name of MARKS) this.#makeRow(name);
  }

  fold() {
    this.element.open = false;
  }

  update(times) {
    const known = MARKS.filter((name) => name in times);
    this.element.hidden = known.length === 0;
    const scale = this.#scale(times);
    this.#list.replaceChildren(...known.map((name) => this.#rows.get(name).row));
    let before = 0;
    for (const name of known) {
      const { bar, value } = this.#rows.get(name);
      const [from, to] = [Math.min(1, before * scale), Math.min(1, times[name] * scale)];
      bar.style.setProperty("--from", from);
      bar.style.setProperty("--width", Math.max(0, to - from));
      bar.classList.toggle("beyond", times[name] * scale > 1);
      label(value, "times.ms", { ms: number(times[name]) });
      before = times[name];
    }
    if ("firstAudio" in times) label(this.#summary, "times.summary", { ms: number(times.firstAudio) });
    else label(this.#summary, "times.title");
  }

  #scale({ complete, firstAudio, ...rest }) {
    if (firstAudio) return FIRST_AUDIO_SHARE / firstAudio;
    return 1 / Math.max(1, complete ?? 0, ...Object.values(rest));
  }

  #makeRow(name) {
    const row = document.createElement("div");
    const term = label(document.createElement("dt"), `times.${name}`);
    const track = document.createElement("dd");
    track.className = "track";
    track.setAttribute("aria-hidden", "true");
    const bar = document.createElement("i");
    bar.className = name;
    track.append(bar);
    const value = document.createElement("dd");
    row.append(term, track, value);
    this.#rows.set(name, { row, bar, value });
  }
}
