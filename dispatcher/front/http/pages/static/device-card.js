// "Connect a device": the OTA address to type into a real one, in letters and as a QR code.

import { label } from "./i18n.js";

const COPIED_MS = 2000;

export class DeviceCard {
  #dialog;
  #address;
  #note;
  #code;

  constructor(dialog, opener) {
    this.#dialog = dialog;
    this.#address = dialog.querySelector("code");
    this.#note = dialog.querySelector(".note");
    this.#code = dialog.querySelector(".qr");
    opener.addEventListener("click", () => this.#open());
    // A click on the dialog itself is one beside its content: on the backdrop.
    dialog.addEventListener("click", ({ target }) => target === dialog && dialog.close());
    const copy = dialog.querySelector(".copy");
    copy.addEventListener("click", () => this.#copy(copy));
    this.#show({ ota: new URL("/xiaozhi/ota/", window.location.href).href, local: false });
  }

  /** The server knows its address on the network; asked each time, since a machine may move to another one. */
  async #open() {
    this.#dialog.showModal();
    try {
      const response = await fetch("/device-address", { cache: "no-store" });
      if (response.ok) this.#show(await response.json());
    } catch {
      // Out of reach: what was shown last stands.
    }
  }

  #show({ ota, local }) {
    // A narrow screen breaks the line behind a slash.
    const parts = ota.split(/(?<=\/)/).flatMap((part) => [part, document.createElement("wbr")]);
    this.#address.replaceChildren(...parts);
    this.#note.hidden = !local;
    this.#code.hidden = local || !this.#dialog.open;
    if (!this.#code.hidden) this.#code.src = `/device-address.svg?of=${encodeURIComponent(ota)}`;
  }

  async #copy(button) {
    try {
      await navigator.clipboard.writeText(this.#address.textContent);
    } catch {
      // The clipboard API is hidden on plain http; this old way is not.
      window.getSelection().selectAllChildren(this.#address);
      document.execCommand("copy");
    }
    label(button, "device.copied");
    setTimeout(() => label(button, "device.copy"), COPIED_MS);
  }
}
