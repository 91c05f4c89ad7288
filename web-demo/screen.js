// The screen, window or tab that is shared: chosen by the user in the browser's own dialog, and ended there or here.

/** @import { Publications } from "./publications.js" */

import { Emitter } from "./emitter.js";
import { asPlenumError } from "./failures.js";

const VIDEO = { frameRate: { max: 30 } };

/**
 * Events: `change` when sharing begins and ends.
 * @extends {Emitter<{ change: void }>}
 */
export class Screen extends Emitter {
  /** @type {Publications} */
  #publications;
  /** @type {MediaStream | null} */
  #stream = null;

  /** @param {Publications} publications */
  constructor(publications) {
    super();
    this.#publications = publications;
  }

  /** What is being shared, while it is. */
  get stream() {
    return this.#stream;
  }

  /** Let the user choose. @returns {Promise<boolean>} false if they chose nothing */
  async share() {
    if (this.#stream) return true;
    /** @type {MediaStream} */
    let stream;
    try {
      stream = await navigator.mediaDevices.getDisplayMedia({ video: VIDEO, audio: true });
    } catch (error) {
      if (error instanceof DOMException && (error.name === "NotAllowedError" || error.name === "AbortError")) return false;
      throw asPlenumError(error);
    }
    const [video] = stream.getVideoTracks();
    const [audio] = stream.getAudioTracks();
    if (!video) return false;
    this.#stream = stream;
    if ("contentHint" in video) video.contentHint = "detail";
    video.addEventListener("ended", () => {
      if (this.#stream === stream) this.stop();
    });
    this.#publications.set("screen", video, false);
    if (audio) this.#publications.set("screen_audio", audio, false);
    this.emit("change", undefined);
    return true;
  }

  /** Share no longer. */
  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.#publications.remove("screen");
    this.#publications.remove("screen_audio");
    this.emit("change", undefined);
  }
}
