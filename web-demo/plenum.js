// Plenum for one's own page: `join` a room, hear and see it, be heard and seen. The demo page is built on
// this and nothing else. It draws nothing.
//
//   import { join } from "https://your.server/plenum.js";
//   const room = await join({ token, camera: true, microphone: true });
//   room.on("track", ({ track, participant }) => …);

/** @import { Joined, Live, NumberedChange, Participant, RoomInfo, ServerMessage, StateUpdate, TrackSource, Waiting, WaitingParticipant } from "./protocol.d.ts" */
/** @import { Prepared } from "./negotiation.js" */

import { Devices } from "./devices.js";
import { Emitter } from "./emitter.js";
import { asPlenumError, PlenumError } from "./failures.js";
import { FirstFrame } from "./first-frame.js";
import { Media } from "./media.js";
import { Moderator } from "./moderator.js";
import { RemoteTracks } from "./remote-tracks.js";
import { RoomState } from "./room.js";
import { Screen } from "./screen.js";
import { Signaling } from "./signaling.js";
import { Viewports } from "./viewports.js";

export { Devices } from "./devices.js";
export { describe, PlenumError } from "./failures.js";
export { Prepared } from "./negotiation.js";

/** Somebody who has not decided about the browser's question joins as a viewer; what is allowed later follows. */
const DEVICES_LIMIT_MS = 12_000;

/** @typedef {"devices" | "token" | "signaling" | "media"} Step */

/**
 * @typedef {object} JoinOptions
 * @property {string | (() => Promise<string>)} token an access token, or where to get one
 * @property {string | URL} [url] the server, as `https://your.server`; the page's own if left out
 * @property {string} [room] the room one means to enter: must be the token's
 * @property {boolean} [camera] start with the camera on; `false` if left out
 * @property {boolean} [microphone] start with the microphone on; `false` if left out
 * @property {Devices} [devices] devices that are in use already (a preview's); `camera` and `microphone` do not count then
 * @property {Prepared} [prepared] made while there was time: one is in sooner. It serves for one `join`
 * @property {boolean} [handRaised]
 * @property {(token: string) => void} [onResumeToken] told whenever there is a new one: keep it in `sessionStorage`
 * @property {string} [resumeToken] the last such: to come back as the same participant after a refresh
 * @property {(waiting: Waiting) => void} [onWaiting] told while one waits outside: for the session, or to be let in
 * @property {(room: Room) => void} [onRoom] told once one is in, and sound and picture begin to connect: the room can be drawn meanwhile
 * @property {(step: Step) => void} [onStep] told as each step of connecting begins
 * @property {AbortSignal} [signal] to give up
 */

/** @typedef {import("./remote-tracks.js").RemoteTrack} RemoteTrack */

/**
 * Enter a room. Resolves when sound and picture can flow; rejects with a `PlenumError`, whose `code` says why.
 * Without a camera or microphone, or without permission for them, one joins as a viewer: see `room.devices`.
 * @param {JoinOptions} options
 * @returns {Promise<Room>}
 */
export async function join(options) {
  const room = new Room(options);
  try {
    await room.open();
  } catch (error) {
    room.leave();
    throw asPlenumError(error);
  }
  return room;
}

/**
 * What a room tells.
 * @typedef {object} RoomEvents
 * @property {RemoteTrack} track a track of somebody else can be played; new listeners are told of those there
 * @property {RemoteTrack} track-removed it can be played no longer
 * @property {void} change `participants`, `live`, `speakers` or one's own state are others now
 * @property {Status} status of the connection, which mends itself
 * @property {{ source: TrackSource, participant: Participant | undefined }} muted-by a moderator muted a track of ours
 * @property {Waiting} waiting one is outside again, since the session ended while the connection was lost
 * @property {{ source: TrackSource | undefined, participant: Participant | undefined }} unmute-asked a moderator asks us to unmute a track
 * @property {PlenumError} problem something could not be done; the stay goes on
 * @property {{ sender: string, label: string, data: string | Uint8Array }} data a message from a participant
 * @property {PlenumError} ended it is over, and will not mend itself
 */

/** @typedef {"connecting" | "connected" | "reconnecting" | "interrupted" | "waiting" | "ended"} Status */

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
  /** One's own states as the server was last told. @type {StateUpdate} */
  #told = {};
  #isHandRaised;
  #ownsDevices;
  /** @type {() => void} */
  #stopHearingDevices;

  /** @param {JoinOptions} options use `join` */
  constructor(options) {
    super();
    const { token } = options;
    this.#options = options;
    this.#isHandRaised = options.handRaised ?? false;
    this.#ownsDevices = !options.devices;
    /** The camera and the microphone. */
    this.devices = options.devices ?? new Devices();
    this.#stopHearingDevices = this.devices.on("change", () => this.#sendOwn());
    this.#signaling = new Signaling({
      url: websocketUrl(options.url),
      token: typeof token === "string" ? async () => token : token,
      room: options.room,
      resumeToken: options.resumeToken,
      state: () => (this.#told = this.#ownState()),
      lastChange: () => this.#state.lastChange,
    });
    this.#media = new Media({
      send: (message) => this.#signaling.send(message),
      canSend: () => this.#signaling.isOpen,
    });
    this.#screen = new Screen(this.#media.publications);
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
    return this.#isHandRaised;
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
    const given = new Promise((_, reject) => {
      if (signal?.aborted) reject(new PlenumError("left"));
      signal?.addEventListener("abort", () => reject(new PlenumError("left")), { once: true });
    });
    given.catch(() => {});
    await Promise.race([given, this.#connect(onStep ?? (() => {}))]);
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
    this.#isHandRaised = raised;
    this.#sendOwn();
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
    this.#signaling.leave();
    this.#finish();
  }

  /** @param {(step: Step) => void} onStep */
  async #connect(onStep) {
    onStep("devices");
    if (typeof RTCPeerConnection === "undefined") throw new PlenumError("unsupported_browser");
    if (this.#ownsDevices) {
      const { camera = false, microphone = false } = this.#options;
      await atMost(this.devices.start({ camera, microphone }), DEVICES_LIMIT_MS);
    }
    this.#firstFrame = new FirstFrame((message) => this.#signaling.send(message));
    onStep("token");
    const ready = this.#signaling.prepare();
    // While others work. Failing here is failing to join.
    this.#sendDevices();
    this.#media.prepare(this.#options.prepared?.take());
    await ready;
    onStep("signaling");
    const joined = await this.#signaling.open();
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
    this.#sendOwn();
    this.#media.open(this.#expected());
    this.emit("change", undefined);
  }

  /** What one should receive, by kind. */
  #expected() {
    const expected = { audio: 0, video: 0 };
    for (const { tracks } of this.#state.others) for (const track of tracks) expected[track.kind] += 1;
    return expected;
  }

  /** One's own states as they are. */
  #ownState() {
    return {
      camera: this.devices.isOn("camera"),
      microphone: this.devices.isOn("microphone"),
      hand_raised: this.#isHandRaised,
    };
  }

  /** Bring the server to what the devices and the hand are. What is the same already is not sent. */
  #sendOwn() {
    this.#sendDevices();
    const state = this.#ownState();
    const told = this.#told;
    const isSame = state.camera === told.camera && state.microphone === told.microphone && state.hand_raised === told.hand_raised;
    if (!isSame && this.#signaling.send({ type: "update_state", ...state }) !== null) this.#told = state;
    this.emit("change", undefined);
  }

  #sendDevices() {
    const { camera, microphone } = this.devices;
    this.#media.publications.set("camera", camera, !this.devices.isOn("camera"));
    this.#media.publications.set("microphone", microphone, !this.devices.isOn("microphone"));
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
      this.#told = this.self ? { camera: this.self.camera, microphone: this.self.microphone, hand_raised: this.self.hand_raised } : {};
      this.#sendOwn();
      this.#media.handleResumed(this.#expected());
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
    if (this.#media.handle(message, () => this.#expected())) return;
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
      // Told as raised, and down now: a moderator lowered it.
      if (this.#told.hand_raised && !change.participant.hand_raised) {
        this.#isHandRaised = false;
        this.#told = { ...this.#told, hand_raised: false };
      }
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

/**
 * @param {string | URL | undefined} server
 * @returns {string}
 */
function websocketUrl(server) {
  const url = new URL("/ws", server ?? location.href);
  url.protocol = url.protocol === "https:" || url.protocol === "wss:" ? "wss:" : "ws:";
  return url.href;
}
