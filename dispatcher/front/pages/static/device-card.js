// "Connect a device": the OTA address to type into a real one.

import { label } from "./i18n.js";

const LOOPBACK = /^(localhost|127(\.\d+){3}|\[::1\])$/;
const COPIED_MS = 2000;

export class DeviceCard {
  #dialog;
  #address;
  #note;

  constructor(dialog, opener) {
    this.#dialog = dialog;
    this.#address = dialog.querySelector("input");
    this.#note = dialog.querySelector(".note");
    opener.addEventListener("click", () => dialog.showModal());
    // A click on the dialog itself is one beside its content: on the backdrop.
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    this.#address.addEventListener("focus", () => this.#address.select());
    const copy = dialog.querySelector(".copy");
    copy.addEventListener("click", () => this.#copy(copy));
    this.show(window.location.href);
  }

  /**
   * Show the address for devices.
   *
   * `socketAddress`: what OTA told this page. Its host is the better one when the page was opened
   * by a name that only this machine understands and the server knows its public one.
   */
  show(socketAddress) {
    const page = window.location;
    const told = new URL(socketAddress, page.href);
    const isLocal = LOOPBACK.test(page.hostname);
    const host = isLocal && !LOOPBACK.test(told.hostname) ? told.host : page.host;
    const isSecure = host === page.host ? page.protocol === "https:" : told.protocol === "wss:";
    this.#address.value = `${isSecure ? "https" : "http"}://${host}/xiaozhi/ota/`;
    this.#note.hidden = host !== page.host || !isLocal;
    label(this.#note, "device.local", { host: page.hostname });
  }

  async #copy(button) {
    try {
      await navigator.clipboard.writeText(this.#address.value);
    } catch {
      // The clipboard API is hidden on plain http; this old way is not.
      this.#address.select();
      document.execCommand("copy");
    }
    label(button, "device.copied");
    setTimeout(() => label(button, "device.copy"), COPIED_MS);
  }
}
