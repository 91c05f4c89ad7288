// What flows: bit rates, codecs, shared screens, messages.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, pixels, received, seesAndHears, status, until, videoOf } from "./support/browser.js";
import { prefer } from "./support/codecs.js";
import { untilOrSlow } from "./support/encoder.js";
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

const person = (/** @type {string} */ name, /** @type {string} */ room, more = {}) => openPage(browser, server, { name, room, ...more });

/** A screen as headless Chromium has none: a canvas that changes. */
const FAKE_SCREEN = `navigator.mediaDevices.getDisplayMedia = async () => {
  const canvas = document.createElement("canvas");
  canvas.width = 960;
  canvas.height = 540;
  const pen = canvas.getContext("2d");
  let count = 0;
  const draw = () => {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, 960, 540);
    pen.fillStyle = "navy";
    pen.font = "80px sans-serif";
    pen.fillText("slide " + count++, 100, 270);
  };
  draw();
  setInterval(draw, 100);
  return window.shared = canvas.captureStream(10);
};`;

/** A camera whose picture is hard to compress, so that the bit rate is what the network is believed to carry. */
const NOISY_CAMERA = `{
  const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    if (!wanted.video) return stream;
    const canvas = document.createElement("canvas");
    canvas.width = 640;
    canvas.height = 360;
    const pen = canvas.getContext("2d");
    const image = pen.createImageData(640, 360);
    const pixels = new Uint32Array(image.data.buffer);
    setInterval(() => {
      for (let i = 0, seed = Math.random() * 2 ** 31 | 1; i < pixels.length; i++) {
        seed ^= seed << 13; seed ^= seed >>> 17; seed ^= seed << 5;
        pixels[i] = seed | 0xff000000;
      }
      pen.putImageData(image, 0, 0);
    }, 50);
    const noisy = canvas.captureStream(20).getVideoTracks()[0];
    return new MediaStream([noisy, ...stream.getAudioTracks()]);
  };
}`;

// In about four seconds, where nothing else runs; what a busy machine takes is printed.
test("a publisher's bit rate rises above 1 Mbit/s by itself", async (t) => {
  const ann = await person("Ann", "rate", { fullCamera: true, scripts: [NOISY_CAMERA] });
  // Without a viewer, and a large place for the picture, nothing of it would be wanted.
  const ben = await person("Ben", "rate");
  await ben.setViewportSize({ width: 1920, height: 1080 });
  await status(ann, "connected");
  const start = Date.now();
  /** @type {{ bytes: number, at: number } | undefined} */
  let last;
  const rate = async () => {
    const now = await ann.evaluate(async () => {
      const found = { bytes: 0, at: performance.now(), available: 0 };
      for (const entry of (await /** @type {any} */ (window).connections.at(-1).getStats()).values()) {
        if (entry.type === "outbound-rtp" && entry.kind === "video") found.bytes += entry.bytesSent;
        if (entry.type === "candidate-pair" && entry.availableOutgoingBitrate) found.available = entry.availableOutgoingBitrate;
      }
      return found;
    });
    if (last && now.at - last.at < 950) return undefined;
    const rate = last ? ((now.bytes - last.bytes) * 8) / (now.at - last.at) / 1_000 : 0;
    last = now;
    return { sent: rate, believed: now.available / 1_000_000 };
  };
  const reached = await untilOrSlow(t, ann, 20, "more than 1 Mbit/s", rate, (now) => now !== undefined && now.sent > 1 && now.believed > 1, 60_000);
  const elapsed = Date.now() - start;
  if (reached) t.diagnostic(`${reached.sent.toFixed(2)} Mbit/s sent, ${reached.believed.toFixed(2)} Mbit/s believed in, after ${elapsed} ms`);
  await ann.context().close();
});

test("a shared screen is a second picture of the same person, also for who comes later, and ends by the browser's own button", async () => {
  const ann = await person("Ann", "screen", { scripts: [FAKE_SCREEN] });
  const ben = await person("Ben", "screen");
  await seesAndHears(ben, "Ann");
  const screen = "[data-testid=screen] video";
  const shown = async (/** @type {import("playwright-core").Page} */ page) => {
    await until("the screen is shown", () => pixels(page, screen), (now) => now.brightness > 150 && now.variation > 20);
    await seesAndHears(page, "Ann");
  };
  await ann.getByTestId("share-screen").click();
  await shown(ben);
  const cleo = await person("Cleo", "screen");
  await shown(cleo);
  await ann.evaluate(() => {
    // What the browser does when its own "Stop sharing" is clicked.
    for (const track of /** @type {any} */ (window).shared.getTracks()) {
      track.stop();
      track.dispatchEvent(new Event("ended"));
    }
  });
  for (const page of [ben, cleo]) await page.locator(screen).waitFor({ state: "detached" });
  assert.equal(await ann.getByTestId("share-screen").getAttribute("aria-pressed"), "false");
  // And once more: its media section is used again.
  await ann.getByTestId("share-screen").click();
  await Promise.all([shown(ben), shown(cleo)]);
  await ann.getByTestId("share-screen").click();
  await ben.locator(screen).waitFor({ state: "detached" });
  await Promise.all([ann, ben, cleo].map((page) => page.context().close()));
});

test("a message on the data channel reaches the others with its sender, and not oneself", async () => {
  /** @param {string} name */
  const enter = async (name) => {
    const page = await openPage(browser, server, { join: false });
    await page.evaluate(async (name) => {
      const { join } = await import("/plenum.js");
      const response = await fetch("/api/dev/token", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ name, room: "data", role: "student" }),
      });
      const room = await join({ token: (await response.json()).token });
      const heard = /** @type {any[]} */ ((/** @type {any} */ (window).heard = []));
      room.on("data", (message) => heard.push({ ...message, data: typeof message.data === "string" ? message.data : [...message.data] }));
      /** @type {any} */ (window).room = room;
    }, name);
    return page;
  };
  const [ann, ben, cleo] = [await enter("Ann"), await enter("Ben"), await enter("Cleo")];
  const id = await ann.evaluate(() => /** @type {any} */ (window).room.self.id);
  const send = (/** @type {any} */ data, reliable = true) =>
    until("the channel is open", () =>
      ann.evaluate(([data, reliable]) => {
        const bytes = Array.isArray(data) ? new Uint8Array(data).buffer : data;
        return /** @type {any} */ (window).room.sendData(bytes, { reliable });
      }, /** @type {const} */ ([data, reliable])),
    );
  await send("grüß Gott");
  await send([0, 1, 255]);
  await send("fast", false);
  for (const page of [ben, cleo]) {
    const heard = await until("three messages", () => page.evaluate(() => /** @type {any} */ (window).heard), (now) => now.length === 3);
    assert.ok(heard.every((/** @type {any} */ one) => one.sender === id), JSON.stringify(heard));
    const on = (/** @type {string} */ label) => heard.filter((/** @type {any} */ one) => one.label === label).map((/** @type {any} */ one) => one.data);
    assert.deepEqual(on("reliable"), ["grüß Gott", [0, 1, 255]]);
    assert.deepEqual(on("lossy"), ["fast"]);
  }
  assert.deepEqual(await ann.evaluate(() => /** @type {any} */ (window).heard), []);
  await Promise.all([ann, ben, cleo].map((page) => page.context().close()));
});

for (const codec of ["video/VP8", "video/H264", "video/VP9", "video/AV1"]) {
  test(`${codec} from one is decoded by another`, async (t) => {
    const ann = await person("Ann", codec, { scripts: [prefer(codec)] });
    await status(ann, "connected");
    if (!(await ann.evaluate(() => /** @type {any} */ (window).canEncode))) {
      await ann.context().close();
      return t.skip(`this Chromium cannot encode ${codec}`);
    }
    const ben = await person("Ben", codec);
    await until(`${codec} is decoded`, () => received(ben, "Ann"), (now) => now.frames > 10);
    assert.equal((await received(ben, "Ann")).codec, codec);
    await until("and is not black", () => pixels(ben, videoOf("Ann")), (now) => now.brightness > 20 && now.variation > 20);
    await Promise.all([ann.context().close(), ben.context().close()]);
  });
}
