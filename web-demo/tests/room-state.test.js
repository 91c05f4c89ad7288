// The room's store: a snapshot and numbered changes are the room. Without a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import { RoomState } from "../room-state.js";

const person = (/** @type {string} */ id, more = {}) => ({
  id, identity: id, name: id, role: "student", camera: false, microphone: false, hand_raised: false, away: false,
  moderator: false, joined_at: 1, tracks: [], ...more,
});
const track = (/** @type {string} */ id, more = {}) => ({ id, kind: "audio", source: "microphone", muted: false, published_at: 1, ...more });
const live = (/** @type {string} */ id) => ({ participant_id: id, identity: id, name: id, started_at: 1, media_type: "audio" });

function room() {
  const state = new RoomState();
  state.reset(/** @type {any} */ ({
    room: { id: "R", name: "r" }, participant_id: "me", participants: [person("you", { tracks: [track("t1")] }), person("me")],
    live: [live("you")], last_change: 7,
  }));
  /** @param {number} number @param {any} change */
  const apply = (number, change) => state.apply({ number, change });
  return { state, apply };
}

test("a snapshot is the whole room, and oneself is not among the others", () => {
  const { state } = room();
  assert.deepEqual(state.others.map((one) => one.id), ["you"]);
  assert.equal(state.self?.id, "me");
  assert.equal(state.find("t1")?.participant.id, "you");
  assert.deepEqual([...state.live.keys()], ["you"]);
});

test("a change whose number was seen already changes nothing", () => {
  const { state, apply } = room();
  assert.equal(apply(7, { type: "participant_left", participant_id: "you" }), false);
  assert.equal(apply(8, { type: "participant_joined", participant: person("new") }), true);
  assert.equal(apply(8, { type: "participant_left", participant_id: "new" }), false);
  assert.deepEqual(state.others.map((one) => one.id), ["you", "new"]);
  assert.equal(state.lastChange, 8);
});

test("tracks come, are muted, come back under the same id, and go", () => {
  const { state, apply } = room();
  apply(8, { type: "track_published", participant_id: "you", track: track("t2", { source: "camera", kind: "video" }) });
  apply(9, { type: "track_muted", participant_id: "you", track_id: "t2", muted: true, by: "you" });
  assert.equal(state.find("t2")?.track.muted, true);
  apply(10, { type: "track_published", participant_id: "you", track: track("t2") });
  assert.equal(state.participants.get("you")?.tracks.length, 2);
  apply(11, { type: "track_unpublished", participant_id: "you", track_id: "t2" });
  assert.equal(state.find("t2"), null);
});

test("who leaves takes their tracks, their being live and their voice along", () => {
  const { state, apply } = room();
  state.speakers = ["you", "me"];
  apply(8, { type: "participant_left", participant_id: "you" });
  assert.equal(state.find("t1"), null);
  assert.equal(state.live.size, 0);
  assert.deepEqual(state.speakers, ["me"]);
});

test("going live and ceasing to be live leaves the participant in the room", () => {
  const { state, apply } = room();
  apply(8, { type: "went_live", live: live("me") });
  apply(9, { type: "ceased_to_be_live", participant_id: "you" });
  assert.deepEqual([...state.live.keys()], ["me"]);
  assert.equal(state.participants.size, 2);
});

test("a change about somebody unknown is passed over", () => {
  const { state, apply } = room();
  assert.equal(apply(8, { type: "track_published", participant_id: "nobody", track: track("t9") }), true);
  assert.equal(state.participants.size, 2);
});
