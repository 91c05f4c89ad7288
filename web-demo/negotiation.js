// One RTCPeerConnection with the server: its sections, and the offers that agree on them. The client always offers,
// one offer at a time. It can be made while there is nobody to offer to yet; once closed it is not used again.

/** @import { Answer, ClientMessage, TrackKind } from "./protocol.d.ts" */

import { DataChannels } from "./data-channels.js";
import { Emitter } from "./emitter.js";
import { PlenumError } from "./failures.js";

/** An answer comes at once, or something is wrong. */
const ANSWER_LIMIT_MS = 10_000;
/** Ports that were opened longer ago may be of a network that is no more. */
const FRESH_MS = 30_000;

/** How many sections or tracks, by kind. @typedef {Record<TrackKind, number>} Count */

/**
 * What to receive, as long as nobody has said what there is: one person's sound and picture. A section too many stays
 * empty until there is a track for it.
 * @type {Count}
 */
const USUAL = { audio: 1, video: 1 };

/**
 * To whom it offers.
 * @typedef {object} Counterpart
 * @property {number} number of the connection
 * @property {(message: ClientMessage) => number | null} send
 * @property {() => boolean} canSend
 * @property {() => void} announce say what the sections of the offer that follows will carry: they have their mids
 */

/**
 * An RTCPeerConnection that is made ready while there is time: `join` takes it, and is quicker by what making one
 * takes. It opens no port and reaches nobody.
 */
export class Prepared {
  /** @type {Negotiation | null} */
  #negotiation = tryNegotiation();

  constructor() {
    void this.#negotiation?.warmUp();
  }

  /** For whoever joins, once. @returns {Negotiation | null} */
  take() {
    const taken = this.#negotiation;
    this.#negotiation = null;
    return taken;
  }

  /** Nobody will join. */
  close() {
    this.take()?.close();
  }
}

/**
 * Events: `answered` when an offer is, `applied` when the browser has taken the answer; `received` and `removed` for
 * the tracks of others; `failed` when an offer could not be made, or was not answered.
 * @extends {Emitter<{
 *   received: { trackId: string, track: MediaStreamTrack }, removed: { trackId: string },
 *   answered: void, applied: void, failed: unknown,
 * }>}
 */
export class Negotiation extends Emitter {
  /** For those who want to look deeper: statistics, for instance. */
  peer = new RTCPeerConnection({ bundlePolicy: "max-bundle", rtcpMuxPolicy: "require" });
  /** They also see to it that there is a transport, even with nobody to see or hear. */
  channels = new DataChannels(this.peer);
  /** @type {Counterpart | null} */
  #counterpart = null;
  #preparedAt = -Infinity;
  /** The local description is not what there is now, or was offered already. */
  #isStale = true;
  #sdp = "";
  /** @type {Promise<void> | null} */
  #describing = null;
  #isWanted = false;
  #isNegotiating = false;
  #isUncertain = false;
  #isClosed = false;
  /** @type {{ request: number | null, resolve: (answer: Answer) => void, reject: (error: PlenumError) => void } | null} */
  #offer = null;
  /** Sending sections whose track was unpublished, to be used again. @type {RTCRtpTransceiver[]} */
  #idle = [];
  /** Track ids by receiving section. @type {Map<string, string>} */
  #sections = new Map();

  /** @param {Count} [expected] tracks of others */
  constructor(expected = USUAL) {
    super();
    this.addSections(expected);
  }

  /** Nothing was offered yet, and its ports are new. */
  get isFresh() {
    return !this.#counterpart && !this.#isClosed && performance.now() - this.#preparedAt < FRESH_MS;
  }

  /** An offer went out and will never be answered: whether the server carried it out is unknown. */
  get isUncertain() {
    return this.#isUncertain;
  }

  /** How many tracks of others came. @returns {Count} */
  get received() {
    const count = { audio: 0, video: 0 };
    for (const { mid, receiver } of this.peer.getTransceivers()) {
      if (mid !== null && this.#sections.has(mid)) count[/** @type {TrackKind} */ (receiver.track.kind)] += 1;
    }
    return count;
  }

  /** Let the browser load what offering takes: the first time in a page takes longest. */
  async warmUp() {
    await this.peer.createOffer().catch(() => {});
  }

  /** Make the offer for whoever will be there soon: it has only to be sent then. */
  async prepare() {
    this.#preparedAt = performance.now();
    // What fails now will fail again, and be told, when it is needed.
    await this.#describe().catch(() => {});
  }

  /** There is somebody to offer to. @param {Counterpart} counterpart @param {Count} expected tracks of others */
  begin(counterpart, expected) {
    this.#counterpart = counterpart;
    this.expect(expected);
    this.negotiate();
  }

  /** See that there is a section for each track of others. @param {Count} expected */
  expect({ audio, video }) {
    const missing = { audio, video };
    for (const { receiver, direction } of this.peer.getTransceivers()) {
      if (direction === "recvonly") missing[/** @type {TrackKind} */ (receiver.track.kind)] -= 1;
    }
    this.addSections(missing);
    if (this.#sections.size < audio + video) this.#isWanted = true;
  }

  /** @param {Count} count receiving sections */
  addSections(count) {
    for (const kind of /** @type {TrackKind[]} */ (["audio", "video"])) {
      for (let left = count[kind]; left > 0; left--) {
        this.peer.addTransceiver(kind, { direction: "recvonly" });
        this.#isStale = true;
      }
    }
  }

  /**
   * A sending section for a track: one that is there and sends nothing, or a new one.
   * @param {MediaStreamTrack} track
   * @param {() => RTCRtpEncodingParameters[]} encodings of a new one
   * @returns {{ transceiver: RTCRtpTransceiver, isNew: boolean }}
   */
  send(track, encodings) {
    const idle = this.#idle.findIndex((transceiver) => transceiver.receiver.track.kind === track.kind);
    const [transceiver] = idle >= 0 ? this.#idle.splice(idle, 1) : [];
    if (transceiver) {
      void transceiver.sender.replaceTrack(track);
      return { transceiver, isNew: false };
    }
    const options = { streams: [new MediaStream([track])], sendEncodings: encodings() };
    this.#isStale = true;
    return { transceiver: this.peer.addTransceiver(track, { direction: "sendonly", ...options }), isNew: true };
  }

  /** Send nothing here any more. @param {RTCRtpTransceiver} transceiver */
  retire(transceiver) {
    void transceiver.sender.replaceTrack(null);
    this.#idle.push(transceiver);
  }

  /** Offer as soon as no other offer is under way. Several wishes are one offer. */
  negotiate() {
    this.#isWanted = true;
    void this.#negotiateWhileWanted();
  }

  /** Offer if there was a wish to, and nobody to offer to. */
  negotiateIfWanted() {
    if (this.#isWanted) this.negotiate();
  }

  /** Look for a way to the server anew. */
  restart() {
    this.peer.restartIce();
    this.#isStale = true;
    this.negotiate();
  }

  /** @param {Answer} answer */
  handleAnswer(answer) {
    if (answer.peer_connection === this.#counterpart?.number) this.#offer?.resolve(answer);
  }

  /**
   * False if that request was no offer.
   * @param {number} request
   * @param {PlenumError} error
   */
  handleError(request, error) {
    if (this.#offer?.request !== request) return false;
    this.#offer.reject(error);
    return true;
  }

  /** Signaling is lost: an offer under way will never be answered. */
  handleLost() {
    if (!this.#offer) return;
    this.#isUncertain = true;
    this.#offer.reject(new PlenumError("server_gone"));
  }

  /** The end of it, and of the tracks that came by it. */
  close() {
    this.#isClosed = true;
    this.#offer?.reject(new PlenumError("left"));
    this.peer.oniceconnectionstatechange = this.peer.onconnectionstatechange = null;
    this.peer.close();
    for (const trackId of this.#sections.values()) this.emit("removed", { trackId });
  }

  async #negotiateWhileWanted() {
    if (this.#isNegotiating || !this.#counterpart) return;
    this.#isNegotiating = true;
    while (this.#isWanted && !this.#isClosed && this.#counterpart.canSend()) {
      this.#isWanted = false;
      try {
        await this.#negotiateOnce(this.#counterpart);
      } catch (error) {
        // One that is closed, or waits for signaling to come back, has its own way on.
        if (!this.#isClosed && !this.#isUncertain) this.emit("failed", error);
        break;
      }
    }
    this.#isNegotiating = false;
  }

  /** @param {Counterpart} counterpart */
  async #negotiateOnce(counterpart) {
    await this.#describe();
    if (this.#isClosed) return;
    counterpart.announce();
    const answer = await this.#ask(counterpart);
    if (this.#isClosed) return;
    const applied = this.peer.setRemoteDescription({ type: "answer", sdp: answer.sdp });
    // The tracks are there while the browser still works at the answer: whoever shows them by then loses no picture.
    this.emit("answered", undefined);
    this.#map(answer);
    await applied;
    if (!this.#isClosed) this.emit("applied", undefined);
  }

  /** Make what there is the local description, unless it is that already. */
  async #describe() {
    while (this.#describing || this.#isStale) {
      this.#describing ??= this.#describeOnce().finally(() => (this.#describing = null));
      await this.#describing;
    }
  }

  async #describeOnce() {
    this.#isStale = false;
    try {
      const offer = await this.peer.createOffer();
      await this.peer.setLocalDescription(offer);
      this.#sdp = offer.sdp ?? "";
    } catch (error) {
      this.#isStale = true;
      throw error;
    }
  }

  /**
   * @param {Counterpart} counterpart
   * @returns {Promise<Answer>}
   */
  #ask({ number, send }) {
    this.#isStale = true;
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
      const request = send({ type: "offer", peer_connection: number, sdp: this.#sdp });
      if (request !== null) this.#offer.request = request;
      else this.handleLost();
    });
  }

  /**
   * Which section carries which track now. Not left to `ontrack`: a section that goes from one track straight
   * to another fires none.
   * @param {Answer} answer
   */
  #map(answer) {
    const sections = new Map(answer.sections.map(({ mid, track_id }) => [mid, track_id]));
    for (const [mid, trackId] of this.#sections) {
      if (sections.get(mid) !== trackId) this.emit("removed", { trackId });
    }
    const before = this.#sections;
    this.#sections = sections;
    for (const { mid, receiver } of this.peer.getTransceivers()) {
      const trackId = mid === null ? undefined : sections.get(mid);
      if (mid === null || !trackId || before.get(mid) === trackId) continue;
      this.emit("received", { trackId, track: receiver.track });
    }
  }
}

/** None where the browser has none to give, for whatever reason: whoever joins tries again, and is told why. */
function tryNegotiation() {
  try {
    return new Negotiation();
  } catch {
    return null;
  }
}
