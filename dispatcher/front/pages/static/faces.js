// The faces of the protocol's emotions.

const FACES = {
  neutral: "😐",
  happy: "🙂",
  laughing: "😆",
  funny: "😂",
  sad: "😔",
  angry: "😠",
  crying: "😭",
  loving: "😍",
  embarrassed: "😳",
  surprised: "😲",
  shocked: "😱",
  thinking: "🤔",
  winking: "😉",
  cool: "😎",
  relaxed: "😌",
  delicious: "🤤",
  kissy: "😘",
  confident: "😏",
  sleepy: "😴",
  silly: "😜",
  confused: "🙄",
};

/** The emoji of an emotion; a neutral face for one that is not known. */
export function faceOf(emotion) {
  return Object.hasOwn(FACES, emotion) ? FACES[emotion] : FACES.neutral;
}
