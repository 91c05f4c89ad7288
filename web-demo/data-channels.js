// The data channels to everyone else in the room: one reliable, one fast. The server relays what is sent, with its
// sender's name before it.

import { Emitter } from "./emitter.js";

/** A relayed message begins with 16 characters of its sender's id, and one byte for its kind. */
const SENDER = 16;
const TEXT = 1;

/**
 * Events: `data` from others.
 * @extends {Emitter<{ data: { sender: string, label: string, data: string | Uint8Array } }>}
 */
export class DataChannels extends Emitter {
  #reliable;
  #lossy;

  /** @param {RTCPeerConnection} peer */
  constructor(peer) {
    super();
    this.#reliable = this.#open(peer, "reliable", {});
    this.#lossy = this.#open(peer, "lossy", { ordered: false, maxRetransmits: 0 });
  }

  /**
   * To everyone in the room.
   * @param {string | ArrayBuffer} data
   * @param {{ reliable: boolean }} options
   * @returns {boolean} false if the channel is not open
   */
  send(data, { reliable }) {
    const channel = reliable ? this.#reliable : this.#lossy;
    if (channel.readyState !== "open") return false;
    if (typeof data === "string") channel.send(data);
    else channel.send(data);
    return true;
  }

  /**
   * @param {RTCPeerConnection} peer
   * @param {string} label
   * @param {RTCDataChannelInit} options
   */
  #open(peer, label, options) {
    const channel = peer.createDataChannel(label, options);
    channel.binaryType = "arraybuffer";
    channel.onmessage = (event) => {
      const bytes = new Uint8Array(/** @type {ArrayBuffer} */ (event.data));
      if (bytes.length <= SENDER) return;
      const sender = String.fromCharCode(...bytes.subarray(0, SENDER));
      const payload = bytes.subarray(SENDER + 1);
      this.emit("data", { sender, label, data: bytes[SENDER] === TEXT ? new TextDecoder().decode(payload) : payload });
    };
    return channel;
  }
}
