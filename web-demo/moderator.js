// What hosts and moderators ask of a room: its session, those who wait, and others' microphones and stay.
// Whether they may is the server's to say; each promise is kept or rejected with a `PlenumError`.

/** @import { SessionInfo, Track } from "./protocol.d.ts" */
/** @import { Signaling } from "./signaling.js" */

export class Moderator {
  #signaling;
  #tracksOf;
  /** Sessions being started, so that a double click is one. @type {Map<string, Promise<SessionInfo | undefined>>} */
  #starting = new Map();

  /**
   * @param {Signaling} signaling
   * @param {(participantId: string) => Track[]} tracksOf what somebody publishes now
   */
  constructor(signaling, tracksOf) {
    this.#signaling = signaling;
    this.#tracksOf = tracksOf;
  }

  /**
   * Make the session live. A second call while the first is under way is the same one.
   * @returns {Promise<SessionInfo | undefined>}
   */
  goLive() {
    return this.#start("go_live");
  }

  /**
   * Let guests gather and wait.
   * @returns {Promise<SessionInfo | undefined>}
   */
  openLobby() {
    return this.#start("open_lobby");
  }

  /** End the session for all, oneself included. */
  endSession() {
    return this.#signaling.request({ type: "end_session" });
  }

  /** Let these in who wait. @param {string[]} participantIds */
  admit(participantIds) {
    return this.#signaling.request({ type: "admit", participant_ids: participantIds });
  }

  /** Send these away who wait. @param {string[]} participantIds */
  deny(participantIds) {
    return this.#signaling.request({ type: "deny", participant_ids: participantIds });
  }

  /**
   * Put somebody out, and with `ban` for ever.
   * @param {string} participantId
   * @param {{ ban?: boolean }} [options]
   */
  remove(participantId, { ban = false } = {}) {
    return this.#signaling.request({ type: "remove", participant_id: participantId, ban });
  }

  /** Let nobody new in, or let them in again. @param {boolean} locked */
  setLocked(locked) {
    return this.#signaling.request({ type: "set_locked", locked });
  }

  /** As the host: make somebody else the host of this session. @param {string} participantId */
  handOver(participantId) {
    return this.#signaling.request({ type: "hand_over", participant_id: participantId });
  }

  /** Silence somebody's microphone. Only they can open it again. @param {string} participantId */
  mute(participantId) {
    for (const track of this.#microphones(participantId)) this.#signaling.send({ type: "mute", track_id: track.id, muted: true });
  }

  /** Ask somebody to open their microphone. @param {string} participantId */
  async askToUnmute(participantId) {
    for (const track of this.#microphones(participantId)) await this.#signaling.request({ type: "ask_to_unmute", track_id: track.id });
  }

  /** Lower somebody's hand. @param {string} participantId */
  lowerHand(participantId) {
    return this.#signaling.request({ type: "lower_hand", participant_id: participantId });
  }

  /** @param {string} participantId */
  #microphones(participantId) {
    return this.#tracksOf(participantId).filter((track) => track.source === "microphone");
  }

  /**
   * One key for each intention: whatever is sent twice makes one session.
   * @param {"go_live" | "open_lobby"} type
   * @returns {Promise<SessionInfo | undefined>}
   */
  #start(type) {
    const underWay = this.#starting.get(type);
    if (underWay) return underWay;
    const started = this.#signaling
      .request({ type, key: randomKey() })
      .then((done) => done.session)
      .finally(() => this.#starting.delete(type));
    this.#starting.set(type, started);
    return started;
  }
}

/** Pages without TLS have no `randomUUID`. */
export function randomKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
