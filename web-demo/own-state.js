// One's own camera, microphone and hand: what is sent is what the devices give, and the server is told of each change
// once.

/** @import { Devices } from "./devices.js" */
/** @import { Publications } from "./publications.js" */
/** @import { ClientMessage, Participant, StateUpdate } from "./protocol.d.ts" */

export class OwnState {
  /** @type {Devices} */
  #devices;
  /** @type {Publications} */
  #publications;
  /** @type {(message: ClientMessage) => number | null} */
  #send;
  #isHandRaised;
  /** As the server was last told. @type {StateUpdate} */
  #told = {};

  /**
   * @param {object} parts
   * @param {Devices} parts.devices
   * @param {Publications} parts.publications
   * @param {(message: ClientMessage) => number | null} parts.send
   * @param {boolean} parts.isHandRaised
   */
  constructor({ devices, publications, send, isHandRaised }) {
    this.#devices = devices;
    this.#publications = publications;
    this.#send = send;
    this.#isHandRaised = isHandRaised;
  }

  get isHandRaised() {
    return this.#isHandRaised;
  }

  /** @param {boolean} raised */
  raiseHand(raised) {
    this.#isHandRaised = raised;
    this.tell();
  }

  /** For `join`, which tells all of it. @returns {StateUpdate} */
  tellJoining() {
    return (this.#told = this.#now());
  }

  /** What the devices give is what is sent. */
  publish() {
    const { camera, microphone } = this.#devices;
    this.#publications.set("camera", camera, !this.#devices.isOn("camera"));
    this.#publications.set("microphone", microphone, !this.#devices.isOn("microphone"));
  }

  /** Bring the server to what the devices and the hand are. What is the same already is not sent. */
  tell() {
    this.publish();
    const state = this.#now();
    const told = this.#told;
    const isSame = state.camera === told.camera && state.microphone === told.microphone && state.hand_raised === told.hand_raised;
    if (!isSame && this.#send({ type: "update_state", ...state }) !== null) this.#told = state;
  }

  /** After a loss, this is what the server has. @param {Participant | undefined} self */
  handleResumed(self) {
    this.#told = self ? { camera: self.camera, microphone: self.microphone, hand_raised: self.hand_raised } : {};
  }

  /** The room's word on oneself. @param {Participant} self */
  handleUpdated(self) {
    // Told as raised, and down now: a moderator lowered it.
    if (!this.#told.hand_raised || self.hand_raised) return;
    this.#isHandRaised = false;
    this.#told = { ...this.#told, hand_raised: false };
  }

  #now() {
    return {
      camera: this.#devices.isOn("camera"),
      microphone: this.#devices.isOn("microphone"),
      hand_raised: this.#isHandRaised,
    };
  }
}
