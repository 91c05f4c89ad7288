// How large the page shows what it receives, told to the server as it changes: a video is sent as large as it
// is shown, and not at all while nobody sees it. It draws nothing.

/** @import { Viewport } from "./protocol.d.ts" */

/** What changes together, a window dragged larger for instance, is told together. */
const GATHERED_MS = 100;
/** Of one message. */
const MOST_TRACKS = 200;
const LARGEST = 65_535;

/**
 * A place on the page.
 * @typedef {object} Place
 * @property {string} trackId
 * @property {boolean | null} isInView `null`: the browser has not said yet
 * @property {string} told
 */

export class Viewports {
  /** @type {(tracks: Viewport[]) => boolean} */
  #send;
  /** @type {Map<Element, Place>} */
  #places = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #sizes = new ResizeObserver(() => this.#tellSoon());
  #views = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const place = this.#places.get(target);
      if (place) place.isInView = isIntersecting;
    }
    this.#tellSoon();
  });
  // A page in the background has slow timers.
  #turn = () => (document.hidden ? this.#tell() : this.#tellSoon());
  #soon = () => this.#tellSoon();

  /** @param {(tracks: Viewport[]) => boolean} send false if it could not be sent */
  constructor(send) {
    this.#send = send;
    document.addEventListener("visibilitychange", this.#turn);
    // Another display may have other pixels.
    addEventListener("resize", this.#soon);
  }

  /**
   * A track is shown here from now on, and nowhere else.
   * @param {string} trackId
   * @param {Element} element
   */
  show(trackId, element) {
    this.forget(trackId);
    this.#places.set(element, { trackId, isInView: null, told: "" });
    this.#sizes.observe(element);
    this.#views.observe(element);
    this.#tellSoon();
  }

  /** @param {string} trackId */
  forget(trackId) {
    for (const [element, place] of this.#places) {
      if (place.trackId !== trackId) continue;
      this.#places.delete(element);
      this.#sizes.unobserve(element);
      this.#views.unobserve(element);
    }
  }

  /** The server may not have heard what was told: tell all of it again. */
  repeat() {
    for (const place of this.#places.values()) place.told = "";
    this.#tellSoon();
  }

  close() {
    clearTimeout(this.#timer);
    this.#sizes.disconnect();
    this.#views.disconnect();
    this.#places.clear();
    document.removeEventListener("visibilitychange", this.#turn);
    removeEventListener("resize", this.#soon);
  }

  #tellSoon() {
    this.#timer ??= setTimeout(() => this.#tell(), GATHERED_MS);
  }

  #tell() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const changed = [];
    for (const [element, place] of this.#places) {
      const viewport = look(element, place);
      if (!viewport) continue;
      const text = JSON.stringify(viewport);
      if (text !== place.told) changed.push({ place, text, viewport });
    }
    for (let start = 0; start < changed.length; start += MOST_TRACKS) {
      const some = changed.slice(start, start + MOST_TRACKS);
      if (!this.#send(some.map(({ viewport }) => viewport))) return;
      for (const { place, text } of some) place.told = text;
    }
  }
}

/**
 * @param {Element} element
 * @param {Place} place
 * @returns {Viewport | null} `null`: not known yet
 */
function look(element, { trackId, isInView }) {
  const pixels = (/** @type {number} */ length) => Math.min(LARGEST, Math.round(length * devicePixelRatio));
  const { width, height } = element.getBoundingClientRect();
  const size = { track_id: trackId, width: pixels(width), height: pixels(height) };
  // In a window of its own it is seen whatever becomes of the page.
  if (element.contains(document.pictureInPictureElement)) return { ...size, visible: true };
  if (document.hidden) return { ...size, visible: false };
  if (isInView === null) return null;
  return { ...size, visible: isInView && size.width > 0 && size.height > 0 };
}
