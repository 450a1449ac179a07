// A small curve without axes; its place and its height are all that it tells.

import { svg } from "./dom.js";

const [WIDTH, HEIGHT] = [84, 26];

/** The curve of [time, value] points; nothing where there are not two. */
export function sparkline(points) {
  if (points.length < 2) return null;
  const values = points.map(([, value]) => value);
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const [first, last] = [points[0][0], points.at(-1)[0]];
  const x = (at) => (((at - first) / (last - first || 1)) * (WIDTH - 4) + 2).toFixed(1);
  const y = (value) => (HEIGHT - 3 - ((value - low) / (high - low || 1)) * (HEIGHT - 6)).toFixed(1);
  const line = points.map(([at, value]) => `${x(at)},${y(value)}`).join(" ");
  return svg(
    "svg",
    { class: "sparkline", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, "aria-hidden": "true" },
    svg("polyline", { points: line }),
    svg("circle", { cx: x(last), cy: y(values.at(-1)), r: 2.2 }),
  );
}
