// A room one is in, from the outside: what pages see and do. It puts together signaling, media and what the room
// tells; each of them is elsewhere.

/** @import { JoinOptions, RoomEvents, Status, Step } from "./plenum.js" */
/** @import { ClientMessage, Joined, Live, NumberedChange, RoomInfo, ServerMessage, TrackSource, WaitingParticipant } from "./protocol.d.ts" */

import { Devices } from "./devices.js";
import { Emitter } from "./emitter.js";
import { PlenumError } from "./failures.js";
import { FirstFrame } from "./first-frame.js";
import { Media } from "./media.js";
import { Moderator } from "./moderator.js";
import { OwnState } from "./own-state.js";
import { RemoteTracks } from "./remote-tracks.js";
import { RoomState } from "./room-state.js";
import { Screen } from "./screen.js";
import { Signaling } from "./signaling.js";
import { Viewports } from "./viewports.js";

/** Somebody who has not decided about the browser's question joins as a viewer; what is allowed later follows. */
const DEVICES_LIMIT_MS = 12_000;

/**
 * A room one is in.
 * @extends {Emitter<RoomEvents>}
 */
export class Room extends Emitter {
  /** @type {JoinOptions} */
  #options;
  #state = new RoomState();
  /** @type {Signaling} */
  #signaling;
  /** @type {Media} */
  #media;
  /** @type {Viewports} */
  #viewports;
  /** @type {FirstFrame | null} */
  #firstFrame = null;
  #tracks = new RemoteTracks(this.#state);
  /** @type {Screen} */
  #screen;
  /** @type {Status} */
  #status = "connecting";
  /** @type {OwnState} */
  #own;
  #ownsDevices;
  /** Aborted when the stay is given up, or over. */
  #left = new AbortController();
  /** @type {() => void} */
  #stopHearingDevices;

  /** @param {JoinOptions} options use `join` */
  constructor(options) {
    super();
    const { token } = options;
    this.#options = options;
    this.#ownsDevices = !options.devices;
    /** The camera and the microphone. */
    this.devices = options.devices ?? new Devices();
    this.#stopHearingDevices = this.devices.on("change", () => this.#tellOwn());
    this.#signaling = new Signaling({
      server: options.url,
      token: typeof token === "string" ? async () => token : token,
      room: options.room,
      resumeToken: options.resumeToken,
      state: () => this.#own.tellJoining(),
      lastChange: () => this.#state.lastChange,
    });
    const send = (/** @type {ClientMessage} */ message) => this.#signaling.send(message);
    this.#media = new Media({ send, canSend: () => this.#signaling.isOpen });
    const { devices } = this;
    const { publications } = this.#media;
    this.#own = new OwnState({ devices, publications, send, isHandRaised: options.handRaised ?? false });
    this.#screen = new Screen(publications);
    this.#viewports = new Viewports((tracks) => this.#signaling.send({ type: "set_viewport", tracks }) !== null);
    /** What hosts and moderators may do to the session and to others. */
    this.moderator = new Moderator(this.#signaling, (id) => this.#state.participants.get(id)?.tracks ?? []);
    this.#hearSignaling();
    this.#hearMedia();
  }

  /** The room's name. */
  get name() {
    return this.#state.info?.name ?? this.#options.room ?? "";
  }

  /** The room: its state, its session, its host. @returns {RoomInfo | null} */
  get info() {
    return this.#state.info;
  }

  /** Who waits to be let in, longest first; moderators alone are told. @returns {readonly WaitingParticipant[]} */
  get waiting() {
    return this.#state.waiting;
  }

  /** Oneself, as the room knows it. */
  get self() {
    return this.#state.self;
  }

  /** Everyone else, in the order of joining. */
  get participants() {
    return this.#state.others;
  }

  /** Who is live (publishes something), by participant id. @returns {ReadonlyMap<string, Live>} */
  get live() {
    return this.#state.live;
  }

  /** Ids of those who are speaking, loudest first. @returns {readonly string[]} */
  get speakers() {
    return this.#state.speakers;
  }

  /** The tracks of others that can be played. */
  get tracks() {
    return this.#tracks.all;
  }

  get status() {
    return this.#status;
  }

  get isHandRaised() {
    return this.#own.isHandRaised;
  }

  /** What is being shared, while it is. */
  get screen() {
    return this.#screen.stream;
  }

  /** The `RTCPeerConnection`, for those who want to look deeper. */
  get connection() {
    return this.#media.connection;
  }

  /**
   * @override
   * @template {keyof RoomEvents} Name
   * @param {Name} name
   * @param {(detail: RoomEvents[Name]) => void} listener
   */
  on(name, listener) {
    const there = name === "track" ? this.tracks : [];
    queueMicrotask(() => there.forEach((track) => listener(/** @type {RoomEvents[Name]} */ (track))));
    return super.on(name, listener);
  }

  /** Connect: `join` calls this, once. */
  async open() {
    const { onStep, signal } = this.#options;
    const left = new Promise((_, reject) => {
      this.#left.signal.addEventListener("abort", () => reject(new PlenumError("left")), { once: true });
    });
    left.catch(() => {});
    if (signal?.aborted) this.#left.abort();
    signal?.addEventListener("abort", () => this.#left.abort(), { once: true });
    await Promise.race([left, this.#connect(onStep ?? (() => {}))]);
  }

  /** Camera on or off. Resolves when it is so, or cannot be: see `devices.failure("camera")`. @param {boolean} on */
  setCamera(on) {
    return this.devices.set("camera", on);
  }

  /** Microphone on or silent. @param {boolean} on */
  setMicrophone(on) {
    return this.devices.set("microphone", on);
  }

  /** @param {boolean} raised */
  setHandRaised(raised) {
    this.#own.raiseHand(raised);
    this.emit("change", undefined);
  }

  /**
   * Let the user choose a screen, window or tab, and show it to the room. The browser's own button ends it too.
   * @returns {Promise<boolean>} false if the user chose none
   */
  shareScreen() {
    return this.#screen.share();
  }

  /** Share no longer. */
  stopScreen() {
    this.#screen.stop();
  }

  /**
   * Take what a source publishes away: with nothing published one is no longer live. The device stays as it is.
   * @param {TrackSource} source
   */
  unpublish(source) {
    this.#media.publications.remove(source);
  }

  /**
   * Who is live just now, oneself left out, as the server answers it.
   * @returns {Promise<Live[]>}
   */
  async liveStatus() {
    const answer = await this.#signaling.request({ type: "live_status" });
    return answer.live;
  }

  /**
   * Receive a track of somebody else, or do not.
   * @param {string} trackId
   * @param {boolean} subscribed
   */
  setSubscription(trackId, subscribed) {
    this.#signaling.send({ type: "set_subscription", track_id: trackId, subscribed });
  }

  /**
   * Say where a video is shown: it is then sent as large as the element is, and not at all while nothing of the
   * element can be seen. A video of which this was never said is sent as large as it comes.
   * @param {string} trackId
   * @param {Element} element
   */
  showIn(trackId, element) {
    this.#viewports.show(trackId, element);
    this.#firstFrame?.watch(element);
  }

  /**
   * Send a message to everyone in the room, by its data channels.
   * @param {string | ArrayBuffer} data
   * @param {{ reliable?: boolean }} [options] reliable and in order, or lossy and fast
   * @returns {boolean} false if there is no way at the moment
   */
  sendData(data, { reliable = true } = {}) {
    return this.#media.sendData(data, { reliable });
  }

  /** While it is reconnecting: try at once. */
  reconnectNow() {
    this.#signaling.retryNow();
  }

  /** Go, for good. Devices that `join` was given stay on. */
  leave() {
    this.#left.abort();
    this.#signaling.leave();
    this.#finish();
  }

  /** @param {(step: Step) => void} onStep */
  async #connect(onStep) {
    // What is begun after the end, nobody ends.
    const goOn = () => {
      if (this.#left.signal.aborted || this.#status === "ended") throw new PlenumError("left");
    };
    goOn();
    onStep("devices");
    if (typeof RTCPeerConnection === "undefined") throw new PlenumError("unsupported_browser");
    if (this.#ownsDevices) {
      const { camera = false, microphone = false } = this.#options;
      await atMost(this.devices.start({ camera, microphone }), DEVICES_LIMIT_MS);
    }
    goOn();
    this.#firstFrame = new FirstFrame((message) => this.#signaling.send(message));
    onStep("token");
    const ready = this.#signaling.prepare();
    ready.catch(() => {});
    // While others work. Failing here is failing to join.
    this.#own.publish();
    this.#media.prepare(this.#options.prepared?.take());
    await ready;
    goOn();
    onStep("signaling");
    const joined = await this.#signaling.open();
    goOn();
    const connected = this.#untilConnected();
    // Only the browser has to work from there to the first picture: there is time to draw.
    const stop = this.#media.on("answered", () => (stop(), this.#options.onRoom?.(this)));
    this.#begin(joined);
    this.#firstFrame.handleJoined(joined);
    onStep("media");
    await connected;
  }

  /** @returns {Promise<void>} */
  #untilConnected() {
    return new Promise((resolve, reject) => {
      const ends = [
        this.#media.on("state", (state) => state === "connected" && (finish(), resolve())),
        this.#media.on("failed", (error) => (finish(), reject(error))),
        this.on("ended", (error) => (finish(), reject(error))),
      ];
      const finish = () => ends.forEach((end) => end());
    });
  }

  /** The whole room is here, for the first time or anew. @param {Joined} joined */
  #begin(joined) {
    this.#state.reset(joined);
    this.#own.tell();
    this.#media.open(this.#state.tracksOfOthers);
    this.emit("change", undefined);
  }

  #tellOwn() {
    this.#own.tell();
    this.emit("change", undefined);
  }

  #hearSignaling() {
    this.#signaling.on("token", ({ resumeToken }) => this.#options.onResumeToken?.(resumeToken));
    this.#signaling.on("message", (message) => this.#handle(message));
    this.#signaling.on("waiting", (waiting) => {
      this.#firstFrame?.cancel();
      this.#options.onWaiting?.(waiting);
      if (this.#status === "connecting") return;
      this.#setStatus("waiting");
      this.emit("waiting", waiting);
    });
    this.#signaling.on("lost", () => {
      this.#media.handleLost();
      this.#tellStatus();
    });
    this.#signaling.on("joined", (joined) => {
      // Too long away: the server knows nothing of our media any more.
      this.#begin(joined);
      this.#tellStatus();
    });
    this.#signaling.on("resumed", ({ changes }) => {
      for (const change of changes) this.#apply(change);
      this.#own.handleResumed(this.self);
      this.#tellOwn();
      this.#media.handleResumed(this.#state.tracksOfOthers);
      this.#viewports.repeat();
      this.#tellStatus();
    });
    this.#signaling.on("ended", (error) => {
      this.#finish();
      this.emit("ended", error);
    });
  }

  #hearMedia() {
    this.#media.on("received", ({ trackId, track }) => this.#tracks.receive(trackId, track));
    this.#media.on("removed", ({ trackId }) => this.#tracks.drop(trackId));
    this.#tracks.on("track", (remote) => this.emit("track", remote));
    this.#tracks.on("track-removed", (remote) => {
      this.#viewports.forget(remote.publication.id);
      this.emit("track-removed", remote);
    });
    this.#screen.on("change", () => this.emit("change", undefined));
    this.#media.on("state", (state) => {
      if (state === "connected") this.#firstFrame?.handleConnected();
      this.#tellStatus();
    });
    this.#media.on("data", (data) => this.emit("data", data));
    this.#media.publications.on("refused", ({ source, error }) => {
      // What nobody gets must not look as if it were on.
      if (source === "camera" || source === "microphone") void this.devices.set(source, false);
      else this.stopScreen();
      this.emit("problem", error);
    });
  }

  /** @param {ServerMessage} message */
  #handle(message) {
    if (this.#media.handle(message, () => this.#state.tracksOfOthers)) return;
    switch (message.type) {
      case "change":
        this.#apply(message);
        return;
      case "speakers":
        this.#state.speakers = message.participant_ids;
        this.emit("change", undefined);
        return;
      case "waiting_list":
        this.#state.waiting = message.participants;
        this.emit("change", undefined);
        return;
      case "unmute_asked":
        this.emit("unmute-asked", {
          source: this.#media.publications.sourceOf(message.track_id) ?? undefined,
          participant: this.#state.participants.get(message.by),
        });
        return;
      case "error":
        this.emit("problem", new PlenumError(message.code, message.message));
        return;
    }
  }

  /** @param {NumberedChange} numbered */
  #apply(numbered) {
    if (!this.#state.apply(numbered)) return;
    const { change } = numbered;
    const isOurs = "participant_id" in change && change.participant_id === this.#state.selfId;
    if (change.type === "track_unpublished") {
      if (isOurs) this.#media.publications.wasUnpublished(change.track_id);
      else this.#tracks.drop(change.track_id);
    } else if (change.type === "track_muted" && isOurs && change.muted && change.by !== this.#state.selfId) {
      this.#handleMutedBy(change.track_id, change.by);
    } else if (change.type === "participant_left" || change.type === "presence") {
      this.#tracks.dropOf(change.type === "presence" ? change.left : [change.participant_id]);
    } else if (change.type === "participant_updated" && change.participant.id === this.#state.selfId) {
      this.#own.handleUpdated(change.participant);
    }
    this.#tracks.update();
    this.emit("change", undefined);
  }

  /**
   * @param {string} trackId
   * @param {string} by
   */
  #handleMutedBy(trackId, by) {
    const source = this.#media.publications.sourceOf(trackId);
    if (!source) return;
    this.#media.publications.wasMuted(source, true);
    if (source === "camera" || source === "microphone") void this.devices.set(source, false);
    this.emit("muted-by", { source, participant: this.#state.participants.get(by) });
  }

  #tellStatus() {
    if (this.#status === "ended") return;
    const media = this.#media.state;
    this.#setStatus(this.#signaling.isOpen ? media : "reconnecting");
  }

  /** @param {Status} status */
  #setStatus(status) {
    if (this.#status === status) return;
    this.#status = status;
    this.emit("status", status);
  }

  #finish() {
    this.#stopHearingDevices();
    this.#signaling.close();
    this.#options.prepared?.close();
    this.stopScreen();
    this.#media.close();
    this.#viewports.close();
    this.#firstFrame?.cancel();
    if (this.#ownsDevices) this.devices.stop();
    this.#setStatus("ended");
  }
}

/**
 * @param {Promise<unknown>} promise
 * @param {number} milliseconds
 */
function atMost(promise, milliseconds) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
}
