// Who this browser is to the server: the two ids that a device keeps in its flash.

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** The device and client id of this browser, made on the first visit. */
export function loadIdentity() {
  return {
    deviceId: remembered("talk.device-id", MAC, makeMac),
    clientId: remembered("talk.client-id", UUID, makeUuid),
  };
}

/** A setting of this browser, or the fallback where it was never stored or storage is forbidden. */
export function recall(key, fallback = null) {
  try {
    return window.localStorage.getItem(key) ?? fallback;
  } catch {
    return fallback;
  }
}

/** Keep a setting; private windows may forbid it, then it lasts as long as the page. */
export function remember(key, value) {
  try {
    window.localStorage.setItem(key, value);
  } catch {
    // Nothing to do: the page works without storage, only with new ids after a reload.
  }
}

function remembered(key, pattern, make) {
  const known = recall(key);
  if (known && pattern.test(known)) return known;
  const made = make();
  remember(key, made);
  return made;
}

function makeMac() {
  const bytes = window.crypto.getRandomValues(new Uint8Array(6));
  // Locally administered, unicast: can never be the address of real hardware.
  bytes[0] = (bytes[0] & 0xfc) | 0x02;
  return [...bytes].map(hex).join(":");
}

function makeUuid() {
  // crypto.randomUUID exists only in secure contexts; this page must also work over plain http on a LAN.
  const bytes = window.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  return [...bytes].map(hex).join("").replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

const hex = (byte) => byte.toString(16).padStart(2, "0");
