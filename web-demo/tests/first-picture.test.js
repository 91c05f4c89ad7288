// The first picture of somebody who comes late: from what the server keeps of the stream, or from one key frame that
// is asked for, in each codec that browsers send.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, pixels, received, status, until, videoOf } from "./support/browser.js";
import { prefer } from "./support/codecs.js";
import { startServer } from "./support/server.js";

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

/** A metric without labels, or with these. @param {string} name */
async function metric(name) {
  const page = await (await fetch(`${server.origin}/metrics`)).text();
  const line = page.split("\n").find((line) => line.startsWith(`${name} `));
  assert.ok(line, `there is no ${name}`);
  return Number(line.split(" ")[1]);
}

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
    const ann = await openPage(browser, server, { name: "Ann", room: codec, scripts: [prefer(codec)] });
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
    const [asked, byViewers] = [await metric(ASKED), await metric(ASKED_BY_VIEWERS)];
    const began = Date.now();
    const cleo = await enter("Cleo");
    // One is asked for when she offers, and another where her machine is so slow that this one is old by then.
    const needed = 1 + Math.floor((Date.now() - began) / OLD_MS);
    const more = (await metric(ASKED)) - asked;
    const moreByViewers = (await metric(ASKED_BY_VIEWERS)) - byViewers;
    t.diagnostic(`${more} key frames asked for, ${moreByViewers} requests of viewers`);
    assert.ok(more <= needed + moreByViewers, `${more} key frames asked for, ${moreByViewers} requests of viewers`);
    await Promise.all([ann, ben.page, cleo.page].map((page) => page.context().close()));
  });
}
