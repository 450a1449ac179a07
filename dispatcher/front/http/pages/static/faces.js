// The faces of the protocol's emotions: drawings of our own, the same on every machine.

const SVG = "http://www.w3.org/2000/svg";
const EMOTIONS = new Set([
  "neutral", "happy", "laughing", "funny", "sad", "angry", "crying", "loving", "embarrassed", "surprised", "shocked",
  "thinking", "winking", "cool", "relaxed", "delicious", "kissy", "confident", "sleepy", "silly", "confused",
]);

/** A drawn face, neutral until `showEmotion` says otherwise. */
export function makeFace() {
  const face = document.createElementNS(SVG, "svg");
  face.classList.add("face");
  face.setAttribute("viewBox", "0 0 36 36");
  face.setAttribute("aria-hidden", "true");
  face.append(document.createElementNS(SVG, "use"));
  showEmotion(face, "neutral");
  return face;
}

/** Draw an emotion; a neutral face for one that is not known. */
export function showEmotion(face, emotion) {
  const known = EMOTIONS.has(emotion) ? emotion : "neutral";
  face.dataset.emotion = known;
  face.firstElementChild.setAttribute("href", `/assets/faces.svg#${known}`);
}
