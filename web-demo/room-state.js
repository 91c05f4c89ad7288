// A room as the server tells it: a snapshot and the numbered changes after it. A pure store: no network,
// no page, no clock. A change whose number was seen already is passed over.

/** @import { Change, Joined, Live, NumberedChange, Participant, RoomInfo, Track, WaitingParticipant } from "./protocol.d.ts" */

export class RoomState {
  /** @type {RoomInfo | null} */
  info = null;
  /** The id of whoever looks. */
  selfId = "";
  /** In the order of joining. @type {Map<string, Participant>} */
  participants = new Map();
  /** By participant, oneself included once live. @type {Map<string, Live>} */
  live = new Map();
  /** Who is speaking, loudest first. @type {string[]} */
  speakers = [];
  /** Who waits to be let in, longest first, if one is a moderator. @type {WaitingParticipant[]} */
  waiting = [];
  /** The number of the last change in here. */
  lastChange = 0;

  /** Oneself. */
  get self() {
    return this.participants.get(this.selfId);
  }

  /** Everyone else, in the order of joining. */
  get others() {
    return [...this.participants.values()].filter((participant) => participant.id !== this.selfId);
  }

  /** How many tracks there are to receive, by kind. */
  get tracksOfOthers() {
    const count = { audio: 0, video: 0 };
    for (const { tracks } of this.others) for (const track of tracks) count[track.kind] += 1;
    return count;
  }

  /**
   * The whole room at once: what was known before is forgotten.
   * @param {Pick<Joined, "room" | "participant_id" | "participants" | "live" | "last_change">} joined
   */
  reset(joined) {
    this.info = joined.room;
    this.selfId = joined.participant_id;
    this.participants = new Map(joined.participants.map((participant) => [participant.id, participant]));
    this.live = new Map(joined.live.map((live) => [live.participant_id, live]));
    this.speakers = [];
    this.waiting = [];
    this.lastChange = joined.last_change;
  }

  /**
   * Take in one change. False if it was seen already.
   * @param {NumberedChange} numbered
   * @returns {boolean}
   */
  apply({ number, change }) {
    if (number <= this.lastChange) return false;
    this.lastChange = number;
    this.#change(change);
    return true;
  }

  /**
   * Whose a track is.
   * @param {string} trackId
   * @returns {{ participant: Participant, track: Track } | null}
   */
  find(trackId) {
    for (const participant of this.participants.values()) {
      const track = participant.tracks.find((track) => track.id === trackId);
      if (track) return { participant, track };
    }
    return null;
  }

  /** @param {Change} change */
  #change(change) {
    switch (change.type) {
      case "participant_joined":
      case "participant_updated":
        this.participants.set(change.participant.id, change.participant);
        return;
      case "participant_left":
        this.participants.delete(change.participant_id);
        this.live.delete(change.participant_id);
        this.speakers = this.speakers.filter((id) => id !== change.participant_id);
        return;
      case "track_published":
        this.#tracks(change.participant_id, (tracks) => [
          ...tracks.filter((track) => track.id !== change.track.id),
          change.track,
        ]);
        return;
      case "track_unpublished":
        this.#tracks(change.participant_id, (tracks) => tracks.filter((track) => track.id !== change.track_id));
        return;
      case "track_muted":
        this.#tracks(change.participant_id, (tracks) =>
          tracks.map((track) => (track.id === change.track_id ? { ...track, muted: change.muted } : track)),
        );
        return;
      case "went_live":
      case "live_updated":
        this.live.set(change.live.participant_id, change.live);
        return;
      case "ceased_to_be_live":
        this.live.delete(change.participant_id);
        return;
      case "presence":
        for (const id of change.left) {
          this.participants.delete(id);
          this.live.delete(id);
        }
        for (const participant of change.joined) this.participants.set(participant.id, participant);
        return;
      case "room_updated":
        this.info = change.room;
        return;
    }
  }

  /**
   * @param {string} participantId
   * @param {(tracks: Track[]) => Track[]} edit
   */
  #tracks(participantId, edit) {
    const participant = this.participants.get(participantId);
    if (!participant) return;
    this.participants.set(participantId, { ...participant, tracks: edit(participant.tracks) });
  }
}
