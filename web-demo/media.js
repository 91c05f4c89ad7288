// The one RTCPeerConnection with the server: what is sent, what comes, and the offers that agree on it.
// The client always offers, one offer at a time. It knows no names and no rooms, only tracks.

/** @import { Answer, ClientMessage, LayerWanted, ServerMessage, TrackKind, TrackSource } from "./protocol.d.ts" */

import { Emitter } from "./emitter.js";
import { PlenumError } from "./failures.js";
import { encode, encodings } from "./layers.js";

/** ICE may mend itself in this time; then it is restarted. */
const DISCONNECTED_LIMIT_MS = 3_000;
/** A restart that does not help in this time is followed by a new connection. */
const RESTART_LIMIT_MS = 10_000;
/** An answer comes at once, or something is wrong. */
const ANSWER_LIMIT_MS = 10_000;
const LONGEST_WAIT_MS = 8_000;

/**
 * Something of one's own to send, and how far its publication has come.
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

/** @param {TrackSource} source @returns {TrackKind} */
const kindOf = (source) => (source === "camera" || source === "screen" ? "video" : "audio");

const newConnection = () => new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });

/**
 * Events: `received` and `removed` for the tracks of others; `state`; `refused` when the server did not take
 * a publication; `failed` when a connection could not be made at all; `data` from others.
 * @extends {Emitter<{
 *   received: { trackId: string, track: MediaStreamTrack, receiver: RTCRtpReceiver }, removed: { trackId: string },
 *   state: "connecting" | "connected" | "interrupted", refused: { source: TrackSource, error: PlenumError },
 *   failed: PlenumError, data: { sender: string, label: string, data: string | Uint8Array },
 * }>}
 */
export class Media extends Emitter {
  /** @type {(message: ClientMessage) => number | null} */
  #send;
  /** @type {() => boolean} */
  #canSend;
  #number = 0;
  /** @type {RTCPeerConnection | null} */
  #connection = null;
  /** Made while there was time: the browser's first one takes a while. @type {RTCPeerConnection | null} */
  #prepared = null;
  #wasConnected = false;
  /** @type {"connecting" | "connected" | "interrupted"} */
  #state = "connecting";
  /** @type {Map<TrackSource, Slot>} */
  #slots = new Map();
  /** Sending sections whose track was unpublished, to be used again. @type {RTCRtpTransceiver[]} */
  #idle = [];
  /** Track ids by receiving section. @type {Map<string, string>} */
  #sections = new Map();
  /** @type {Map<string, RTCDataChannel>} */
  #channels = new Map();
  #isOfferWanted = false;
  /** @type {{ request: number | null, resolve: (answer: Answer) => void, reject: (error: PlenumError) => void } | null} */
  #offer = null;
  /** The connection whose offers are being made. One that was closed meanwhile may never return. @type {RTCPeerConnection | null} */
  #negotiating = null;
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
  }

  get state() {
    return this.#state;
  }

  /** For those who want to look deeper: statistics, for instance. */
  get connection() {
    return this.#connection;
  }

  /** `open` will be called soon. */
  prepare() {
    this.#prepared ??= newConnection();
  }

  /**
   * A new connection, with receiving sections for what is already there. What was published on the one
   * before is published again.
   * @param {Record<TrackKind, number>} expected tracks of others, by kind
   */
  open(expected) {
    this.#discard();
    this.#number += 1;
    this.#mustStartAnew = false;
    const connection = this.#prepared ?? newConnection();
    this.#prepared = null;
    this.#connection = connection;
    this.#setState(this.#wasConnected ? "interrupted" : "connecting");
    connection.oniceconnectionstatechange = () => this.#watch(connection);
    connection.onconnectionstatechange = () => this.#watch(connection);
    // Data channels also see to it that there is a transport, even with nobody to see or hear.
    this.#openChannel(connection, "reliable", {});
    this.#openChannel(connection, "lossy", { ordered: false, maxRetransmits: 0 });
    for (const slot of this.#slots.values()) this.#apply(slot);
    this.#addSections(expected);
    this.#negotiate();
  }

  /** End it. */
  close() {
    this.#discard();
    this.#prepared?.close();
    this.#prepared = null;
    this.#slots.clear();
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
    if (slot.transceiver && !slot.isAnnounced) this.#negotiate();
  }

  /**
   * Unpublish.
   * @param {TrackSource} source
   */
  remove(source) {
    const slot = this.#slots.get(source);
    if (!slot) return;
    this.#slots.delete(source);
    if (slot.transceiver) {
      void slot.transceiver.sender.replaceTrack(null);
      this.#idle.push(slot.transceiver);
    }
    // Without an id yet, `published` will find no slot, and take the track away then.
    if (slot.trackId) this.#send({ type: "unpublish", track_id: slot.trackId });
  }

  /**
   * The server's id for what a source sends.
   * @param {TrackSource} source
   */
  trackId(source) {
    return this.#slots.get(source)?.trackId ?? null;
  }

  /** @param {string} trackId @returns {TrackSource | null} */
  sourceOf(trackId) {
    for (const slot of this.#slots.values()) if (slot.trackId === trackId) return slot.source;
    return null;
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
    for (const slot of this.#slots.values()) {
      if (slot.trackId === trackId) return this.#refuse(slot, new PlenumError("media_refused", "the server dropped it"));
    }
  }

  /**
   * To everyone in the room.
   * @param {string | ArrayBuffer} data
   * @param {{ reliable: boolean }} options
   * @returns {boolean} false if there is no channel at the moment
   */
  sendData(data, { reliable }) {
    const channel = this.#channels.get(reliable ? "reliable" : "lossy");
    if (channel?.readyState !== "open") return false;
    if (typeof data === "string") channel.send(data);
    else channel.send(data);
    return true;
  }

  /** Signaling is lost: an offer under way will never be answered. */
  handleLost() {
    if (!this.#offer) return;
    // Whether the server carried it out is unknown; only a new connection is surely the same on both sides.
    this.#mustStartAnew = true;
    this.#offer.reject(new PlenumError("server_gone"));
  }

  /**
   * Signaling is back, and the server still has the connection.
   * @param {Record<TrackKind, number>} expected tracks of others, by kind
   */
  handleResumed(expected) {
    if (!this.#connection || this.#mustStartAnew) return this.open(expected);
    for (const slot of this.#slots.values()) this.#tellMuted(slot);
    // A `media_sections_required` may have been among what was missed: count.
    const missing = { audio: expected.audio, video: expected.video };
    for (const { receiver, direction } of this.#connection.getTransceivers()) {
      if (direction === "recvonly") missing[/** @type {TrackKind} */ (receiver.track.kind)] -= 1;
    }
    this.#addSections(missing);
    if (this.#sections.size < expected.audio + expected.video) this.#isOfferWanted = true;
    const ice = this.#connection.iceConnectionState;
    if (ice === "disconnected" || ice === "failed") this.#restart(this.#connection);
    else if (this.#isOfferWanted) this.#negotiate();
  }

  /**
   * A message from the server. False if it was not for the media.
   * @param {ServerMessage} message
   * @param {() => Record<TrackKind, number>} expected
   * @returns {boolean}
   */
  handle(message, expected) {
    switch (message.type) {
      case "answer":
        if (message.peer_connection === this.#number) this.#offer?.resolve(message);
        return true;
      case "published":
        this.#handlePublished(message.mid, message.track.id, message.track.muted);
        return true;
      case "media_sections_required":
        this.#addSections(message);
        this.#negotiate();
        return true;
      case "layers_wanted":
        this.#encode(message.track_id, message.layers);
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
   * @param {string} mid
   * @param {string} trackId
   * @param {boolean} muted
   */
  #handlePublished(mid, trackId, muted) {
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
  #encode(trackId, layers) {
    for (const { trackId: known, transceiver } of this.#slots.values()) {
      if (known === trackId && transceiver) encode(transceiver.sender, layers);
    }
  }

  /**
   * @param {number | undefined} request
   * @param {PlenumError} error
   */
  #handleError(request, error) {
    if (request === undefined) return false;
    if (this.#offer?.request === request) {
      this.#offer.reject(error);
      return true;
    }
    for (const slot of this.#slots.values()) {
      if (slot.request !== request) continue;
      this.#refuse(slot, error);
      return true;
    }
    return false;
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
    if (!this.#connection) return;
    if (slot.transceiver) {
      if (slot.transceiver.sender.track !== slot.track) void slot.transceiver.sender.replaceTrack(slot.track);
      return this.#tellMuted(slot);
    }
    if (!slot.track) return;
    const kind = kindOf(slot.source);
    const idle = this.#idle.findIndex((transceiver) => transceiver.receiver.track.kind === kind);
    if (idle >= 0) {
      slot.transceiver = this.#idle.splice(idle, 1)[0] ?? null;
      void slot.transceiver?.sender.replaceTrack(slot.track);
      // Nobody watched what it sent before; of the new track that is not known.
      if (slot.transceiver) encode(slot.transceiver.sender, null);
    } else {
      slot.transceiver = this.#connection.addTransceiver(slot.track, {
        direction: "sendonly",
        streams: [new MediaStream([slot.track])],
        sendEncodings: encodings(slot.source, slot.track),
      });
    }
  }

  /** @param {Slot} slot */
  #tellMuted(slot) {
    if (!slot.trackId || slot.toldMuted === slot.muted) return;
    if (this.#send({ type: "mute", track_id: slot.trackId, muted: slot.muted }) !== null) slot.toldMuted = slot.muted;
  }

  /** @param {Record<TrackKind, number>} count */
  #addSections(count) {
    for (const kind of /** @type {TrackKind[]} */ (["audio", "video"])) {
      for (let left = count[kind]; left > 0; left--) {
        this.#connection?.addTransceiver(kind, { direction: "recvonly" });
      }
    }
  }

  /** Offer as soon as no other offer is under way. Several wishes are one offer. */
  #negotiate() {
    this.#isOfferWanted = true;
    if (this.#connection && this.#negotiating !== this.#connection) void this.#negotiateWhileWanted(this.#connection);
  }

  /** @param {RTCPeerConnection} connection */
  async #negotiateWhileWanted(connection) {
    this.#negotiating = connection;
    while (this.#isOfferWanted && connection === this.#connection && this.#canSend()) {
      this.#isOfferWanted = false;
      try {
        await this.#negotiateOnce(connection);
        this.#attempts = 0;
      } catch (error) {
        // Of a connection that is no more, or of signaling that will be back: both have their own way on.
        if (connection !== this.#connection || this.#mustStartAnew) break;
        this.#retryLater(error);
        break;
      }
    }
    if (this.#negotiating === connection) this.#negotiating = null;
  }

  /** @param {RTCPeerConnection} connection */
  async #negotiateOnce(connection) {
    const offer = await connection.createOffer();
    await connection.setLocalDescription(offer);
    if (connection !== this.#connection) return;
    // Each `publish` belongs to the next offer, in which its section has its mid.
    for (const slot of this.#slots.values()) {
      if (slot.isAnnounced || !slot.transceiver?.mid) continue;
      slot.isAnnounced = true;
      slot.toldMuted = slot.muted;
      slot.request = this.#send({ type: "publish", mid: slot.transceiver.mid, source: slot.source, muted: slot.muted });
    }
    const answer = await this.#ask(offer.sdp ?? "");
    if (connection !== this.#connection) return;
    await connection.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    if (connection === this.#connection) this.#map(connection, answer);
  }

  /**
   * @param {string} sdp
   * @returns {Promise<Answer>}
   */
  #ask(sdp) {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#offer?.reject(new PlenumError("server_gone", "no answer")), ANSWER_LIMIT_MS);
      const done = () => {
        clearTimeout(timer);
        this.#offer = null;
      };
      this.#offer = {
        request: null,
        resolve: (answer) => (done(), resolve(answer)),
        reject: (error) => (done(), reject(error)),
      };
      const request = this.#send({ type: "offer", peer_connection: this.#number, sdp });
      if (request !== null) this.#offer.request = request;
      else this.handleLost();
    });
  }

  /**
   * Which section carries which track now. Not left to `ontrack`: a section that goes from one track straight
   * to another fires none.
   * @param {RTCPeerConnection} connection
   * @param {Answer} answer
   */
  #map(connection, answer) {
    const sections = new Map(answer.sections.map(({ mid, track_id }) => [mid, track_id]));
    for (const [mid, trackId] of this.#sections) {
      if (sections.get(mid) !== trackId) this.emit("removed", { trackId });
    }
    const before = this.#sections;
    this.#sections = sections;
    for (const { mid, receiver } of connection.getTransceivers()) {
      const trackId = mid === null ? undefined : sections.get(mid);
      if (mid === null || !trackId || before.get(mid) === trackId) continue;
      this.emit("received", { trackId, track: receiver.track, receiver });
    }
  }

  /** @param {RTCPeerConnection} connection */
  #watch(connection) {
    if (connection !== this.#connection) return;
    const ice = connection.iceConnectionState;
    if (connection.connectionState === "connected") {
      clearTimeout(this.#timer);
      this.#wasConnected = true;
      this.#setState("connected");
    } else if (ice === "disconnected") {
      this.#setState("interrupted");
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#restart(connection), DISCONNECTED_LIMIT_MS);
    } else if (ice === "failed") {
      if (!this.#wasConnected) return this.emit("failed", new PlenumError("no_udp", "ICE found no way"));
      this.#setState("interrupted");
      this.#restart(connection);
    } else if (connection.connectionState === "failed") {
      this.#retryLater(new PlenumError("no_udp", "DTLS failed"));
    }
  }

  /** @param {RTCPeerConnection} connection */
  #restart(connection) {
    clearTimeout(this.#timer);
    // Without signaling there is nobody to restart with: `handleResumed` comes back here.
    if (connection !== this.#connection || !this.#canSend()) return;
    connection.restartIce();
    this.#negotiate();
    this.#timer = setTimeout(() => this.#retryLater(new PlenumError("no_udp", "the restart did not help")), RESTART_LIMIT_MS);
  }

  /**
   * @param {PlenumError} error
   * @param {() => Record<TrackKind, number>} expected
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
      else this.open(this.#received());
    }, wait);
  }

  /** How many tracks of others came, by kind. */
  #received() {
    const count = { audio: 0, video: 0 };
    for (const { mid, receiver } of this.#connection?.getTransceivers() ?? []) {
      if (mid !== null && this.#sections.has(mid)) count[/** @type {TrackKind} */ (receiver.track.kind)] += 1;
    }
    return count;
  }

  /**
   * @param {RTCPeerConnection} connection
   * @param {string} label
   * @param {RTCDataChannelInit} options
   */
  #openChannel(connection, label, options) {
    const channel = connection.createDataChannel(label, options);
    channel.binaryType = "arraybuffer";
    this.#channels.set(label, channel);
    channel.onmessage = (event) => {
      const bytes = new Uint8Array(/** @type {ArrayBuffer} */ (event.data));
      // 16 characters of the sender's id, one byte for the kind, and what was sent.
      if (bytes.length < 17) return;
      const sender = String.fromCharCode(...bytes.subarray(0, 16));
      const payload = bytes.subarray(17);
      this.emit("data", { sender, label, data: bytes[16] === 1 ? new TextDecoder().decode(payload) : payload });
    };
  }

  /** @param {"connecting" | "connected" | "interrupted"} state */
  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.emit("state", state);
  }

  /** Forget the connection, but not what is to be sent on the next one. */
  #discard() {
    clearTimeout(this.#timer);
    const connection = this.#connection;
    this.#connection = null;
    this.#offer?.reject(new PlenumError("left"));
    this.#channels.clear();
    this.#idle = [];
    for (const trackId of this.#sections.values()) this.emit("removed", { trackId });
    this.#sections = new Map();
    for (const slot of this.#slots.values()) {
      slot.transceiver = slot.trackId = slot.request = null;
      slot.isAnnounced = false;
    }
    if (!connection) return;
    connection.oniceconnectionstatechange = connection.onconnectionstatechange = null;
    connection.close();
  }
}
