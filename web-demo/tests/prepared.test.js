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
  server = await startServer();
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
 * @param {import("./support/server.js").Server} [of]
 */
async function atTheDoor(name, room, scripts = [], of = server) {
  const page = await openPage(browser, of, { name, room, join: false, scripts: [WITNESS, ...scripts] });
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

/** The page is given its token when its first WebSocket fires this. @param {"message" | "close"} event */
const tokenUpon = (event) => `{
  const { fetch } = window;
  window.fetch = async (path, init) => {
    const answer = await fetch(path, init);
    if (path !== "/api/dev/token" || !sockets[0]) return answer;
    const body = await answer.json();
    const { readyState, CLOSED } = sockets[0];
    if (readyState !== CLOSED) await new Promise((resolve) => sockets[0].addEventListener("${event}", resolve, { once: true }));
    return { ok: true, status: 200, json: async () => body };
  };
}`;

for (const [claim, event] of /** @type {const} */ ([
  ["later than the server waits for one", "close"],
  ["just when the server says that it waits no longer", "message"],
])) {
  test(`a token that comes ${claim} is sent by another WebSocket`, async (t) => {
    const impatient = await startServer({ config: "[limits]\nauthentication_ms = 2_000\n" });
    t.after(() => impatient.stop());
    const ann = await atTheDoor("Ann", "slow", [tokenUpon(event)], impatient);
    await ann.getByTestId("join").click();
    await status(ann, "connected");
    assert.deepEqual(await sockets(ann), [3, 1]);
    await ann.context().close();
  });
}

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

test("where no connection can be made the front page is there all the same, and joining says why", async () => {
  const refusing = `{
    const { RTCPeerConnection } = window;
    window.RTCPeerConnection = class { constructor() { throw new DOMException("there are too many", "UnknownError"); } };
    window.relent = () => (window.RTCPeerConnection = RTCPeerConnection);
  }`;
  const ben = await openPage(browser, server, { name: "Ben", room: "listed" });
  await status(ben, "connected");
  const ann = await atTheDoor("Ann", "listed", [refusing]);
  await status(ann, "ready");
  await ann.locator('[data-testid=live-room][data-room="listed"]').waitFor();
  await ann.getByTestId("join").click();
  await ann.getByTestId("error").getByText("there are too many").waitFor();
  await until("no WebSocket is left", () => sockets(ann), (all) => all.every((state) => state === 3));
  await ann.evaluate(() => /** @type {any} */ (window).relent());
  await ann.getByTestId("try-again").click();
  await status(ann, "connected");
  await seesAndHears(ann, "Ben");
  await Promise.all([ann, ben].map((page) => page.context().close()));
});

test("who gives up while the browser asks for camera and microphone leaves neither on, and nothing begins afterwards", async () => {
  const page = await openPage(browser, server, { join: false, scripts: [WITNESS] });
  const left = await page.evaluate(async () => {
    const { join } = await import("/plenum.js");
    const own = /** @type {any} */ (window);
    const before = own.connections.length;
    let listening = 0;
    const { addEventListener, removeEventListener } = document;
    document.addEventListener = function (/** @type {any[]} */ ...args) {
      if (args[0] === "visibilitychange") listening += 1;
      return addEventListener.apply(this, /** @type {any} */ (args));
    };
    document.removeEventListener = function (/** @type {any[]} */ ...args) {
      if (args[0] === "visibilitychange") listening -= 1;
      return removeEventListener.apply(this, /** @type {any} */ (args));
    };
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    let allow = () => {};
    const allowed = new Promise((resolve) => (allow = () => resolve(undefined)));
    /** @type {MediaStreamTrack[]} */
    const tracks = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      tracks.push(...stream.getTracks());
      await allowed;
      return stream;
    };
    const attempt = new AbortController();
    let tokens = 0;
    const token = async () => (tokens++, "none");
    const joining = join({ token, camera: true, microphone: true, signal: attempt.signal });
    while (tracks.length < 2) await new Promise((resolve) => setTimeout(resolve, 10));
    attempt.abort();
    const code = await joining.then(() => "joined", (/** @type {any} */ error) => error.code);
    allow();
    // What follows the answer is done, for nothing else is waited for.
    await new Promise((resolve) => setTimeout(resolve));
    const states = tracks.map((track) => track.readyState);
    return { code, states, tokens, listening, sockets: own.sockets.length, connections: own.connections.length - before };
  });
  assert.deepEqual(left, { code: "left", states: ["ended", "ended"], tokens: 0, listening: 0, sockets: 0, connections: 0 });
  await page.context().close();
});

test("who leaves as soon as the room is there has not joined, and is told so", async () => {
  const page = await openPage(browser, server, { join: false });
  const code = await page.evaluate(async () => {
    const { join } = await import("/plenum.js");
    const person = { name: "Ann", room: "brief", role: "student" };
    const headers = { "content-type": "application/json" };
    const { token } = await (await fetch("/api/dev/token", { method: "POST", headers, body: JSON.stringify(person) })).json();
    const joining = join({ token, onRoom: (room) => room.leave() }).then(() => "joined", (error) => error.code);
    return Promise.race([joining, new Promise((resolve) => setTimeout(() => resolve("nothing"), 60_000))]);
  });
  assert.equal(code, "left");
  await page.context().close();
});
