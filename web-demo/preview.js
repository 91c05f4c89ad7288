// Oneself: the preview, the microphone and camera toggles, and the choice of devices. The same before and
// after joining. It shows what the devices say they are, never what was merely asked of them.

/** @import { DeviceKind, Devices } from "./devices.js" */

import { person } from "./tiles.js";

/** @type {DeviceKind[]} */
const KINDS = ["camera", "microphone"];

/**
 * @param {object} parts
 * @param {Devices} parts.devices
 * @param {HTMLElement} parts.figure
 * @param {Record<DeviceKind, HTMLButtonElement>} parts.toggles
 * @param {Record<DeviceKind, HTMLSelectElement>} parts.selects
 * @param {() => { name: string, role: string, isHandRaised: boolean, isSpeaking: boolean }} parts.who
 * @returns {{ render: () => void }}
 */
export function preview({ devices, figure, toggles, selects, who }) {
  const video = /** @type {HTMLVideoElement} */ (figure.querySelector("video"));

  const render = () => {
    const { name, role, isHandRaised, isSpeaking } = who();
    person(figure, name || "You", role);
    const label = figure.querySelector(".name");
    if (label) label.textContent = name ? `${name} (you)` : "You";
    figure.dataset.hand = isHandRaised ? "raised" : "down";
    figure.dataset.speaking = String(isSpeaking);
    for (const kind of KINDS) show(kind, devices.isOn(kind));
    const shown = video.srcObject instanceof MediaStream ? video.srcObject.getVideoTracks()[0] : null;
    if ((shown ?? null) !== devices.camera) {
      video.srcObject = devices.camera ? new MediaStream([devices.camera]) : null;
    }
    // Moving the element within the page pauses it.
    if (video.srcObject && video.paused) video.play().catch(() => {});
  };

  /**
   * @param {DeviceKind} kind
   * @param {boolean} on
   */
  const show = (kind, on) => {
    figure.dataset[kind] = on ? "on" : "off";
    if (kind === "camera") figure.dataset.picture = on ? "on" : "off";
    const button = toggles[kind];
    button.setAttribute("aria-pressed", String(on));
    const title = `${kind === "camera" ? "Camera" : "Microphone"} is ${on ? "on" : "off"}`;
    button.title = title;
    button.setAttribute("aria-label", title);
    button.querySelector("use")?.setAttribute("href", `#icon-${kind}${on ? "" : "-off"}`);
  };

  const list = async () => {
    const all = await devices.list();
    for (const kind of KINDS) {
      const options = all.filter((device) => device.kind === kind).map(({ label, id, isCurrent }) => new Option(label, id, isCurrent, isCurrent));
      const select = selects[kind];
      if (options.length === 0) options.push(new Option(kind === "camera" ? "No camera" : "No microphone", ""));
      select.disabled = options[0]?.value === "";
      select.replaceChildren(...options);
    }
  };

  for (const kind of KINDS) {
    toggles[kind].addEventListener("click", () => void devices.set(kind, toggles[kind].getAttribute("aria-pressed") !== "true"));
    selects[kind].addEventListener("change", () => void devices.choose(kind, selects[kind].value));
  }
  devices.on("change", () => (render(), void list()));
  devices.on("list", () => void list());
  render();
  void list();
  return { render };
}
