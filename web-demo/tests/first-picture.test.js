// The first picture of somebody who comes late: from what the server keeps of the stream, or from one key frame that
// is asked for, in each codec that browsers send.

import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { launchChromium, openPage, pixels, received, status, until, videoOf } from "./support/browser.js";
import { prefer } from "./support/codecs.js";
import { startServer } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  browser = await launchChromium();
});
after(() => browser?.close());
// A server for each: whoever has closed a page is there for some seconds still, and waits for a picture as ever.
beforeEach(async () => {
  server = await startServer();
});
afterEach(() => server?.stop());

/** A metric without labels, or with these. @param {string} name */
async function metric(name) {
  const page = await (await fetch(`${server.origin}/metrics`)).text();
  const line = page.split("\n").find((line) => line.startsWith(`${name} `));
  assert.ok(line, `there is no ${name}`);
  return Number(line.split(" ")[1]);
}

/** How many key frames somebody's camera has been encoded as. @param {import("playwright-core").Page} page */
const keyFrames = (page) =>
  page.evaluate(async () => {
    let count = 0;
    for (const connection of /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections)) {
      for (const entry of (await connection.getStats()).values()) count += entry.keyFramesEncoded ?? 0;
    }
    return count;
  });

/** So few bits a second that what is kept for those who come is bounded by its pictures, not by its bytes. */
const MODEST = `{
  const add = RTCPeerConnection.prototype.addTransceiver;
  RTCPeerConnection.prototype.addTransceiver = function (what, options) {
    for (const encoding of options?.sendEncodings ?? []) encoding.maxBitrate = 150_000;
    return add.call(this, what, options);
  };
}`;

/** Viewers whose machine is short of time ask for a key frame though there is one: one of so many has to be quick enough. */
const LATECOMERS = 5;

/** Whoever only watches. */
const NO_DEVICES = `sessionStorage.setItem("plenum", JSON.stringify({ camera: false, microphone: false }));`;

/** The server keeps 48 pictures for those who come, here 15 a second; half of it for those who are still connecting. */
const OLD_MS = 1_600;

const KEY_FRAMES = "plenum_first_key_frame_seconds_count";
const TOLD = 'plenum_first_frame_seconds_count{part="whole"}';
const ASKED = "plenum_outbound_key_frame_requests_total";
const ASKED_BY_VIEWERS = "plenum_inbound_key_frame_requests_total";

for (const codec of ["video/VP8", "video/H264", "video/VP9", "video/AV1"]) {
  test(`who comes late sees ${codec} at once, and no key frame is asked for without need`, async (t) => {
    const ann = await openPage(browser, server, { name: "Ann", room: codec, scripts: [MODEST, prefer(codec)] });
    await status(ann, "connected");
    if (!(await ann.evaluate(() => /** @type {any} */ (window).canEncode))) {
      await ann.context().close();
      return t.skip(`this Chromium cannot encode ${codec}`);
    }
    const enter = async (/** @type {string} */ name) => {
      const [begun, told] = [await metric(KEY_FRAMES), await metric(TOLD)];
      const page = await openPage(browser, server, { name, room: codec, role: "viewer", scripts: [NO_DEVICES] });
      // The server sends pictures from where it recognises the start of a key frame, and nothing before it.
      await until("a key frame was recognised", () => metric(KEY_FRAMES), (now) => now === begun + 1);
      await until("the first frame was shown, and its times told", () => metric(TOLD), (now) => now === told + 1);
      const { frames, codec: came } = await until("it is decoded", () => received(page, "Ann"), (now) => now.frames > 0);
      assert.equal(came, codec);
      await until("and is not black", () => pixels(page, videoOf("Ann")), (now) => now.brightness > 20 && now.variation > 20);
      return { page, frames };
    };
    const ben = await enter("Ben");
    // Late is after the key frames of the beginning: whatever Cleo is shown begins with what is kept, or is asked for.
    await until("the stream is under way", () => received(ben.page, "Ann"), (now) => now.frames > ben.frames + 30);
    /** @type {string[]} */
    const tried = [];
    let isAtOnce = false;
    while (!isAtOnce && tried.length < LATECOMERS) {
      const [asked, byViewers] = [await metric(ASKED), await metric(ASKED_BY_VIEWERS)];
      const encoded = await keyFrames(ann);
      assert.ok(encoded > 0, "the camera's page does not say how many key frames it made");
      const began = Date.now();
      const cleo = await enter("Cleo");
      // One is asked for when she offers, and another where her machine is so slow that this one is old by then.
      const needed = 1 + Math.floor((Date.now() - began) / OLD_MS);
      const more = (await metric(ASKED)) - asked;
      const moreByViewers = (await metric(ASKED_BY_VIEWERS)) - byViewers;
      const made = (await keyFrames(ann)) - encoded;
      tried.push(`${more} key frames asked for, ${made} made, ${moreByViewers} requests of viewers, ${needed} needed`);
      // Who cannot decode what is replayed asks for a key frame. Who does not answer within half a second is asked
      // again, and makes one key frame of both requests.
      isAtOnce = moreByViewers === 0 && Math.min(more, made) <= needed;
      await cleo.page.context().close();
    }
    tried.forEach((one) => t.diagnostic(one));
    assert.ok(isAtOnce, tried.join("; "));
    await Promise.all([ann, ben.page].map((page) => page.context().close()));
  });
}
