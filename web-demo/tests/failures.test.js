// Each way not to get in, or to fall out, has its own sentence, with "Try again" and "Go back".

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, pixels, seesAndHears, status, tiles, until, untilTiles } from "./support/browser.js";
import { accessToken, startServer, withKeys } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("./support/server.js").Server} */
let keyed;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  server = await startServer();
  keyed = await startServer({ config: withKeys("[limits]\nparticipants_per_room = 2\n"), args: ["--public-ip", "127.0.0.1"] });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await Promise.all([server?.stop(), keyed?.stop()]);
});

/** @param {import("playwright-core").Page} page @param {RegExp} sentence */
async function isTold(page, sentence) {
  await page.getByTestId("error").getByText(sentence).waitFor({ timeout: 40_000 });
  assert.ok(await page.getByTestId("try-again").isVisible());
  assert.ok(await page.getByTestId("go-back").isVisible());
}

const withToken = (/** @type {Parameters<typeof accessToken>[0]} */ person, more = {}) =>
  openPage(browser, keyed, { token: accessToken(person), ...more });

const refusing = (/** @type {string} */ name) => `navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "${name}") }`;

for (const [error, sentence] of /** @type {[string, RegExp][]} */ ([
  ["NotAllowedError", /does not let this page use your camera/],
  ["NotFoundError", /No camera or no microphone was found/],
  ["NotReadableError", /does not start; another program may be using it/],
])) {
  test(`devices: ${error} is told before joining, and "Try again" asks again`, async () => {
    const page = await openPage(browser, server, {
      name: "Ann", room: "devices", join: false,
      scripts: [`window.real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices); ${refusing(error)}`],
    });
    await isTold(page, sentence);
    await page.evaluate(() => (navigator.mediaDevices.getUserMedia = /** @type {any} */ (window).real));
    await page.getByTestId("try-again").click();
    await until("the preview runs", () => pixels(page, "[data-testid=self-preview] video"), (now) => now.brightness > 20);
    assert.ok(!(await page.getByTestId("error").isVisible()));
    await page.context().close();
  });
}

test("a server with keys hands out no tokens: that one is needed is told", async () => {
  const page = await openPage(browser, keyed, { name: "Ann", room: "class" });
  await isTold(page, /lets people in by access tokens alone/);
  await page.getByTestId("go-back").click();
  await status(page, "ready");
  assert.ok(await page.getByTestId("join").isVisible());
  assert.ok(!(await page.getByTestId("error").isVisible()));
  await page.context().close();
});

test("D1: a token with a wrong signature is refused", async () => {
  const page = await withToken({ identity: "ann", secret: "another secret, as long as it has to be" });
  await isTold(page, /refused your access token/);
  await page.context().close();
});

test("D1: an expired token is told as expired", async () => {
  const page = await withToken({ identity: "ann", expiresIn: -600 });
  await isTold(page, /no longer valid: its time is over/);
  await page.context().close();
});

test("D1: a token for another room is told as such", async () => {
  const page = await withToken({ identity: "ann", room: "class" }, { room: "other" });
  await isTold(page, /for another room than this one/);
  await page.context().close();
});

test("D1: a token that does not let one join is told as such", async () => {
  const page = await withToken({ identity: "ann", grant: { roomJoin: false } });
  await isTold(page, /does not permit that/);
  await page.context().close();
});

test("a full room is told, and \"Try again\" leads in once there is a place", async () => {
  const ann = await withToken({ identity: "ann", name: "Ann" });
  const ben = await withToken({ identity: "ben", name: "Ben" });
  await Promise.all([status(ann, "connected"), status(ben, "connected")]);
  const cleo = await withToken({ identity: "cleo", name: "Cleo" });
  await isTold(cleo, /as many participants as it may have/);
  await ben.getByTestId("leave").click();
  await untilTiles(ann, []);
  await cleo.getByTestId("try-again").click();
  await status(cleo, "connected");
  await seesAndHears(cleo, "Ann");
  await Promise.all([ann, ben, cleo].map((page) => page.context().close()));
});

test("the same person from another tab takes the place over: the old tab is told, and stays quiet", async () => {
  const old = await withToken({ identity: "ann", name: "Ann", room: "taken" });
  const ben = await withToken({ identity: "ben", name: "Ben", room: "taken" });
  await seesAndHears(ben, "Ann");
  const id = (await tiles(ben)).Ann?.participant;
  const next = await withToken({ identity: "ann", name: "Ann", room: "taken" });
  await isTold(old, /from another tab or device/);
  await status(next, "connected");
  await seesAndHears(ben, "Ann");
  assert.equal((await tiles(ben)).Ann?.participant, id);
  await old.waitForTimeout(3_000);
  assert.equal(await old.getByTestId("status").getAttribute("data-state"), "ended");
  assert.equal(await next.getByTestId("status").getAttribute("data-state"), "connected");
  await Promise.all([old, ben, next].map((page) => page.context().close()));
});

test("who may not publish is in as a viewer, and the toggles say what is true", async () => {
  const ann = await withToken({ identity: "ann", name: "Ann", room: "viewers" });
  const ben = await withToken({ identity: "ben", name: "Ben", room: "viewers", grant: { canPublish: false } });
  await status(ben, "connected");
  await seesAndHears(ben, "Ann");
  await until("both toggles are off", async () => [
    await ben.getByTestId("toggle-mic").getAttribute("aria-pressed"),
    await ben.getByTestId("toggle-cam").getAttribute("aria-pressed"),
  ], (now) => now.join() === "false,false");
  await until("and so Ann sees it", () => tiles(ann), (now) => now.Ben?.camera === "off" && now.Ben.live === "false");
  await Promise.all([ann, ben].map((page) => page.context().close()));
});

test("no UDP: signaling is fine, but no sound or picture gets through; that is told", async () => {
  const page = await openPage(browser, server, {
    name: "Ann", room: "no udp",
    // The answer leads to a port where nobody is.
    scripts: [`{
      const set = RTCPeerConnection.prototype.setRemoteDescription;
      RTCPeerConnection.prototype.setRemoteDescription = function (answer) {
        return set.call(this, { type: answer.type, sdp: answer.sdp.replace(/^(a=candidate:\\S+ \\d+ \\S+ \\d+ \\S+) \\d+/gm, "$1 9") });
      };
    }`],
  });
  await isTold(page, /UDP seems to be blocked/);
  await page.context().close();
});

test("a server that is gone is told", async (t) => {
  const mortal = await startServer();
  t.after(() => mortal.stop("SIGKILL"));
  const page = await openPage(browser, mortal, { name: "Ann", room: "gone", join: false });
  await mortal.stop("SIGKILL");
  await page.getByTestId("join").click();
  await isTold(page, /server cannot be reached/);
  await page.context().close();
});
