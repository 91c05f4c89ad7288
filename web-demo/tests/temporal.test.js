// The decoder as the witness: of a stream with temporal layers a viewer gets fewer frames where its path carries no
// more, and of one with several sizes (SVC) the one that fills its place; it goes on as if nothing else had ever been
// sent, and all comes back.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, received, status, tile, until, videoOf } from "./support/browser.js";
import { encoder, untilOrSlow } from "./support/encoder.js";
import { freeUdpPort, startRelay } from "./support/relay.js";
import { startServer } from "./support/server.js";

/** @typedef {import("playwright-core").Page} Page */
/** @typedef {{ longest: number, frames: number }} Watched */

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof startRelay>>} */
let relay;

before(async () => {
  // One worker, for the relay leads to one port.
  const port = await freeUdpPort();
  server = await startServer({ args: ["--public-ip", "127.0.0.1", "--workers", "1"], udpPort: port });
  relay = await startRelay(port);
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  relay?.stop();
  await server?.stop();
});

/** What shows for so long after its time is a freeze. */
const FREEZE_MS = 500;
const framesPerSecond = 20;
/** An encoder that was not up to speed for so long will not be. */
const ENCODER_LIMIT_MS = 60_000;
/** For how long frames are counted. */
const WATCHED_MS = 3_000;
/** Of what the stream takes, the path carries so much; nothing is lost in its queue. */
const NARROW_SHARE = 0.8;
const QUEUE_MS = 5_000;
/** What sound takes, with room. */
const SOUND_BPS = 60_000;

/** One's own picture. */
const OWN = "[data-testid=self-preview] video";

/**
 * A camera that shows noise, so that its encoder has use for all of its bits, sent as one stream in this codec and mode.
 * @param {{ codec: string, mode: string, width: number, framesPerSecond: number, bitsPerSecond: number }} options
 */
const camera = ({ codec, mode, width, framesPerSecond, bitsPerSecond }) => `{
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    if (!wanted?.video) return ask(wanted);
    const canvas = Object.assign(document.createElement("canvas"), { width: ${width}, height: ${(width * 9) / 16} });
    const pen = canvas.getContext("2d");
    let count = 0;
    setInterval(() => {
      pen.fillStyle = "hsl(" + (count * 3) % 360 + " 60% 50%)";
      pen.fillRect(0, 0, canvas.width, canvas.height);
      for (let square = 0; square < 60; square++) {
        pen.fillStyle = "hsl(" + Math.random() * 360 + " 70% 50%)";
        pen.fillRect(Math.random() * canvas.width, Math.random() * canvas.height, canvas.width / 16, canvas.width / 16);
      }
      count += 1;
    }, ${1_000 / framesPerSecond});
    const stream = canvas.captureStream(${framesPerSecond});
    if (wanted.audio) (await ask({ audio: wanted.audio })).getTracks().forEach((track) => stream.addTrack(track));
    return stream;
  };
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (what, options) {
    if (what?.kind !== "video") return add.call(this, what, options);
    const sendEncodings = [{ scalabilityMode: "${mode}", maxBitrate: ${bitsPerSecond} }];
    const transceiver = add.call(this, what, { ...options, sendEncodings });
    const all = RTCRtpSender.getCapabilities("video").codecs;
    const is = (one) => one.mimeType === "${codec}" && !/profile-id=[123]/.test(one.sdpFmtpLine ?? "");
    transceiver.setCodecPreferences([...all.filter(is), ...all.filter((one) => /rtx/.test(one.mimeType))]);
    window.camera = transceiver.sender;
    return transceiver;
  };
}`;

const QUIET = `{
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) =>
    ask(wanted?.video ? { ...wanted, video: { width: 64, height: 36, frameRate: 5 } } : wanted);
}`;

/** What a backend may ask. @param {string} path */
async function api(path) {
  const body = JSON.stringify({ name: "backend", grants: { roomCreate: true } });
  const headers = { "content-type": "application/json" };
  const { token } = await (await fetch(`${server.origin}/api/dev/token`, { method: "POST", headers, body })).json();
  return (await fetch(`${server.origin}/api/rooms/${path}`, { headers: { authorization: `Bearer ${token}` } })).json();
}

/** What Bob is sent of Ada's camera, and why. @param {string} room */
async function forwarded(room) {
  const { participants } = await api(`${room}/participants`);
  const bob = participants.find((/** @type {any} */ one) => one.name === "Bob");
  const { estimate_bps, tracks } = await api(`${room}/participants/${bob.id}/forwarding`);
  const video = tracks?.find((/** @type {any} */ track) => track.kind === "video");
  return { estimate: estimate_bps, layers: [], ...video };
}

/** What the page's decoder says of somebody's video. @param {Page} page @param {string} name */
const decoder = (page, name) =>
  page.locator(videoOf(name)).evaluate(async (element) => {
    const stream = /** @type {MediaStream} */ (/** @type {HTMLVideoElement} */ (element).srcObject);
    const id = stream.getVideoTracks()[0]?.id;
    const connection = /** @type {RTCPeerConnection} */ (/** @type {any} */ (window).connections.at(-1));
    const reports = [...(await connection.getStats()).values()];
    return reports.find((report) => report.type === "inbound-rtp" && report.trackIdentifier === id);
  });

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
      if (video.watched === watched) video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
  });

/** @param {Page} page @param {string} selector @returns {Promise<Watched>} */
const watched = (page, selector) => page.locator(selector).evaluate((video) => /** @type {any} */ (video).watched);

/**
 * How many frames come in a second, and how many Ada's page encodes, while they are or are not left out all the time.
 * @param {{ ada: Page, bob: Page }} pages @param {string} room @param {boolean} isBound
 */
const rate = ({ ada, bob }, room, isBound) =>
  until(`frames are ${isBound ? "" : "not "}left out for a while`, async () => {
    const before = await forwarded(room);
    const look = async () => ({ ...(await decoder(bob, "Ada")), ...(await encoder(ada)), now: performance.now() });
    const first = await look();
    await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
    const last = await look();
    const perSecond = (/** @type {"framesDecoded" | "encoded"} */ name) => ((last[name] - first[name]) * 1_000) / (last.now - first.now);
    const [frames, encoded] = [perSecond("framesDecoded"), perSecond("encoded")];
    const after = await forwarded(room);
    const isSteady = before.temporal === after.temporal && (after.temporal !== null) === isBound;
    return { frames, encoded, isSteady, temporal: after.temporal };
  }, ({ isSteady }) => isSteady);

/**
 * Ada sends so, and Bob sees it, until the end of the test.
 * @param {import("node:test").TestContext} t
 * @param {string} room
 * @param {Parameters<typeof camera>[0]} options
 */
async function conversation(t, room, options) {
  const ada = await openPage(browser, server, { room, name: "Ada", scripts: [camera(options)], fullCamera: true });
  await status(ada, "connected");
  const bob = await openPage(browser, server, { room, name: "Bob", scripts: [QUIET, relay.script], fullCamera: true });
  await status(bob, "connected");
  await until("Bob sees Ada", async () => (await decoder(bob, "Ada"))?.framesDecoded ?? 0, (frames) => frames > 10);
  t.after(() => Promise.all([ada, bob].map((page) => page.context().close())));
  return { ada, bob };
}

/** What a decoder notices of breaks, since a moment. @param {any} first @param {any} last */
const breaks = (first, last) =>
  Object.fromEntries(
    ["keyFramesDecoded", "pliCount", "firCount", "nackCount", "packetsLost", "freezeCount", "framesDropped"].map((name) => [
      name,
      (last[name] ?? 0) - (first[name] ?? 0),
    ]),
  );

for (const [codec, mode] of [["video/VP8", "L1T3"], ["video/VP9", "L1T3"], ["video/AV1", "L1T3"]]) {
  test(`${codec} ${mode}: fewer frames behind a narrow path, and all of them again, without a key frame`, async (t) => {
    const room = `${codec.slice(6)}-${mode}`.toLowerCase();
    const { ada, bob } = await conversation(t, room, { codec, mode, width: 320, framesPerSecond, bitsPerSecond: 300_000 });
    assert.equal((await received(bob, "Ada")).codec, codec);
    // An encoder that was short of time at first sends few frames of its own accord.
    const whole = () => rate({ ada, bob }, room, false);
    const full = await untilOrSlow(t, ada, framesPerSecond, "the encoder is up to speed, and all of it comes", whole, ({ frames }) =>
      frames > 0.7 * framesPerSecond, ENCODER_LIMIT_MS);
    if (!full) return;
    const wide = await until("three temporal layers are known, and all are sent", () => forwarded(room), ({ temporal, layers }) =>
      temporal === null && layers[0]?.temporal_bps.length === 2);
    const first = await decoder(bob, "Ada");
    await Promise.all([watch(ada, OWN), watch(bob, videoOf("Ada"))]);

    relay.limit({ bitsPerSecond: NARROW_SHARE * wide.layers[0].bitrate_bps + SOUND_BPS, queueMs: QUEUE_MS });
    const narrow = await until("fewer frames are sent", () => forwarded(room), ({ temporal }) => temporal !== null);
    assert.equal(narrow.reason, "bandwidth");
    const few = await rate({ ada, bob }, room, true);
    relay.limit(null);
    // Of what is encoded now: a busy machine may encode less than before.
    const again = await untilOrSlow(t, ada, framesPerSecond, "every frame comes again", whole, ({ frames, encoded }) => frames > 0.7 * encoded);
    if (!again) return;

    const last = await decoder(bob, "Ada");
    const [seen, own] = [await watched(bob, videoOf("Ada")), await watched(ada, OWN)];
    const found = breaks(first, last);
    const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
    const rates = [...wide.layers[0].temporal_bps, wide.layers[0].bitrate_bps].map((bps) => Math.round(bps / 1_000));
    t.diagnostic(`${rates} kbit/s; ${round(full.frames)} frames/s, up to layer ${few.temporal} ${round(few.frames)} of ${round(few.encoded)}, then ${round(again.frames)} of ${round(again.encoded)}`);
    t.diagnostic(`stood at most ${round(seen.longest)} ms, the camera itself ${round(own.longest)}; ${JSON.stringify(found)}`);
    assert.ok(few.frames < 0.7 * few.encoded, `${few.frames} of ${few.encoded} frames per second`);
    // A quarter of them is the least.
    assert.ok(few.frames > 0.1 * few.encoded, `${few.frames} of ${few.encoded} frames per second`);
    assert.ok(seen.longest <= FREEZE_MS + 1_000 / few.frames + own.longest, `stood ${seen.longest} ms`);
    const { keyFramesDecoded, pliCount, firCount, packetsLost } = found;
    assert.deepEqual({ keyFramesDecoded, pliCount, firCount, packetsLost }, { keyFramesDecoded: 0, pliCount: 0, firCount: 0, packetsLost: 0 });
  });
}

test("video/VP9 L3T3_KEY: of several sizes in one stream there is the one that fills its place", async (t) => {
  const options = { codec: "video/VP9", mode: "L3T3_KEY", width: 1_280, framesPerSecond: 8, bitsPerSecond: 1_000_000 };
  const room = "vp9-svc";
  const { ada, bob } = await conversation(t, room, options);
  const width = async () => (await decoder(bob, "Ada")).frameWidth;
  /** @param {number} pixels */
  const show = (pixels) =>
    tile(bob, "Ada").evaluate((element, pixels) => (element.style.cssText = `width: ${pixels}px; height: ${(pixels * 9) / 16}px; flex: none`), pixels);
  await show(1_200);
  // Shown, and not only sent: the key frame that it began with is behind us.
  const seen = async () => ({ width: await width(), ...(await forwarded(room)) });
  const wide = await untilOrSlow(t, ada, options.framesPerSecond, "the largest size of several is shown", seen, (now) =>
    now.layers.length > 1 && now.layer === now.layers.length - 1 && now.width === now.layers.at(-1).width);
  if (!wide) return;
  t.diagnostic(`${wide.layers.map((/** @type {any} */ layer) => `${layer.width}: ${Math.round(layer.bitrate_bps / 1_000)} kbit/s`)}`);
  const first = await decoder(bob, "Ada");
  await show(200);
  const small = await until("the smallest size comes", width, (width) => width <= 320);
  const between = await decoder(bob, "Ada");
  await show(1_200);
  const large = await until("a larger one comes again", width, (width) => width >= 640);
  const last = await decoder(bob, "Ada");
  const [down, up] = [breaks(first, between), breaks(between, last)];
  t.diagnostic(`${wide.width}, ${small}, ${large} pixels; down ${JSON.stringify(down)}, up ${JSON.stringify(up)}`);
  assert.equal(down.keyFramesDecoded, 0);
  assert.deepEqual([down.pliCount, up.pliCount, up.packetsLost], [0, 0, 0]);
});
