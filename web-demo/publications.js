// What is sent, by source, and how far its publication has come. It outlives the connection: what was published on
// one is published again on the next.

/** @import { ClientMessage, LayerWanted, TrackSource } from "./protocol.d.ts" */
/** @import { Negotiation } from "./negotiation.js" */

import { Emitter } from "./emitter.js";
import { PlenumError } from "./failures.js";
import { encode, encodings } from "./layers.js";

/**
 * Something of one's own to send.
 * @typedef {object} Slot
 * @property {TrackSource} source
 * @property {MediaStreamTrack | null} track what to send now
 * @property {boolean} muted as it should be
 * @property {RTCRtpTransceiver | null} transceiver in the current connection
 * @property {boolean} isAnnounced `publish` was sent in the current connection
 * @property {number | null} request the number of that `publish`
 * @property {string | null} trackId the server's name for it
 * @property {boolean} toldMuted as the server was last told
 */

/**
 * Events: `refused` when the server did not take a publication, or dropped it.
 * @extends {Emitter<{ refused: { source: TrackSource, error: PlenumError } }>}
 */
export class Publications extends Emitter {
  /** @type {(message: ClientMessage) => number | null} */
  #send;
  /** @type {Map<TrackSource, Slot>} */
  #slots = new Map();
  /** @type {Negotiation | null} */
  #negotiation = null;

  /** @param {(message: ClientMessage) => number | null} send */
  constructor(send) {
    super();
    this.#send = send;
  }

  /**
   * The connection to send by from now on, for all there is; none, while there is none.
   * @param {Negotiation | null} negotiation
   */
  use(negotiation) {
    this.#negotiation = negotiation;
    for (const slot of this.#slots.values()) {
      slot.transceiver = slot.trackId = slot.request = null;
      slot.isAnnounced = false;
      this.#apply(slot);
    }
  }

  /**
   * What a source sends from now on. A source that never sent anything is published when it first has a track
   * to send; later it is only muted while it has none.
   * @param {TrackSource} source
   * @param {MediaStreamTrack | null} track
   * @param {boolean} muted
   */
  set(source, track, muted) {
    let slot = this.#slots.get(source);
    if (!slot) {
      if (!track || muted) return;
      slot = { source, track, muted, transceiver: null, isAnnounced: false, request: null, trackId: null, toldMuted: muted };
      this.#slots.set(source, slot);
    }
    slot.track = track;
    slot.muted = muted || !track;
    this.#apply(slot);
    if (slot.transceiver && !slot.isAnnounced) this.#negotiation?.negotiate();
  }

  /**
   * Unpublish.
   * @param {TrackSource} source
   */
  remove(source) {
    const slot = this.#slots.get(source);
    if (!slot) return;
    this.#slots.delete(source);
    if (slot.transceiver) this.#negotiation?.retire(slot.transceiver);
    // Without an id yet, `handlePublished` will find no slot, and take the track away then.
    if (slot.trackId) this.#send({ type: "unpublish", track_id: slot.trackId });
  }

  /** Nothing is to be sent any more. */
  clear() {
    this.#slots.clear();
    this.#negotiation = null;
  }

  /** @param {string} trackId @returns {TrackSource | null} */
  sourceOf(trackId) {
    return this.#find(trackId)?.source ?? null;
  }

  /** `publish` what the next offer has a section for and the server was not told of. */
  announce() {
    for (const slot of this.#slots.values()) {
      if (slot.isAnnounced || !slot.transceiver?.mid) continue;
      slot.isAnnounced = true;
      slot.toldMuted = slot.muted;
      slot.request = this.#send({ type: "publish", mid: slot.transceiver.mid, source: slot.source, muted: slot.muted });
    }
  }

  /** Tell of what was muted or unmuted while nothing could be sent. */
  tellMuted() {
    for (const slot of this.#slots.values()) this.#tellMuted(slot);
  }

  /**
   * Somebody else muted a track of ours: the server knows already.
   * @param {TrackSource} source
   * @param {boolean} muted
   */
  wasMuted(source, muted) {
    const slot = this.#slots.get(source);
    if (slot) slot.toldMuted = slot.muted = muted;
  }

  /**
   * A track of ours is gone from the room, and it was not us who took it away.
   * @param {string} trackId
   */
  wasUnpublished(trackId) {
    const slot = this.#find(trackId);
    if (slot) this.#refuse(slot, new PlenumError("media_refused", "the server dropped it"));
  }

  /**
   * @param {string} mid
   * @param {string} trackId
   * @param {boolean} muted
   */
  handlePublished(mid, trackId, muted) {
    for (const slot of this.#slots.values()) {
      if (slot.transceiver?.mid !== mid) continue;
      slot.trackId = trackId;
      slot.toldMuted = muted;
      return this.#tellMuted(slot);
    }
    this.#send({ type: "unpublish", track_id: trackId });
  }

  /**
   * @param {string} trackId
   * @param {LayerWanted[]} layers
   */
  handleLayersWanted(trackId, layers) {
    const transceiver = this.#find(trackId)?.transceiver;
    if (transceiver) encode(transceiver.sender, layers);
  }

  /**
   * False if that request was no `publish`.
   * @param {number} request
   * @param {PlenumError} error
   */
  handleError(request, error) {
    for (const slot of this.#slots.values()) {
      if (slot.request !== request) continue;
      this.#refuse(slot, error);
      return true;
    }
    return false;
  }

  /** @param {string} trackId */
  #find(trackId) {
    for (const slot of this.#slots.values()) if (slot.trackId === trackId) return slot;
    return null;
  }

  /**
   * @param {Slot} slot
   * @param {PlenumError} error
   */
  #refuse(slot, error) {
    slot.trackId = null;
    this.remove(slot.source);
    this.emit("refused", { source: slot.source, error });
  }

  /**
   * Bring the connection to what a slot says.
   * @param {Slot} slot
   */
  #apply(slot) {
    if (!this.#negotiation) return;
    if (slot.transceiver) {
      if (slot.transceiver.sender.track !== slot.track) void slot.transceiver.sender.replaceTrack(slot.track);
      return this.#tellMuted(slot);
    }
    const { source, track } = slot;
    if (!track) return;
    const { transceiver, isNew } = this.#negotiation.send(track, () => encodings(source, track));
    slot.transceiver = transceiver;
    // Nobody watched what an idle section sent before; of the new track that is not known.
    if (!isNew) encode(transceiver.sender, null);
  }

  /** @param {Slot} slot */
  #tellMuted(slot) {
    if (!slot.trackId || slot.toldMuted === slot.muted) return;
    if (this.#send({ type: "mute", track_id: slot.trackId, muted: slot.muted }) !== null) slot.toldMuted = slot.muted;
  }
}
