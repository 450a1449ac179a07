// Elements from data: texts are always text, and what stays the same keeps its focus and its place.

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; null, undefined and false are left out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for a drawing. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    // The policy forbids style attributes in markup; properties that a script sets are none.
    if (name === "style") for (const [key, set] of Object.entries(value)) element.style.setProperty(key, set);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Make the children of an element like these, changing only what differs. */
export function show(parent, ...children) {
  const wanted = filled(parent.cloneNode(false), {}, children);
  morphChildren(parent, wanted);
}

function morph(before, after) {
  if (before.nodeType === Node.TEXT_NODE) {
    if (before.data !== after.data) before.data = after.data;
    return;
  }
  for (const { name } of Array.from(before.attributes)) {
    // A reader opened it, not the data.
    if (!after.hasAttribute(name) && name !== "open" && name !== "style") before.removeAttribute(name);
  }
  for (const { name, value } of after.attributes) {
    if (name !== "style" && before.getAttribute(name) !== value) before.setAttribute(name, value);
  }
  if (before.style.cssText !== after.style.cssText) before.style.cssText = after.style.cssText;
  if (before.dataset.own === undefined) morphChildren(before, after);
}

function morphChildren(before, after) {
  const keyed = new Map([...before.children].filter((each) => each.dataset.key).map((each) => [each.dataset.key, each]));
  let place = before.firstChild;
  for (const wanted of Array.from(after.childNodes)) {
    const known = wanted.dataset?.key ? keyed.get(wanted.dataset.key) : undefined;
    if (known && known !== place) before.insertBefore(known, place);
    const current = known ?? place;
    if (current && isLike(current, wanted)) {
      morph(current, wanted);
      place = current.nextSibling;
    } else {
      before.insertBefore(wanted, place);
    }
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function isLike(before, wanted) {
  return before.nodeName === wanted.nodeName && before.dataset?.key === wanted.dataset?.key;
}
