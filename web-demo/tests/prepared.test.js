// What is made ready before one joins: the connection while the front page is shown, the WebSocket while the token is
// got. It is used once, and nothing of it stays when nobody joins.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, pixels, seesAndHears, status, until } from "./support/browser.js";
import { startServer } from "./support/server.js";

/** @type {import("./support/server.js").Server} */
let server;
/** @type {import("playwright-core").Browser} */
let browser;

before(async () => {
  server = await startServer({ config: "[limits]\nauthentication_ms = 1_000\n" });
  browser = await launchChromium();
});
after(async () => {
  await browser?.close();
  await server?.stop();
});

/** The page's WebSockets, and what is sent by them. */
const WITNESS = `{
  window.sockets = [];
  window.sent = [];
  window.WebSocket = new Proxy(WebSocket, {
    construct(target, args) {
      const socket = Reflect.construct(target, args);
      sockets.push(socket);
      return socket;
    },
  });
  const { send } = WebSocket.prototype;
  WebSocket.prototype.send = function (text) {
    sent.push(JSON.parse(text).type);
    return send.call(this, text);
  };
}`;

/** @typedef {import("playwright-core").Page} Page */

/** @param {Page} page @returns {Promise<string[]>} */
const connections = (page) =>
  page.evaluate(() => /** @type {any} */ (window).connections.map((/** @type {RTCPeerConnection} */ one) => one.connectionState));

/** Each as `WebSocket.readyState` has it. @param {Page} page @returns {Promise<number[]>} */
const sockets = (page) => page.evaluate(() => /** @type {any} */ (window).sockets.map((/** @type {WebSocket} */ one) => one.readyState));

/** @param {Page} page @param {string} type */
const sent = (page, type) => page.evaluate((type) => /** @type {any} */ (window).sent.filter((/** @type {string} */ one) => one === type).length, type);

/**
 * Somebody on the front page, with their camera on.
 * @param {string} name
 * @param {string} room
 * @param {string[]} [scripts]
 */
async function atTheDoor(name, room, scripts = []) {
  const page = await openPage(browser, server, { name, room, join: false, scripts: [WITNESS, ...scripts] });
  await until("the preview runs", () => pixels(page, "[data-testid=self-preview] video"), (now) => now.brightness > 20);
  return page;
}

test("the connection that was prepared on the front page is the one that joins; behind who leaves there is a new one", async () => {
  const ann = await atTheDoor("Ann", "spent");
  assert.deepEqual(await until("one is prepared", () => connections(ann), (all) => all.length > 0), ["new"]);
  await ann.getByTestId("join").click();
  await status(ann, "connected");
  assert.deepEqual(await connections(ann), ["connected"]);
  assert.deepEqual([await sent(ann, "join"), await sent(ann, "offer"), (await sockets(ann)).length], [1, 1, 1]);
  await ann.getByTestId("leave").click();
  await status(ann, "ready");
  await until("the spent one is closed, another prepared", () => connections(ann), (all) => all.join() === "closed,new");
  await ann.getByTestId("join").click();
  await status(ann, "connected");
  assert.deepEqual(await connections(ann), ["closed", "connected"]);
  await ann.context().close();
});

test("who finds more tracks than were prepared for has a section for each in the first offer", async () => {
  const [ann, ben] = await Promise.all(["Ann", "Ben"].map((name) => openPage(browser, server, { name, room: "many" })));
  assert.ok(ann && ben);
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  const cleo = await atTheDoor("Cleo", "many");
  await cleo.getByTestId("join").click();
  await status(cleo, "connected");
  await Promise.all([seesAndHears(cleo, "Ann"), seesAndHears(cleo, "Ben")]);
  assert.deepEqual([await connections(cleo), await sent(cleo, "offer")], [["connected"], 1]);
  await Promise.all([seesAndHears(ann, "Cleo"), seesAndHears(ben, "Cleo")]);
  await Promise.all([ann, ben, cleo].map((page) => page.context().close()));
});

test("who comes to an empty room sees and hears who comes next", async () => {
  const ann = await atTheDoor("Ann", "empty");
  await ann.getByTestId("join").click();
  await status(ann, "connected");
  const ben = await openPage(browser, server, { name: "Ben", room: "empty" });
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  await Promise.all([ann, ben].map((page) => page.context().close()));
});

test("a click more on Join, while the first is being answered, changes nothing", async () => {
  const ann = await atTheDoor("Ann", "twice");
  await ann.evaluate(() => {
    const button = /** @type {HTMLElement} */ (document.querySelector("[data-testid=join]"));
    button.click();
    button.click();
  });
  await status(ann, "connected");
  assert.deepEqual([await sent(ann, "join"), (await sockets(ann)).length, await connections(ann)], [1, 1, ["connected"]]);
  await ann.context().close();
});

test("the WebSocket is opened while the token is got, and closed when there is none", async () => {
  const refusing = `{
    const { fetch } = window;
    window.fetch = async (path, init) => {
      if (path !== "/api/dev/token") return fetch(path, init);
      while (sockets[0]?.readyState !== WebSocket.OPEN) await new Promise((resolve) => setTimeout(resolve, 10));
      return new Response("{}", { status: 404 });
    };
  }`;
  const ann = await atTheDoor("Ann", "refused", [refusing]);
  await ann.getByTestId("join").click();
  await ann.getByTestId("error").getByText(/lets people in by access tokens alone/).waitFor();
  await until("no WebSocket is left", () => sockets(ann), (all) => all.join() === "3");
  assert.deepEqual([await sent(ann, "join"), await connections(ann)], [0, ["closed"]]);
  await ann.context().close();
});

test("a token that comes later than the server waits for one is sent by another WebSocket", async () => {
  const slow = `{
    const { fetch } = window;
    window.fetch = async (path, init) => {
      const answer = await fetch(path, init);
      while (path === "/api/dev/token" && sockets[0]?.readyState !== WebSocket.CLOSED) await new Promise((resolve) => setTimeout(resolve, 10));
      return answer;
    };
  }`;
  const ann = await atTheDoor("Ann", "slow", [slow]);
  await ann.getByTestId("join").click();
  await status(ann, "connected");
  assert.deepEqual([await sent(ann, "join"), await sockets(ann)], [1, [3, 1]]);
  await ann.context().close();
});

test("a page of one's own may prepare, and think better of it", async () => {
  const page = await openPage(browser, server, { join: false });
  const states = await page.evaluate(async () => {
    const { Prepared } = await import("/plenum.js");
    const all = /** @type {RTCPeerConnection[]} */ (/** @type {any} */ (window).connections);
    const prepared = new Prepared();
    const mine = all[all.length - 1];
    const before = mine?.connectionState;
    prepared.close();
    return [before, mine?.connectionState, prepared.take()];
  });
  assert.deepEqual(states, ["new", "closed", null]);
  await page.context().close();
});
