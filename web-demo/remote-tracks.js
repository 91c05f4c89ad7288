// The tracks of others that can be played: those that have come, and whose owners the room has told of. Either may
// be first.

/** @import { Participant, Track } from "./protocol.d.ts" */
/** @import { RoomState } from "./room-state.js" */

import { Emitter } from "./emitter.js";

/**
 * A track of somebody else that can be played.
 * @typedef {object} RemoteTrack
 * @property {MediaStreamTrack} track
 * @property {Participant} participant whose it is
 * @property {Track} publication what it shows, and whether it is muted
 */

/** @extends {Emitter<{ track: RemoteTrack, "track-removed": RemoteTrack }>} */
export class RemoteTracks extends Emitter {
  /** @type {RoomState} */
  #state;
  /** By id. @type {Map<string, RemoteTrack>} */
  #tracks = new Map();
  /** Received before the room told of them. @type {Map<string, MediaStreamTrack>} */
  #unclaimed = new Map();

  /** @param {RoomState} state */
  constructor(state) {
    super();
    this.#state = state;
  }

  /** @returns {RemoteTrack[]} */
  get all() {
    return [...this.#tracks.values()];
  }

  /**
   * It has come.
   * @param {string} trackId
   * @param {MediaStreamTrack} track
   */
  receive(trackId, track) {
    this.#unclaimed.set(trackId, track);
    this.update();
  }

  /** The room has changed: tell of the tracks whose owners are known now; keep what is told of the others true. */
  update() {
    for (const [trackId, remote] of this.#tracks) {
      const found = this.#state.find(trackId);
      if (found) Object.assign(remote, { participant: found.participant, publication: found.track });
    }
    for (const [trackId, track] of this.#unclaimed) {
      const found = this.#state.find(trackId);
      if (!found) continue;
      this.#unclaimed.delete(trackId);
      const remote = { track, participant: found.participant, publication: found.track };
      this.#tracks.set(trackId, remote);
      this.emit("track", remote);
    }
  }

  /** It comes no longer. @param {string} trackId */
  drop(trackId) {
    this.#unclaimed.delete(trackId);
    const remote = this.#tracks.get(trackId);
    if (!remote) return;
    this.#tracks.delete(trackId);
    this.emit("track-removed", remote);
  }

  /** They are gone, and what they sent. @param {string[]} participantIds */
  dropOf(participantIds) {
    for (const { participant, publication } of this.all) {
      if (participantIds.includes(participant.id)) this.drop(publication.id);
    }
  }
}
