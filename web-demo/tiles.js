// The tiles: one for each other participant, with picture, sound and states, and one for each shared screen.
// They show what the room says; what is clicked is told on, not decided here.

/** @import { Participant } from "./protocol.d.ts" */
/** @import { RemoteTrack, Room } from "./plenum.js" */

import { actions } from "./moderation.js";
import { onNextFrame } from "./next-frame.js";

/**
 * @typedef {object} Tile
 * @property {HTMLElement} element
 * @property {HTMLVideoElement} video
 * @property {Map<string, HTMLAudioElement>} audio by track id
 */

export class Tiles {
  #container;
  #screens;
  #options;
  /** @type {Map<string, Tile>} */
  #tiles = new Map();
  /** Shared screens, by track id. @type {Map<string, HTMLElement>} */
  #shared = new Map();
  #arrangeSoon;

  /**
   * @param {HTMLElement} container
   * @param {HTMLElement} screens
   * @param {object} options
   * @param {(participantId: string) => void} options.onMute a moderator wants somebody silent
   * @param {(participantId: string, anchor: HTMLElement) => void} options.onMore a moderator wants to see what else can be done
   * @param {(blocked: HTMLMediaElement) => void} options.onBlocked the browser does not play sound before a click
   */
  constructor(container, screens, options) {
    this.#container = container;
    this.#screens = screens;
    this.#options = options;
    // To ask for sizes any sooner is to have the page laid out once more.
    this.#arrangeSoon = onNextFrame(() => arrange(container));
    new ResizeObserver(this.#arrangeSoon).observe(container);
  }

  /**
   * Show the participants as they are now.
   * @param {Room} room
   */
  update(room) {
    const here = new Set(room.participants.map((participant) => participant.id));
    for (const [id, tile] of this.#tiles) {
      if (here.has(id)) continue;
      this.#tiles.delete(id);
      tile.element.remove();
    }
    for (const participant of room.participants) {
      const tile = this.#tiles.get(participant.id) ?? this.#add(participant);
      describe(tile, participant, room);
    }
    for (const { participant, publication } of room.tracks) {
      const screen = this.#shared.get(publication.id);
      const caption = screen?.querySelector("figcaption");
      if (caption) caption.textContent = `${participant.name}’s screen`;
    }
    this.#arrangeSoon();
  }

  /**
   * A track can be played. Gives the element that shows it, if it is a video.
   * @param {RemoteTrack} remote
   * @returns {Element | null}
   */
  attach({ track, participant, publication }) {
    const tile = this.#tiles.get(participant.id) ?? this.#add(participant);
    const stream = new MediaStream([track]);
    if (publication.kind === "audio") {
      const audio = document.createElement("audio");
      audio.autoplay = true;
      audio.srcObject = stream;
      tile.audio.set(publication.id, audio);
      tile.element.append(audio);
      audio.play().catch((error) => {
        if (error.name === "NotAllowedError") this.#options.onBlocked(audio);
      });
      return null;
    }
    if (publication.source === "screen") {
      const figure = this.#share(participant, stream);
      this.#shared.set(publication.id, figure);
      this.#screens.parentElement?.classList.add("with-screen");
      this.#arrangeSoon();
      return figure;
    }
    tile.video.srcObject = stream;
    tile.video.dataset.track = publication.id;
    tile.video.play().catch(() => {});
    // Not the video itself: it is not there while the camera is off.
    return tile.element;
  }

  /**
   * It can be played no longer.
   * @param {RemoteTrack} remote
   */
  detach({ participant, publication }) {
    this.#shared.get(publication.id)?.remove();
    this.#shared.delete(publication.id);
    this.#screens.parentElement?.classList.toggle("with-screen", this.#shared.size > 0);
    const tile = this.#tiles.get(participant.id);
    tile?.audio.get(publication.id)?.remove();
    tile?.audio.delete(publication.id);
    if (tile?.video.dataset.track === publication.id) {
      tile.video.srcObject = null;
      delete tile.video.dataset.track;
    }
    this.#arrangeSoon();
  }

  /** Nobody is here any more. */
  clear() {
    for (const tile of this.#tiles.values()) tile.element.remove();
    for (const screen of this.#shared.values()) screen.remove();
    this.#tiles.clear();
    this.#shared.clear();
    this.#screens.parentElement?.classList.remove("with-screen");
  }

  /** @param {Participant} participant */
  #add(participant) {
    const element = document.createElement("figure");
    element.className = "tile";
    element.dataset.testid = "tile";
    element.dataset.participant = participant.id;
    element.innerHTML = `
      <div class="placeholder"><span class="initials"></span><img alt="" hidden></div>
      <video muted autoplay playsinline></video>
      <figcaption>
        <svg class="state-microphone" role="img" aria-label="Microphone off"><use href="#icon-microphone-off"/></svg>
        <svg class="state-camera" role="img" aria-label="Camera off"><use href="#icon-camera-off"/></svg>
        <span class="name"></span>
        <span class="role"></span>
      </figcaption>
      <span class="hand" role="img" aria-label="Hand raised"><svg><use href="#icon-hand"/></svg></span>
      <span class="live">live</span>
      <p class="away">reconnecting…</p>
      <div class="moderate">
        <button type="button" class="mute" data-testid="mute-participant" hidden></button>
        <button type="button" class="more" data-testid="more" aria-haspopup="menu" hidden>⋯</button>
      </div>`;
    const video = /** @type {HTMLVideoElement} */ (element.querySelector("video"));
    // The attribute alone does not count on elements made by a script.
    video.muted = true;
    element.querySelector(".mute")?.addEventListener("click", () => this.#options.onMute(participant.id));
    const more = /** @type {HTMLElement} */ (element.querySelector(".more"));
    more.addEventListener("click", () => this.#options.onMore(participant.id, more));
    const tile = { element, video, audio: new Map() };
    this.#tiles.set(participant.id, tile);
    // One's own tile stays the last.
    this.#container.insertBefore(element, this.#container.querySelector("#self"));
    return tile;
  }

  /**
   * @param {Participant} participant
   * @param {MediaStream} stream
   */
  #share(participant, stream) {
    const figure = document.createElement("figure");
    figure.className = "screen";
    figure.dataset.testid = "screen";
    figure.dataset.participant = participant.id;
    const video = document.createElement("video");
    video.muted = video.autoplay = video.playsInline = true;
    video.srcObject = stream;
    const caption = document.createElement("figcaption");
    caption.textContent = `${participant.name}’s screen`;
    figure.append(video, caption);
    figure.title = "Double-click for the whole display";
    figure.addEventListener("dblclick", () => void (document.fullscreenElement ? document.exitFullscreen() : figure.requestFullscreen()));
    this.#screens.append(figure);
    video.play().catch(() => {});
    return figure;
  }
}

/**
 * @param {Tile} tile
 * @param {Participant} participant
 * @param {Room} room
 */
function describe({ element, video }, participant, room) {
  const sound = participant.tracks.find((track) => track.source === "microphone");
  const picture = participant.tracks.find((track) => track.source === "camera");
  const { dataset } = element;
  dataset.name = participant.name;
  dataset.role = participant.role;
  dataset.camera = participant.camera && picture?.muted !== true ? "on" : "off";
  dataset.microphone = participant.microphone && sound?.muted !== true ? "on" : "off";
  dataset.hand = participant.hand_raised ? "raised" : "down";
  dataset.away = String(participant.away);
  dataset.host = String(participant.host);
  dataset.live = String(room.live.has(participant.id));
  dataset.speaking = String(room.speakers.includes(participant.id));
  dataset.picture = dataset.camera === "on" && video.srcObject ? "on" : "off";
  element.setAttribute("aria-label", `${participant.name}, ${participant.role}`);
  person(element, participant.name, participant.host ? "host" : participant.role, participant.avatar_url);
  const mute = /** @type {HTMLButtonElement} */ (element.querySelector(".mute"));
  mute.hidden = !room.self?.moderator || !sound || sound.muted;
  mute.textContent = "Mute";
  mute.setAttribute("aria-label", `Mute ${participant.name}`);
  const more = /** @type {HTMLElement} */ (element.querySelector(".more"));
  more.hidden = actions(room, participant).length === 0;
  more.setAttribute("aria-label", `More for ${participant.name}`);
}

/**
 * Name, role and what stands for the picture while there is none.
 * @param {HTMLElement} element
 * @param {string} name
 * @param {string} role
 * @param {string} [avatar]
 */
export function person(element, name, role, avatar) {
  const text = (/** @type {string} */ selector, /** @type {string} */ value) => {
    const found = element.querySelector(selector);
    if (found && found.textContent !== value) found.textContent = value;
  };
  text(".name", name);
  text(".role", role);
  text(".initials", initials(name));
  element.style.setProperty("--hue", String(hue(name)));
  const image = element.querySelector("img");
  if (!image || !avatar || image.getAttribute("src") === avatar) return;
  image.onload = () => (image.hidden = false);
  image.onerror = () => (image.hidden = true);
  image.referrerPolicy = "no-referrer";
  image.src = avatar;
}

/** @param {string} name */
function initials(name) {
  const words = name.trim().split(/\s+/u).filter(Boolean);
  const chosen = words.length > 1 ? [words[0], words[words.length - 1]] : words;
  return chosen.map((word) => [...(word ?? "")][0]?.toUpperCase() ?? "").join("") || "?";
}

/** The same name has the same colour everywhere. @param {string} name */
function hue(name) {
  let sum = 7;
  for (const character of name) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 3600;
  return sum % 360;
}

const GAP = 10;
/** Shapes a tile may have, and how well each is liked: the further from the camera's own, the more is cut off. */
const SHAPES = [[16 / 9, 1.25], [3 / 2, 1.1], [4 / 3, 1], [1, 0.7], [3 / 4, 0.5]].map(([a, b]) => /** @type {const} */ ([a ?? 1, b ?? 1]));
/** Below this a face cannot be told; the tiles are scrolled then. */
const SMALLEST = 112;

/**
 * As large as the tiles can be, all of one size and all in sight.
 * @param {HTMLElement} container
 */
function arrange(container) {
  const count = container.querySelectorAll(".tile").length;
  // Rounded down: a hair too wide, and the last tile of a row would wrap.
  const width = Math.floor(Math.min(container.clientWidth, container.getBoundingClientRect().width));
  const height = Math.floor(Math.min(container.clientHeight, container.getBoundingClientRect().height));
  if (!count || !width || !height) return;
  let best = { area: 0, width: 0, height: 0 };
  for (const [shape, preference] of SHAPES) {
    for (let columns = 1; columns <= count; columns++) {
      const rows = Math.ceil(count / columns);
      const across = (width - GAP * (columns - 1)) / columns;
      const down = (height - GAP * (rows - 1)) / rows;
      const tile = Math.floor(Math.min(across, down * shape));
      const area = ((tile * tile) / shape) * preference;
      if (area > best.area) best = { area, width: tile, height: Math.floor(tile / shape) };
    }
  }
  if (best.width < SMALLEST) {
    const columns = Math.max(1, Math.floor((width + GAP) / (SMALLEST + GAP)));
    const tile = Math.floor((width - GAP * (columns - 1)) / columns);
    best = { area: 0, width: tile, height: Math.floor((tile * 3) / 4) };
  }
  container.style.setProperty("--tile-width", `${best.width}px`);
  container.style.setProperty("--tile-height", `${best.height}px`);
}
