// The camera and the microphone of this machine: what is on, what is chosen, and why something is not on.
// A camera that is off is really off; a microphone that is off stays open, silent. It never sends anything.

import { Emitter } from "./emitter.js";
import { deviceFailure, PlenumError } from "./failures.js";

/** @typedef {"camera" | "microphone"} DeviceKind */

/** What is asked of a camera: enough for a tile, and no more than a weak machine can encode. */
const CAMERA = { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 30, max: 30 } };
const MICROPHONE = { echoCancellation: true, noiseSuppression: true, autoGainControl: true };

/**
 * Events: `change` whenever a track, a choice or a failure is another one; `list` when a device was plugged
 * in or out.
 * @extends {Emitter<{ change: DeviceKind, list: void }>}
 */
export class Devices extends Emitter {
  /** @type {Record<DeviceKind, MediaStreamTrack | null>} */
  #tracks = { camera: null, microphone: null };
  /** @type {Record<DeviceKind, PlenumError | null>} */
  #failures = { camera: null, microphone: null };
  /** @type {Record<DeviceKind, boolean>} */
  #wanted = { camera: false, microphone: false };
  /** @type {Record<DeviceKind, string | undefined>} */
  #chosen = { camera: undefined, microphone: undefined };
  #queue = Promise.resolve();
  /** Nothing was asked for since `stop`. */
  #isStopped = false;
  #tellList = () => this.emit("list", undefined);

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener("devicechange", this.#tellList);
  }

  /** The camera's track, while it is on. */
  get camera() {
    return this.#tracks.camera;
  }

  /** The microphone's track, also while it is silent. */
  get microphone() {
    return this.#tracks.microphone;
  }

  /** @param {DeviceKind} kind */
  isOn(kind) {
    const track = this.#tracks[kind];
    return track !== null && track.readyState === "live" && track.enabled;
  }

  /**
   * Why it is not on, though it was asked for.
   * @param {DeviceKind} kind
   */
  failure(kind) {
    return this.#failures[kind];
  }

  /**
   * Both at once, so that the browser asks the user once. Never throws: see `failure`.
   * @param {{ camera: boolean, microphone: boolean }} wanted
   * @returns {Promise<void>}
   */
  start(wanted) {
    this.#wanted = { ...wanted };
    this.#isStopped = false;
    return this.#enqueue(async () => {
      if (this.#wanted.camera && this.#wanted.microphone && !this.camera && !this.microphone) {
        const isDone = await this.#acquireBoth();
        if (isDone) return;
      }
      await this.#settle("camera");
      await this.#settle("microphone");
    });
  }

  /**
   * Turn a device on or off. Never throws: see `isOn` and `failure`.
   * @param {DeviceKind} kind
   * @param {boolean} on
   * @returns {Promise<void>}
   */
  set(kind, on) {
    this.#wanted[kind] = on;
    if (on) this.#isStopped = false;
    const track = this.#tracks[kind];
    // Silence must not wait for a prompt that is still open for the other device.
    if (kind === "microphone" && track && track.readyState === "live") this.#enable(track, on);
    return this.#enqueue(() => this.#settle(kind));
  }

  /**
   * Use another device, now or when it is turned on.
   * @param {DeviceKind} kind
   * @param {string} deviceId
   * @returns {Promise<void>}
   */
  choose(kind, deviceId) {
    this.#chosen[kind] = deviceId || undefined;
    return this.#enqueue(async () => {
      if (!this.#tracks[kind]) return;
      await this.#acquire(kind);
    });
  }

  /**
   * What there is to choose from. Browsers name devices only once one was allowed.
   * @returns {Promise<{ kind: DeviceKind, id: string, label: string, isCurrent: boolean }[]>}
   */
  async list() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.()) ?? [];
    return all.flatMap((device, index) => {
      if (device.kind === "audiooutput" || !device.deviceId) return [];
      const kind = device.kind === "videoinput" ? "camera" : "microphone";
      const current = this.#tracks[kind]?.getSettings().deviceId ?? this.#chosen[kind];
      const label = device.label || `${kind === "camera" ? "Camera" : "Microphone"} ${index + 1}`;
      return [{ kind, id: device.deviceId, label, isCurrent: device.deviceId === current }];
    });
  }

  /** Let go of everything. */
  stop() {
    navigator.mediaDevices?.removeEventListener("devicechange", this.#tellList);
    this.#wanted = { camera: false, microphone: false };
    this.#isStopped = true;
    this.#replace("camera", null);
    this.#replace("microphone", null);
  }

  /** @param {() => Promise<void>} step */
  #enqueue(step) {
    this.#queue = this.#queue.then(step, step);
    return this.#queue;
  }

  /**
   * Make what is so what is wanted at this moment: a hasty double click ends where it should.
   * @param {DeviceKind} kind
   */
  async #settle(kind) {
    const track = this.#tracks[kind];
    const on = this.#wanted[kind];
    if (on && (!track || track.readyState === "ended")) return this.#acquire(kind);
    if (on && track) return this.#enable(track, true);
    this.#failures[kind] = null;
    if (kind === "camera") this.#replace("camera", null);
    else if (track) this.#enable(track, false);
    this.emit("change", kind);
  }

  /** True if both are there; else each is to be tried by itself. */
  async #acquireBoth() {
    try {
      const stream = await this.#ask({ camera: true, microphone: true });
      this.#replace("camera", stream.getVideoTracks()[0] ?? null);
      this.#replace("microphone", stream.getAudioTracks()[0] ?? null);
      return true;
    } catch (error) {
      const failure = deviceFailure(error);
      if (failure.code !== "permission_denied") return false;
      // Asking again for each would be pestering, unless the browser already says yes to one of them.
      for (const kind of /** @type {DeviceKind[]} */ (["camera", "microphone"])) {
        if ((await permission(kind)) === "granted") await this.#acquire(kind);
        else this.#fail(kind, failure);
      }
      return true;
    }
  }

  /**
   * @param {DeviceKind} kind
   * @returns {Promise<void>}
   */
  async #acquire(kind) {
    if (this.#isStopped) return;
    try {
      const stream = await this.#ask({ [kind]: true });
      this.#replace(kind, stream.getTracks()[0] ?? null);
    } catch (error) {
      const failure = deviceFailure(error);
      if (failure.code === "no_device" && this.#chosen[kind]) {
        // The chosen one is gone: take what there is.
        this.#chosen[kind] = undefined;
        return this.#acquire(kind);
      }
      this.#fail(kind, failure);
    }
  }

  /**
   * @param {{ camera?: boolean, microphone?: boolean }} kinds
   * @returns {Promise<MediaStream>}
   */
  #ask({ camera, microphone }) {
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new PlenumError(globalThis.isSecureContext === false ? "insecure_page" : "unsupported_browser");
    }
    const exactly = (/** @type {string | undefined} */ id) => (id ? { deviceId: { exact: id } } : {});
    return navigator.mediaDevices.getUserMedia({
      video: camera ? { ...CAMERA, ...exactly(this.#chosen.camera) } : false,
      audio: microphone ? { ...MICROPHONE, ...exactly(this.#chosen.microphone) } : false,
    });
  }

  /**
   * @param {DeviceKind} kind
   * @param {MediaStreamTrack | null} track
   */
  #replace(kind, track) {
    const old = this.#tracks[kind];
    if (old) {
      old.onended = null;
      old.stop();
    }
    if (track && !this.#wanted[kind]) {
      // Turned off while the browser was asking.
      if (kind === "camera" || this.#isStopped) {
        track.stop();
        track = null;
      } else {
        track.enabled = false;
      }
    }
    this.#tracks[kind] = track;
    this.#failures[kind] = null;
    if (track) track.onended = () => this.#fail(kind, new PlenumError("no_device", "the device is gone"));
    if (old !== track) this.emit("change", kind);
  }

  /**
   * @param {MediaStreamTrack} track
   * @param {boolean} on
   */
  #enable(track, on) {
    if (track.enabled === on) return;
    track.enabled = on;
    this.emit("change", track.kind === "video" ? "camera" : "microphone");
  }

  /**
   * @param {DeviceKind} kind
   * @param {PlenumError} failure
   */
  #fail(kind, failure) {
    this.#replace(kind, null);
    this.#wanted[kind] = false;
    this.#failures[kind] = failure;
    this.emit("change", kind);
  }
}

/**
 * What the browser would say if it were asked.
 * @param {DeviceKind} kind
 * @returns {Promise<PermissionState | "unknown">}
 */
async function permission(kind) {
  try {
    const status = await navigator.permissions.query({ name: /** @type {PermissionName} */ (kind) });
    return status.state;
  } catch {
    return "unknown";
  }
}
