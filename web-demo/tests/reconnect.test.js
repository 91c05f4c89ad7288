// Signaling is lost and comes back, by itself, and so does everything that hangs on it.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, received, seesAndHears, status, tiles, until, untilTiles } from "./support/browser.js";
import { startProxy } from "./support/proxy.js";
import { startServer } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;
/** @type {Awaited<ReturnType<typeof startProxy>>} */
let proxy;

before(async () => {
  server = await startServer();
  proxy = await startProxy(server.port);
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await proxy?.stop();
  await server?.stop();
});

/** @param {import("playwright-core").Page} page */
const connections = (page) => page.evaluate(() => /** @type {any} */ (window).connections.length);

test("C7: a lost connection is told, mends itself, and neither media nor identity suffers", async (t) => {
  // However slow this machine is, Ben is back before he counts as gone.
  const patient = await startServer({ config: "[limits]\naway_ms = 300_000\n" });
  const way = await startProxy(patient.port);
  t.after(() => Promise.all([patient.stop(), way.stop()]));
  const ann = await openPage(browser, patient, { name: "Ann", room: "loss" });
  const ben = await openPage(browser, way, { name: "Ben", room: "loss" });
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  const id = (await tiles(ann)).Ben?.participant;

  way.cut();
  await status(ben, "reconnecting");
  assert.match(await ben.getByTestId("status").innerText(), /lost.*reconnecting/i);
  await until("Ann sees Ben away", () => tiles(ann), (now) => now.Ben?.away === "true");
  // The media does not need the signaling.
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  await ann.getByTestId("raise-hand").click();
  const cleo = await openPage(browser, patient, { name: "Cleo", room: "loss" });
  await status(cleo, "connected");
  // Ben's own state changes meanwhile, too.
  await ben.getByTestId("toggle-mic").click();
  way.mend();

  await status(ben, "connected");
  await untilTiles(ben, ["Ann", "Cleo"]);
  assert.equal((await tiles(ben)).Ann?.hand, "raised");
  await until("Ben is back, with his microphone off", () => tiles(ann), (now) => now.Ben?.away === "false" && now.Ben.microphone === "off");
  assert.equal((await tiles(ann)).Ben?.participant, id);
  assert.equal(await connections(ben), 1);
  await Promise.all([seesAndHears(ben, "Ann"), seesAndHears(ben, "Cleo")]);
  await Promise.all([ann, ben, cleo].map((page) => page.context().close()));
});

test("who was away for too long comes back as a newcomer, and is seen and heard", async () => {
  const ann = await openPage(browser, server, { name: "Ann", room: "long" });
  const ben = await openPage(browser, proxy, { name: "Ben", room: "long" });
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  proxy.cut();
  await untilTiles(ann, []);
  proxy.mend();
  await status(ben, "connected");
  await untilTiles(ann, ["Ben"]);
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  await Promise.all([ann, ben].map((page) => page.context().close()));
});

test("a server that is started anew, even with other keys, finds everybody coming back by themselves", async (t) => {
  const first = await startServer();
  const lead = await startProxy(first.port);
  t.after(() => Promise.all([first.stop("SIGKILL"), lead.stop()]));
  const ann = await openPage(browser, lead, { name: "Ann", room: "anew" });
  const ben = await openPage(browser, lead, { name: "Ben", room: "anew" });
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  const { frames } = await received(ann, "Ben");
  assert.ok(frames > 0);
  assert.equal(await first.stop("SIGTERM"), 0);
  await Promise.all([status(ann, "reconnecting"), status(ben, "reconnecting")]);
  const second = await startServer();
  t.after(() => second.stop());
  lead.lead(second.port);
  await Promise.all([status(ann, "connected"), status(ben, "connected")]);
  await Promise.all([untilTiles(ann, ["Ben"]), untilTiles(ben, ["Ann"])]);
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  await Promise.all([ann, ben].map((page) => page.context().close()));
});

test("a server that stays away is told after half a minute, with attempts going on", async (t) => {
  const mortal = await startServer();
  const lead = await startProxy(mortal.port);
  t.after(() => Promise.all([mortal.stop("SIGKILL"), lead.stop()]));
  const ann = await openPage(browser, lead, { name: "Ann", room: "away" });
  await status(ann, "connected");
  await mortal.stop("SIGKILL");
  await status(ann, "reconnecting");
  assert.ok(!(await ann.getByTestId("error").isVisible()));
  await ann.getByTestId("error").getByText("The server cannot be reached").waitFor({ timeout: 90_000 });
  const second = await startServer();
  t.after(() => second.stop());
  lead.lead(second.port);
  await ann.getByTestId("try-again").click();
  await status(ann, "connected");
  assert.ok(!(await ann.getByTestId("error").isVisible()));
  await ann.context().close();
});

test("signaling that is lost and back before sound and picture flow is told as back", async () => {
  // The browser takes its time with the answer.
  const slow = `{
    const set = RTCPeerConnection.prototype.setRemoteDescription;
    const goOn = new Promise((resolve) => (window.goOn = resolve));
    RTCPeerConnection.prototype.setRemoteDescription = async function (description) {
      await goOn;
      return set.call(this, description);
    };
  }`;
  const ann = await openPage(browser, proxy, { name: "Ann", room: "early", scripts: [slow] });
  await until("the room is shown", () => ann.evaluate(() => document.body.dataset.view), (view) => view === "room");
  await status(ann, "connecting");
  proxy.cut();
  await status(ann, "reconnecting");
  proxy.mend();
  await status(ann, "connecting");
  assert.match(await ann.getByTestId("status").innerText(), /^Connecting/);
  await ann.evaluate(() => /** @type {any} */ (window).goOn());
  await status(ann, "connected");
  await ann.context().close();
});
