// The box that says what went wrong and what can be done about it. What "try again" does is told by whoever
// shows a failure.

import { describe, PlenumError } from "./failures.js";

/** Failures whose own words say more than ours. */
const WITH_DETAIL = ["disconnected", "internal", "media_refused"];

/**
 * @param {object} parts
 * @param {HTMLElement} parts.box
 * @param {(wasDevices: boolean) => void} parts.onGoBack after the box is gone
 */
export function failureBox({ box, onGoBack }) {
  const part = (/** @type {string} */ id) => /** @type {HTMLElement} */ (box.querySelector(`#${id}`));
  let tryAgain = () => {};

  const hide = () => {
    box.hidden = true;
    delete box.dataset.code;
    delete box.dataset.about;
  };

  /**
   * @param {PlenumError} error
   * @param {() => void} again
   * @param {boolean} [isDevices] everything else goes on without them
   */
  const show = (error, again, isDevices = false) => {
    const { title, sentence, advice } = describe(error.code);
    tryAgain = again;
    box.dataset.code = error.code;
    if (isDevices) box.dataset.about = "devices";
    else delete box.dataset.about;
    part("go-on").hidden = !isDevices;
    part("failure-title").textContent = title;
    part("failure-sentence").textContent = sentence;
    part("failure-advice").textContent = advice;
    const hasDetail = error.message !== error.code && WITH_DETAIL.includes(error.code);
    part("failure-detail").textContent = hasDetail ? error.message : "";
    box.hidden = false;
  };

  part("try-again").addEventListener("click", () => {
    hide();
    tryAgain();
  });
  part("go-back").addEventListener("click", () => {
    const wasDevices = box.dataset.about === "devices";
    hide();
    onGoBack(wasDevices);
  });
  part("go-on").addEventListener("click", hide);

  return {
    show,
    hide,
    /** The code of what is shown, if anything is. */
    get code() {
      return box.dataset.code;
    },
    get isAboutDevices() {
      return box.dataset.about === "devices";
    },
  };
}
