// The decoder as the witness: a viewer's picture goes on through two hundred changes of its layer, as if its
// publisher had never sent but one.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, status, tile, until, videoOf } from "./support/browser.js";
import { untilOrSlow } from "./support/encoder.js";
import { startServer } from "./support/server.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ longest: number, frames: number }} Watched */

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  server = await startServer();
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

const SWITCHES = 200;
/** Of all of them together: a slow machine makes fewer, and has longer for the fewest. */
const LONGEST_RUN_MS = 70_000;
const FEWEST_SWITCHES = 40;
const LONGEST_RUN_OF_FEWEST_MS = 210_000;
const FRAMES_PER_SECOND = 15;
/** What shows for longer than this is a freeze. */
const FREEZE_MS = 500;
/** Widths of a tile, and of the layer that fills it. */
const PLACES = [[240, 320], [600, 640], [1_200, 1_280]];

/** One's own picture. */
const OWN = "[data-testid=self-preview] video";

/** @param {number} width @param {number} height */
const camera = (width, height) => `{
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) =>
    ask(wanted?.video ? { ...wanted, video: { width: ${width}, height: ${height}, frameRate: ${FRAMES_PER_SECOND} } } : wanted);
}`;

/** @param {string} name @param {string} script */
async function person(name, script) {
  const page = await openPage(browser, server, { name, room: "switching", scripts: [script], fullCamera: true });
  await status(page, "connected");
  return page;
}

/** From now on, note how long a video stood at most from one picture to the next. @param {Page} page @param {string} selector */
const watch = (page, selector) =>
  page.locator(selector).evaluate((element) => {
    const video = /** @type {HTMLVideoElement & { watched: Watched }} */ (element);
    let last = performance.now();
    const watched = (video.watched = { longest: 0, frames: 0 });
    const next = (/** @type {number} */ now) => {
      watched.longest = Math.max(watched.longest, now - last);
      watched.frames += 1;
      last = now;
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  });

/** @param {Page} page @param {string} selector @returns {Promise<Watched>} */
const watched = (page, selector) => page.locator(selector).evaluate((video) => /** @type {any} */ (video).watched);

/** What the page's decoder says of somebody's video. @param {Page} page @param {string} name */
const decoder = (page, name) =>
  page.locator(videoOf(name)).evaluate(async (element) => {
    const stream = /** @type {MediaStream} */ (/** @type {HTMLVideoElement} */ (element).srcObject);
    const id = stream.getVideoTracks()[0]?.id;
    const connection = /** @type {RTCPeerConnection} */ (/** @type {any} */ (window).connections.at(-1));
    const reports = [...(await connection.getStats()).values()];
    return reports.find((report) => report.type === "inbound-rtp" && report.trackIdentifier === id);
  }, name);

/**
 * Show a tile in one size after another, each as soon as the picture has come in the size before.
 * @param {Page} page @param {string} name
 * @returns {Promise<number[]>} how long each took, in milliseconds
 */
const switchOften = (page, name) =>
  tile(page, name).evaluate(
    async (element, { places, count, fewest, limit, limitOfFewest }) => {
      const video = /** @type {HTMLVideoElement} */ (element.querySelector("video"));
      const start = performance.now();
      const took = [];
      for (let index = 0; index < count && performance.now() - start < (index < fewest ? limitOfFewest : limit); index++) {
        const [shown = 0, sent = 0] = places[index % places.length] ?? [];
        const asked = performance.now();
        element.style.cssText = `width: ${shown}px; height: ${(shown * 9) / 16}px; flex: none`;
        while (video.videoWidth !== sent) {
          if (performance.now() - asked > 60_000) throw new Error(`switch ${index}: ${video.videoWidth}, not ${sent}`);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
        took.push(performance.now() - asked);
      }
      return took;
    },
    { places: PLACES, count: SWITCHES, fewest: FEWEST_SWITCHES, limit: LONGEST_RUN_MS, limitOfFewest: LONGEST_RUN_OF_FEWEST_MS },
  );

/**
 * Why somebody got what they got of a track with layers, once in half a second until the answer is known: how often
 * each reason was given, and the least that was thought to be the capacity of their path.
 * @param {string} participant @param {Promise<unknown>} answer
 */
async function reasons(participant, answer) {
  const body = JSON.stringify({ name: "backend", grants: { roomCreate: true } });
  const headers = { "content-type": "application/json" };
  const { token } = await (await fetch(`${server.origin}/api/dev/token`, { method: "POST", headers, body })).json();
  const url = `${server.origin}/api/rooms/switching/participants/${participant}/forwarding`;
  /** @type {Record<string, number>} */
  const counts = {};
  let least = Infinity;
  let isOver = false;
  void answer.finally(() => (isOver = true)).catch(() => {});
  while (!isOver) {
    const told = await (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).json();
    least = Math.min(least, told.estimate_bps ?? Infinity);
    for (const { layers, reason } of told.tracks) if (layers.length > 1) counts[reason] = (counts[reason] ?? 0) + 1;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return `${JSON.stringify(counts)}, estimate ${Math.round(least / 1_000)} kbit/s at least`;
}

test("a picture goes on through two hundred changes of its layer", async (t) => {
  const ann = await person("Ann", camera(1_280, 720));
  // What stands here too was not the switches' fault.
  const control = await person("Cleo", camera(320, 180));
  const bob = await person("Bob", camera(320, 180));
  const isLarge = await untilOrSlow(t, ann, FRAMES_PER_SECOND, "Bob sees the largest of Ann", async () => {
    await tile(bob, "Ann").evaluate((element) => (element.style.cssText = "width: 1200px; height: 675px; flex: none"));
    return (await decoder(bob, "Ann"))?.frameWidth;
  }, (width) => width === 1_280);
  if (!isLarge) return;
  await until("Bob sees Cleo", async () => (await decoder(bob, "Cleo"))?.framesDecoded ?? 0, (frames) => frames > 5);

  const first = await decoder(bob, "Ann");
  await watch(ann, OWN);
  await watch(bob, videoOf("Ann"));
  await watch(bob, videoOf("Cleo"));
  const participant = (await tile(ann, "Bob").getAttribute("data-participant")) ?? "";
  const switching = switchOften(bob, "Ann");
  t.diagnostic(`reasons ${await reasons(participant, switching)}`);
  const took = await switching;
  const [seen, other, own] = [await watched(bob, videoOf("Ann")), await watched(bob, videoOf("Cleo")), await watched(ann, OWN)];
  const last = await decoder(bob, "Ann");

  const since = (/** @type {string} */ name) => (last[name] ?? 0) - (first[name] ?? 0);
  const sorted = took.toSorted((a, b) => a - b);
  const round = (/** @type {number | undefined} */ value) => Math.round(value ?? 0);
  t.diagnostic(`${took.length} switches, each in ${round(sorted[took.length >> 1])} ms (median), ${round(sorted.at(-1))} ms (longest)`);
  t.diagnostic(`stood at most ${round(seen.longest)} ms; a picture that was not switched ${round(other.longest)} ms, the camera itself ${round(own.longest)} ms`);
  t.diagnostic(`freezes ${since("freezeCount")} of ${since("totalFreezesDuration")} s, frames ${since("framesDecoded")}, dropped ${since("framesDropped")}, key frames ${since("keyFramesDecoded")}, NACKs ${since("nackCount")}, PLIs ${since("pliCount")}, lost ${since("packetsLost")}`);

  assert.ok(took.length >= FEWEST_SWITCHES, `${took.length} switches`);
  assert.ok(seen.longest <= FREEZE_MS + other.longest + own.longest, `stood ${seen.longest} ms`);
  assert.equal(since("packetsLost"), 0);
  assert.equal(since("nackCount"), 0);
  assert.equal(since("pliCount"), 0);
  // One for each switch, and what others asked for meanwhile.
  assert.ok(since("keyFramesDecoded") <= 2 * took.length + 10, `${since("keyFramesDecoded")} key frames`);
  await Promise.all([ann, bob, control].map((page) => page.context().close()));
});
