// The links to Flower and to the console: only where there is one, and only from where it can be reached.

const LOCAL = ["localhost", "127.0.0.1"];

/** Show the link, and the note that has it too, when the page was told an address that this browser reaches. */
export function showFlowerLink(link, note) {
  const address = addressOf(link.dataset.flower, window.location.hostname);
  if (address === null) return;
  link.href = note.querySelector("a").href = address;
  link.hidden = note.hidden = false;
}

/** Show the link to the last turn of a device in the console, likewise. */
export function showConsoleLink(link, deviceId) {
  const address = addressOf(link.dataset.console, window.location.hostname);
  if (address === null) return;
  link.href = `${address}#${new URLSearchParams({ device: deviceId })}`;
  link.hidden = false;
}

function addressOf(told, pageHost) {
  const port = told.slice(told.lastIndexOf(":") + 1);
  const host = told.slice(0, told.lastIndexOf(":"));
  if (!port) return null;
  if (host === "any") return `http://${pageHost}:${port}/`;
  if (host === "loopback") return LOCAL.includes(pageHost) ? `http://${pageHost}:${port}/` : null;
  return `http://${host.includes(":") ? `[${host}]` : host}:${port}/`;
}
