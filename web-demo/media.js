// The media of a stay: what is sent, what comes, and a connection with the server that is mended or made anew for as
// long as the stay goes on. It knows no names and no rooms, only tracks.

/** @import { ClientMessage, ServerMessage } from "./protocol.d.ts" */
/** @import { Count } from "./negotiation.js" */

import { Emitter } from "./emitter.js";
import { PlenumError } from "./failures.js";
import { Negotiation } from "./negotiation.js";
import { Publications } from "./publications.js";

/** ICE may mend itself in this time; then it is restarted. */
const DISCONNECTED_LIMIT_MS = 3_000;
/** A restart that does not help in this time is followed by a new connection. */
const RESTART_LIMIT_MS = 10_000;
const LONGEST_WAIT_MS = 8_000;

/**
 * Events: `answered` when the server has answered an offer; `received` and `removed` for the tracks of others; `state`;
 * `failed` when a connection could not be made at all; `data` from others.
 * @extends {Emitter<{
 *   answered: void, received: { trackId: string, track: MediaStreamTrack }, removed: { trackId: string },
 *   state: "connecting" | "connected" | "interrupted",
 *   failed: PlenumError, data: { sender: string, label: string, data: string | Uint8Array },
 * }>}
 */
export class Media extends Emitter {
  /** What is sent. @type {Publications} */
  publications;
  /** @type {(message: ClientMessage) => number | null} */
  #send;
  /** @type {() => boolean} */
  #canSend;
  /** @type {Negotiation | null} */
  #negotiation = null;
  #number = 0;
  #wasConnected = false;
  /** @type {"connecting" | "connected" | "interrupted"} */
  #state = "connecting";
  #mustStartAnew = false;
  #attempts = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {object} signaling
   * @param {(message: ClientMessage) => number | null} signaling.send
   * @param {() => boolean} signaling.canSend
   */
  constructor({ send, canSend }) {
    super();
    this.#send = send;
    this.#canSend = canSend;
    this.publications = new Publications(send);
  }

  get state() {
    return this.#state;
  }

  /** For those who want to look deeper: statistics, for instance. */
  get connection() {
    return this.#negotiation?.peer ?? null;
  }

  /**
   * `open` will be called soon: have an offer ready for it, with what is to be sent.
   * @param {Negotiation | null} [prepared] made earlier still
   */
  prepare(prepared) {
    void this.#use(prepared ?? new Negotiation()).prepare();
  }

  /**
   * A new connection, with receiving sections for what is already there. What was published on the one
   * before is published again.
   * @param {Count} expected tracks of others
   */
  open(expected) {
    const prepared = this.#negotiation?.isFresh ? this.#negotiation : null;
    const negotiation = prepared ?? this.#use(new Negotiation(expected));
    this.#mustStartAnew = false;
    this.#number += 1;
    const counterpart = {
      number: this.#number,
      send: this.#send,
      canSend: this.#canSend,
      announce: () => this.publications.announce(),
    };
    negotiation.begin(counterpart, expected);
  }

  /** End it. */
  close() {
    this.#discard();
    this.publications.clear();
  }

  /**
   * To everyone in the room.
   * @param {string | ArrayBuffer} data
   * @param {{ reliable: boolean }} options
   * @returns {boolean} false if there is no channel at the moment
   */
  sendData(data, options) {
    return this.#negotiation?.channels.send(data, options) ?? false;
  }

  /** Signaling is lost. */
  handleLost() {
    this.#negotiation?.handleLost();
  }

  /**
   * Signaling is back, and the server still has the connection.
   * @param {Count} expected tracks of others
   */
  handleResumed(expected) {
    const negotiation = this.#negotiation;
    // Whether the server carried out a lost offer is unknown; only a new connection is surely the same on both sides.
    if (!negotiation || negotiation.isUncertain || this.#mustStartAnew) return this.open(expected);
    this.publications.tellMuted();
    // A `media_sections_required` may have been among what was missed: count.
    negotiation.expect(expected);
    const ice = negotiation.peer.iceConnectionState;
    if (ice === "disconnected" || ice === "failed") this.#restart(negotiation);
    else negotiation.negotiateIfWanted();
  }

  /**
   * A message from the server. False if it was not for the media.
   * @param {ServerMessage} message
   * @param {() => Count} expected tracks of others
   * @returns {boolean}
   */
  handle(message, expected) {
    switch (message.type) {
      case "answer":
        this.#negotiation?.handleAnswer(message);
        return true;
      case "published":
        this.publications.handlePublished(message.mid, message.track.id, message.track.muted);
        return true;
      case "media_sections_required":
        this.#negotiation?.addSections(message);
        this.#negotiation?.negotiate();
        return true;
      case "layers_wanted":
        this.publications.handleLayersWanted(message.track_id, message.layers);
        return true;
      case "media_ended":
        if (message.peer_connection === this.#number) this.#fail(new PlenumError("no_udp", message.reason), expected);
        return true;
      case "error":
        return this.#handleError(message.request_id, new PlenumError(message.code, message.message));
      default:
        return false;
    }
  }

  /**
   * @param {number | undefined} request
   * @param {PlenumError} error
   */
  #handleError(request, error) {
    if (request === undefined) return false;
    return this.#negotiation?.handleError(request, error) || this.publications.handleError(request, error);
  }

  /**
   * Let this connection take the place of the one before.
   * @param {Negotiation} negotiation
   */
  #use(negotiation) {
    this.#discard();
    this.#negotiation = negotiation;
    this.#setState(this.#wasConnected ? "interrupted" : "connecting");
    const { peer, channels } = negotiation;
    peer.oniceconnectionstatechange = peer.onconnectionstatechange = () => this.#watch(negotiation);
    channels.on("data", (data) => this.emit("data", data));
    negotiation.on("received", (received) => this.emit("received", received));
    negotiation.on("removed", (removed) => this.emit("removed", removed));
    negotiation.on("answered", () => this.emit("answered", undefined));
    negotiation.on("applied", () => (this.#attempts = 0));
    negotiation.on("failed", (error) => {
      if (negotiation === this.#negotiation && !this.#mustStartAnew) this.#retryLater(error);
    });
    this.publications.use(negotiation);
    return negotiation;
  }

  /** Forget the connection, but not what is to be sent on the next one. */
  #discard() {
    clearTimeout(this.#timer);
    const negotiation = this.#negotiation;
    this.#negotiation = null;
    this.publications.use(null);
    negotiation?.close();
  }

  /** @param {Negotiation} negotiation */
  #watch(negotiation) {
    if (negotiation !== this.#negotiation) return;
    const { iceConnectionState: ice, connectionState } = negotiation.peer;
    if (connectionState === "connected") {
      clearTimeout(this.#timer);
      this.#wasConnected = true;
      this.#setState("connected");
    } else if (ice === "disconnected") {
      this.#setState("interrupted");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#restart(negotiation), DISCONNECTED_LIMIT_MS);
    } else if (ice === "failed") {
      if (!this.#wasConnected) return this.emit("failed", new PlenumError("no_udp", "ICE found no way"));
      this.#setState("interrupted");
      this.#restart(negotiation);
    } else if (connectionState === "failed") {
      this.#retryLater(new PlenumError("no_udp", "DTLS failed"));
    }
  }

  /** @param {Negotiation} negotiation */
  #restart(negotiation) {
    clearTimeout(this.#timer);
    // Without signaling there is nobody to restart with: `handleResumed` comes back here.
    if (negotiation !== this.#negotiation || !this.#canSend()) return;
    negotiation.restart();
    this.#timer = setTimeout(() => this.#retryLater(new PlenumError("no_udp", "the restart did not help")), RESTART_LIMIT_MS);
  }

  /**
   * @param {PlenumError} error
   * @param {() => Count} expected
   */
  #fail(error, expected) {
    if (!this.#wasConnected) return this.emit("failed", error);
    this.#setState("interrupted");
    this.open(expected());
  }

  /**
   * This connection is beyond help: another one in a while, longer each time.
   * @param {unknown} error
   */
  #retryLater(error) {
    const failure = error instanceof PlenumError ? error : new PlenumError("media_refused", String(error));
    if (!this.#wasConnected) return this.emit("failed", failure);
    console.warn("plenum: a new media connection, because", failure.message);
    this.#setState("interrupted");
    const wait = Math.min(LONGEST_WAIT_MS, 500 * 2 ** this.#attempts++);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (!this.#canSend()) this.#mustStartAnew = true;
      else this.open(this.#negotiation?.received ?? { audio: 0, video: 0 });
    }, wait);
  }

  /** @param {"connecting" | "connected" | "interrupted"} state */
  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }
}
