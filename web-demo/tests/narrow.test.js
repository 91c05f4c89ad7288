// A viewer behind a path that becomes too narrow for what it is sent: a smaller picture goes on there, with sound,
// and the larger one comes back with the room for it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, status, tile, until } from "./support/browser.js";
import { encoder, untilOrSlow } from "./support/encoder.js";
import { freeUdpPort, startRelay } from "./support/relay.js";
import { startServer } from "./support/server.js";

/** @typedef {import("playwright-core").Page} Page */

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof startRelay>>} */
let relay;
/** @type {Page} */
let ada;
/** @type {Page} */
let viewer;

const ROOM = "narrow";
/** What the path carries at most while it is narrow, or this share of the largest layer; and how long its queue is. */
const NARROW_BPS = 600_000;
const NARROW_SHARE = 0.7;
const QUEUE_MS = 200;
const FRAMES_PER_SECOND = 15;
/** In which the queue that the fall left behind is gone. */
const SETTLING_MS = 3_000;
const WATCHED_MS = 10_000;

/** @param {number} width @param {number} frameRate */
const camera = (width, frameRate) => `{
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) =>
    ask(wanted?.video ? { ...wanted, video: { width: ${width}, height: ${(width * 9) / 16}, frameRate: ${frameRate} } } : wanted);
}`;

before(async () => {
  const port = await freeUdpPort();
  server = await startServer({ args: ["--public-ip", "127.0.0.1"], udpPort: port });
  relay = await startRelay(port);
  browser = await launchChromium();
  ada = await openPage(browser, server, { room: ROOM, name: "Ada", scripts: [camera(1_280, FRAMES_PER_SECOND)], fullCamera: true });
  await status(ada, "connected");
  viewer = await openPage(browser, server, { room: ROOM, name: "Bob", scripts: [camera(64, 5), relay.script], fullCamera: true });
  await status(viewer, "connected");
  await tile(viewer, "Ada").evaluate((element) => (element.style.cssText = "width: 1200px; height: 675px; flex: none"));
});
after(async () => {
  await browser?.close();
  relay?.stop();
  await server?.stop();
});

/** What a backend may ask. @param {string} path */
async function api(path) {
  const body = JSON.stringify({ name: "backend", grants: { roomCreate: true } });
  const headers = { "content-type": "application/json" };
  const { token } = await (await fetch(`${server.origin}/api/dev/token`, { method: "POST", headers, body })).json();
  return (await fetch(`${server.origin}/api/rooms/${ROOM}${path}`, { headers: { authorization: `Bearer ${token}` } })).json();
}

/** What the viewer is sent of Ada's camera, and why. */
async function forwarded() {
  const { participants } = await api("/participants");
  const bob = participants.find((/** @type {any} */ one) => one.name === "Bob");
  const { estimate_bps, tracks } = await api(`/participants/${bob.id}/forwarding`);
  const { layer, target, temporal, reason, layers = [] } = tracks?.find((/** @type {any} */ track) => track.kind === "video") ?? {};
  const rates = layers.map((/** @type {any} */ one) => Math.round(one.bitrate_bps / 1_000));
  return { estimate: Math.round(estimate_bps / 1_000), layer, target, temporal, reason, rates };
}

const NAMES = ["framesDecoded", "totalFreezesDuration", "freezeCount", "packetsReceived", "packetsLost", "concealedSamples", "totalSamplesReceived"];

/** What has come, of each kind. @returns {Promise<Record<"audio" | "video", Record<string, number>>>} */
const figures = () =>
  viewer.evaluate(async (names) => {
    const found = /** @type {any} */ ({ audio: {}, video: {} });
    const connection = /** @type {any} */ (window).connections.at(-1);
    for (const entry of (await connection.getStats()).values()) {
      if (entry.type !== "inbound-rtp") continue;
      for (const name of names) found[entry.kind][name] = entry[name] ?? 0;
    }
    return found;
  }, NAMES);

/** How many packets of sound Ada's page has sent. */
const soundSent = () =>
  ada.evaluate(async () => {
    const all = [...(await /** @type {any} */ (window).connections.at(-1).getStats()).values()];
    return all.filter((entry) => entry.type === "outbound-rtp" && entry.kind === "audio").reduce((sum, entry) => sum + entry.packetsSent, 0);
  });

/** What comes in a while, and is sent. @param {number} ms */
async function watch(ms) {
  const sent = async () => ({ frames: (await encoder(ada)).encoded, sound: await soundSent() });
  const [before, sentBefore, since] = [await figures(), await sent(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, ms));
  const [now, sentNow] = [await figures(), await sent()];
  const seconds = (performance.now() - since) / 1_000;
  const passed = (/** @type {"audio" | "video"} */ kind, /** @type {string} */ name) => (now[kind][name] ?? 0) - (before[kind][name] ?? 0);
  const audioPackets = passed("audio", "packetsReceived");
  const audioLost = Math.max(0, passed("audio", "packetsLost"));
  return {
    seconds,
    framesPerSecond: passed("video", "framesDecoded") / seconds,
    framesEncoded: (sentNow.frames - sentBefore.frames) / seconds,
    audioSent: sentNow.sound - sentBefore.sound,
    frozen: passed("video", "totalFreezesDuration") / seconds,
    freezes: passed("video", "freezeCount"),
    audioPackets,
    audioLost: audioLost / Math.max(1, audioPackets + audioLost),
    audioConcealed: passed("audio", "concealedSamples") / Math.max(1, passed("audio", "totalSamplesReceived")),
  };
}

test("behind a narrow path a smaller picture goes on, and the largest comes back with the room for it", async (t) => {
  const wide = await untilOrSlow(t, ada, FRAMES_PER_SECOND, "the largest layer comes, for a while", forwarded, ({ layer, target, rates }) =>
    layer === 2 && target === 2 && rates[2] > 2 * rates[0] + 100);
  if (!wide) return;
  console.log("wide", wide, await watch(3_000));
  const { rates } = await forwarded();

  const bitsPerSecond = Math.min(NARROW_BPS, NARROW_SHARE * 1_000 * rates[2]);
  relay.limit({ bitsPerSecond, queueMs: QUEUE_MS });
  const narrowed = performance.now();
  const fallen = await until("a lower layer comes", forwarded, ({ layer, reason }) => layer < 2 && reason === "bandwidth");
  console.log(`${Math.round(bitsPerSecond / 1_000)} kbit/s: left after ${Math.round(performance.now() - narrowed)} ms`, fallen);
  await new Promise((resolve) => setTimeout(resolve, SETTLING_MS));
  const during = await watch(WATCHED_MS);
  const narrow = await forwarded();
  console.log("narrow", narrow, during);
  assert.ok(narrow.layer < 2 || 1_000 * narrow.rates[2] < bitsPerSecond, `layer ${narrow.layer}`);
  // Of what a busy machine encodes. A quarter of the frames is the least that is chosen.
  assert.ok(during.framesPerSecond > 0.15 * during.framesEncoded, `${during.framesPerSecond} of ${during.framesEncoded} frames per second`);
  assert.ok(during.audioPackets > 0.8 * during.audioSent, `${during.audioPackets} of ${during.audioSent} packets of sound`);
  assert.ok(during.audioLost < 0.05, `${during.audioLost} of the sound lost`);

  relay.limit(null);
  const widened = performance.now();
  const again = await untilOrSlow(t, ada, FRAMES_PER_SECOND, "the largest layer comes again", forwarded, ({ layer }) => layer === 2);
  if (again) console.log(`again after ${Math.round(performance.now() - widened)} ms`, again);
});
