// Firefox and Chromium in one room see and hear each other. Firefox does not use loopback addresses for
// media: the server advertises another address of this machine.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { networkInterfaces } from "node:os";
import { after, before, test } from "node:test";
import puppeteer from "puppeteer-core";
import { launchChromium, openPage, PATIENCE_MS, seesAndHears, until } from "./support/browser.js";
import { accessToken, startServer, withKeys } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let chromium;
/** @type {import("puppeteer-core").Browser} */
let firefox;

const ownAddress = () =>
  Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .find((address) => address.family === "IPv4" && !address.internal)?.address;

before(async () => {
  const address = ownAddress();
  assert.ok(address, "this machine has no address but loopback, which Firefox does not use for media");
  // The page from loopback, which is a secure context; the media from the other address.
  server = await startServer({ config: withKeys(), args: ["--public-ip", address] });
  chromium = await launchChromium();
  firefox = await puppeteer.launch({
    browser: "firefox",
    executablePath: process.env.FIREFOX ?? execFileSync("sh", ["-c", "command -v firefox-esr || command -v firefox"]).toString().trim(),
    headless: true,
    timeout: PATIENCE_MS,
    extraPrefsFirefox: {
      "media.navigator.streams.fake": true,
      "media.navigator.permission.disabled": true,
      "media.autoplay.default": 0,
      // Its own loopback of H.264 is a download that a test must not wait for.
      "media.gmp-manager.updateEnabled": false,
    },
  });
});
after(async () => {
  await firefox?.close();
  await chromium?.close();
  await server?.stop();
});

test("A2: Firefox and Chromium see and hear each other", async () => {
  const ann = await openPage(chromium, server, { token: accessToken({ identity: "ann", name: "Ann" }) });
  const page = await firefox.newPage();
  await page.evaluateOnNewDocument(() => {
    const all = /** @type {RTCPeerConnection[]} */ ((/** @type {any} */ (window).connections = []));
    window.RTCPeerConnection = new Proxy(RTCPeerConnection, {
      construct(target, args, newTarget) {
        const connection = Reflect.construct(target, args, newTarget);
        all.push(connection);
        return connection;
      },
    });
  });
  await page.goto(`${server.origin}/?token=${accessToken({ identity: "fay", name: "Fay" })}&join=1`, { timeout: PATIENCE_MS });
  await until("Firefox is in the room", () => page.evaluate(() => document.querySelector("[data-testid=status]")?.getAttribute("data-state")), (now) => now === "connected");
  // The measurements are made for both: what a page can evaluate is the same.
  const fay = /** @type {import("playwright-core").Page} */ (/** @type {unknown} */ (page));
  await seesAndHears(ann, "Fay");
  await seesAndHears(fay, "Ann");
  await ann.context().close();
});
