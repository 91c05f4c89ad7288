// Rooms that somebody owns, in real Chromium: going live and ending, waiting at the door, what a host can do,
// who was there, and a server that is killed in the middle of it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launchChromium, openPage, seesAndHears, status, tile, tiles, until, untilTiles } from "./support/browser.js";
import { startProxy } from "./support/proxy.js";
import { startServer } from "./support/server.js";

/** @typedef {import("playwright-core").Page} Page */

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

/** Somebody at the front page, with their own room in sight. @param {string} name @param {{ origin: string }} [at] */
async function atHome(name, at = server) {
  const page = await openPage(browser, at, { name, identity: `${name}-identity`, join: false });
  await page.getByTestId("my-room-show").click();
  await page.getByTestId("my-room-name").waitFor();
  return page;
}

/** @param {Page} page */
const roomName = (page) => page.getByTestId("my-room-name").innerText();

/** @param {Page} page @param {string} state */
const badge = (page, state) => until(`the room is ${state}`, () => page.getByTestId("session-state").getAttribute("data-state"), (now) => now === state);

/** @param {string} name @param {string} room @param {{ origin: string }} [at] */
const guest = (name, room, at = server) => openPage(browser, at, { name, room, role: "guest", identity: `${name}-identity` });

/** @param {Page} page @param {string} code */
const failure = (page, code) => until(`the failure ${code}`, () => page.locator("#failure").getAttribute("data-code"), (now) => now === code);

/** @param {Page[]} pages */
const closeAll = (...pages) => Promise.all(pages.map((page) => page.context().close()));

/** End the session, with the question answered. @param {Page} page @param {string} [button] */
async function end(page, button = "end-session") {
  await page.getByTestId(button).click();
  await page.getByTestId("confirm-yes").click();
}

/** What the API says of somebody's sessions. @param {Page} page */
const sessions = (page) =>
  page.evaluate(async () => {
    const { Api } = await import(/** @type {any} */ ("/api.js"));
    const { developmentToken } = await import(/** @type {any} */ ("/backend.js"));
    const { name, identity } = JSON.parse(sessionStorage.getItem("plenum") ?? "{}");
    const api = new Api(async () => (await developmentToken({ name, identity, room: name, role: "guest" })).token);
    const room = await api.myRoom();
    return { room, sessions: await api.sessions(room.id) };
  });

test("E1 and E3: a room is live from going live to its end for all, tells both, and can be used again at once", async () => {
  const ann = await atHome("Ann");
  const room = await roomName(ann);
  assert.equal(await ann.getByTestId("my-room-state").innerText(), "Not live");
  await ann.getByTestId("my-go-live").click();
  await status(ann, "connected");
  await badge(ann, "live");
  const ben = await guest("Ben", room);
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  assert.equal((await tiles(ben)).Ann?.host, "true");
  assert.equal(await ben.getByTestId("host-bar").isVisible(), false, "a guest has nothing to end");

  await end(ann);
  await Promise.all([failure(ann, "session_ended"), failure(ben, "session_ended")]);
  const { room: after, sessions: all } = await sessions(ann);
  assert.equal(after.info.state, "idle");
  assert.deepEqual(all.map(({ state, end_reason }) => [state, end_reason]), [["ended", "ended"]]);

  await ann.getByTestId("go-back").click();
  await ann.getByTestId("my-go-live").click();
  await badge(ann, "live");
  await ben.getByTestId("try-again").click();
  await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  await end(ann);
  await closeAll(ann, ben);
});

test("E2: going live by a double click and in two tabs makes one session", async () => {
  const [one, other] = await Promise.all([atHome("Cleo"), atHome("Cleo")]);
  await Promise.all([one.getByTestId("my-go-live").dblclick(), other.getByTestId("my-go-live").click()]);
  await until("one of them is in", async () => Promise.all([one, other].map((page) => page.getByTestId("status").getAttribute("data-state"))), (now) => now.includes("connected"));
  const { sessions: all } = await sessions(one);
  assert.equal(all.length, 1, JSON.stringify(all));
  assert.equal(all[0]?.state, "live");
  await closeAll(one, other);
});

test("E4 and C6: the host is known by the record: after a refresh, as a mere guest, they are the host and can end", async () => {
  const dora = await atHome("Dora");
  const room = await roomName(dora);
  await dora.getByTestId("my-go-live").click();
  await badge(dora, "live");
  const eva = await guest("Eva", room);
  await untilTiles(dora, ["Eva"]);
  await dora.reload();
  await status(dora, "connected");
  await badge(dora, "live");
  await untilTiles(eva, ["Dora"]);
  // Another page with a guest's token: the record says who the host is.
  const again = await openPage(browser, server, { name: "Dora", room, role: "guest", identity: "Dora-identity" });
  await status(again, "connected");
  await failure(dora, "taken_over");
  await end(again);
  await failure(eva, "session_ended");
  await closeAll(dora, eva, again);
});

test("E5: one permanent room for one user, in however many tabs, whatever fails and however often it is tried again", async () => {
  const open = () => openPage(browser, server, { name: "Uma", identity: "Uma-identity", join: false });
  const pages = await Promise.all([open(), open(), open()]);
  // The server does it, and the answer is lost; and so with the first retry.
  for (const page of pages) {
    await page.route("**/api/rooms/me", async (route) => {
      await route.fetch();
      await route.abort();
    }, { times: 2 });
  }
  await Promise.all(pages.map(async (page) => {
    for (let attempt = 0; attempt < 3; attempt++) {
      const asked = page.waitForEvent(attempt < 2 ? "requestfailed" : "requestfinished", (request) => request.url().endsWith("/api/rooms/me"));
      await page.getByTestId("my-room-show").click();
      await asked;
    }
    await page.getByTestId("my-room-name").waitFor();
  }));
  const [room = ""] = await Promise.all(pages.map(roomName));
  await pages[0]?.getByTestId("my-go-live").click();
  await badge(/** @type {Page} */ (pages[0]), "live");
  // The others' room is the same one: it is live, and they need not be told so.
  for (const page of pages.slice(1)) {
    await page.reload();
    await page.getByTestId("my-room-show").click();
    await until("the room is live here, too", () => page.getByTestId("my-room-state").getAttribute("data-state"), (now) => now === "live");
    assert.equal(await roomName(page), room);
  }
  await closeAll(...pages);
});

test("guests wait at the door until the session is live, and with the lobby until they are let in one by one", async () => {
  const finn = await atHome("Finn");
  const room = await roomName(finn);
  const gail = await guest("Gail", room);
  await status(gail, "waiting");
  assert.match(await gail.getByTestId("waiting-text").innerText(), /not live yet/);
  await finn.getByTestId("my-lobby").check();
  await finn.getByTestId("my-open-lobby").click();
  await badge(finn, "lobby");
  await until("the lobby is told", () => gail.getByTestId("waiting-text").innerText(), (text) => /lobby is open/.test(text));
  const hugo = await guest("Hugo", room);
  await status(hugo, "waiting");
  const waiting = finn.getByTestId("waiting-participant");
  await until("the host sees both", () => waiting.evaluateAll((all) => all.map((one) => /** @type {HTMLElement} */ (one).dataset.name)), (names) => names.join() === "Gail,Hugo");
  await finn.getByTestId("go-live").click();
  await badge(finn, "live");
  await status(gail, "waiting");

  await waiting.filter({ hasText: "Gail" }).getByTestId("admit").click();
  await Promise.all([seesAndHears(finn, "Gail"), seesAndHears(gail, "Finn")]);
  await waiting.filter({ hasText: "Hugo" }).getByTestId("deny").click();
  await failure(hugo, "denied");
  // Who was let in comes back without asking.
  await gail.reload();
  await status(gail, "connected");
  await untilTiles(finn, ["Gail"]);
  await end(finn);
  await closeAll(finn, gail, hugo);
});

test("C5: a host mutes, asks to unmute, lowers hands, removes and bans, each with its question", async () => {
  const ida = await atHome("Ida");
  const room = await roomName(ida);
  await ida.getByTestId("my-go-live").click();
  await badge(ida, "live");
  const jon = await guest("Jon", room);
  await seesAndHears(ida, "Jon");
  await jon.getByTestId("raise-hand").click();
  await until("the hand is up", () => tiles(ida), (now) => now.Jon?.hand === "raised");
  const menu = async (/** @type {string} */ action) => {
    await tile(ida, "Jon").getByTestId("more").click();
    await ida.getByTestId(action).click();
  };
  await menu("lower-hand");
  await until("the hand is down", () => tiles(ida), (now) => now.Jon?.hand === "down");
  await until("Jon's own hand, too", () => jon.getByTestId("raise-hand").getAttribute("aria-pressed"), (pressed) => pressed === "false");
  await tile(ida, "Jon").getByTestId("mute-participant").click();
  await until("Jon is silent", () => tiles(ida), (now) => now.Jon?.microphone === "off");
  await menu("ask-to-unmute");
  await until("Jon is asked", () => jon.getByTestId("notice").innerText(), (text) => /Ida asks you to turn your microphone on/.test(text));
  assert.equal((await tiles(ida)).Jon?.microphone, "off", "asked, and not forced");
  await jon.getByTestId("toggle-mic").click();
  await until("Jon is heard again", () => tiles(ida), (now) => now.Jon?.microphone === "on");

  await menu("remove");
  await ida.getByTestId("confirm-no").click();
  assert.equal((await tiles(ida)).Jon?.name, "Jon", "a no is a no");
  await menu("remove");
  await ida.getByTestId("confirm-yes").click();
  await failure(jon, "removed");
  await jon.getByTestId("try-again").click();
  await status(jon, "connected");
  await untilTiles(ida, ["Jon"]);
  await menu("ban");
  await ida.getByTestId("confirm-yes").click();
  await failure(jon, "banned");
  await jon.getByTestId("try-again").click();
  await failure(jon, "banned");
  await ida.getByTestId("lock").click();
  const kim = await guest("Kim", room);
  await failure(kim, "room_locked");
  await ida.getByTestId("lock").click();
  await kim.getByTestId("try-again").click();
  await untilTiles(ida, ["Kim"]);
  await end(ida);
  await closeAll(ida, jon, kim);
});

test("E6: the list on the front page gains a session as it starts and loses it as it ends, with nothing reloaded", async () => {
  const onlooker = await openPage(browser, server, { name: "Lena", join: false });
  const mona = await atHome("Mona");
  const room = await roomName(mona);
  const listed = () => onlooker.getByTestId("live-room").evaluateAll((all) => all.map((one) => /** @type {HTMLElement} */ (one).dataset.room));
  assert.ok(!(await listed()).includes(room));
  await mona.getByTestId("my-go-live").click();
  await badge(mona, "live");
  await until("the room is listed", listed, (rooms) => rooms.includes(room));
  await end(mona);
  await until("the room is no longer listed", listed, (rooms) => !rooms.includes(room));
  await closeAll(onlooker, mona);
});

test("E7: the attendance of a past session tells who was there, once for each, and can be saved", async () => {
  const nora = await atHome("Nora");
  const room = await roomName(nora);
  await nora.getByTestId("my-go-live").click();
  await badge(nora, "live");
  const otto = await guest("Otto", room);
  await untilTiles(nora, ["Otto"]);
  await otto.reload();
  await status(otto, "connected");
  await end(nora);
  await failure(nora, "session_ended");
  await nora.getByTestId("go-back").click();
  await nora.getByTestId("past-session").getByTestId("attendance").click();
  const rows = nora.getByTestId("attendance-row");
  await until("both are listed, and each once", () => rows.evaluateAll((all) => all.map((one) => /** @type {HTMLElement} */ (one).dataset.identity).sort()), (now) => now.join() === "Nora-identity,Otto-identity");
  assert.ok(!(await nora.getByTestId("attendance-dialog").innerText()).includes("still there"));
  const [file] = await Promise.all([nora.waitForEvent("download"), nora.getByTestId("attendance-csv").click()]);
  assert.match(file.suggestedFilename(), /^attendance-SE_.*\.csv$/);
  await closeAll(nora, otto);
});

test("a planned session is shown, can be given up, and begins by going live", async () => {
  const page = await atHome("Pia");
  const soon = new Date(Date.now() + 20 * 60_000);
  const local = new Date(soon.getTime() - soon.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  const plan = async (/** @type {string} */ title) => {
    if (!(await page.getByTestId("plan").isVisible())) await page.getByText("Plan a session").click();
    await page.getByTestId("plan-title").fill(title);
    await page.getByTestId("plan-when").fill(local);
    await page.getByTestId("plan").click();
    await page.getByTestId("planned-session").filter({ hasText: title }).waitFor();
  };
  await plan("Algebra");
  assert.match(await page.getByTestId("my-room-state").innerText(), /^Scheduled for/);
  await page.getByTestId("planned-session").getByTestId("cancel-session").click();
  await page.getByTestId("confirm-yes").click();
  await until("the plan is given up", () => page.getByTestId("my-room-state").innerText(), (text) => text === "Not live");
  await plan("Geometry");
  await page.getByTestId("my-go-live").click();
  await badge(page, "live");
  const { sessions: all } = await sessions(page);
  const states = Object.fromEntries(all.map(({ title, state }) => [title, state]));
  assert.deepEqual(states, { Algebra: "cancelled", Geometry: "live" });
  await closeAll(page);
});

test("E8: what hosts do in the browser is what operators see: starts, ends, conflicts, and no room that is stuck", async (t) => {
  const own = await startServer();
  t.after(() => own.stop());
  /** @param {string} name */
  const metric = async (name) => {
    const lines = (await (await fetch(`${own.origin}/metrics`)).text()).split("\n");
    return Number(lines.find((line) => line.startsWith(`${name} `))?.slice(name.length + 1));
  };
  const vera = await atHome("Vera", own);
  await vera.getByTestId("my-go-live").click();
  await badge(vera, "live");
  assert.equal(await metric("plenum_sessions_started_total"), 1);
  assert.equal(await metric("plenum_go_live_conflicts_total"), 0);
  // As from a tab that has not seen yet that the room is live.
  const { room, sessions: [live] } = await sessions(vera);
  const again = await vera.evaluate(async (room) => {
    const { Api } = await import(/** @type {any} */ ("/api.js"));
    const { developmentToken } = await import(/** @type {any} */ ("/backend.js"));
    const token = async () => (await developmentToken({ name: "Vera", identity: "Vera-identity", room: "any", role: "guest" })).token;
    return new Api(token).goLive(room, "another intention");
  }, room.id);
  assert.equal(again.id, live?.id);
  await until("the conflict is counted", () => metric("plenum_go_live_conflicts_total"), (count) => count === 1);
  await until("the session is counted", () => metric("plenum_sessions"), (count) => count === 1);
  await end(vera);
  await failure(vera, "session_ended");
  assert.equal(await metric('plenum_sessions_ended_total{reason="ended"}'), 1);
  assert.equal(await metric("plenum_sessions_started_total"), 1);
  assert.equal(await metric("plenum_rooms_stuck"), 0);
  await closeAll(vera);
});

test("D2: provider and client are in one session, and the role decides the controls", async () => {
  const wanda = await atHome("Wanda");
  const room = await roomName(wanda);
  await wanda.getByTestId("my-go-live").click();
  await badge(wanda, "live");
  const provider = await openPage(browser, server, { room, name: "Dr. Wu", role: "provider" });
  const client = await openPage(browser, server, { room, name: "Xenia", role: "client" });
  await Promise.all([seesAndHears(provider, "Xenia"), seesAndHears(client, "Dr. Wu")]);
  const [mine, theirs] = await Promise.all([tiles(client), tiles(provider)]);
  assert.deepEqual([mine["Dr. Wu"]?.role, theirs.Xenia?.role], ["provider", "client"]);
  const controls = ["host-bar", "lock", "end-session"];
  const shown = async (/** @type {Page} */ page, /** @type {string} */ other) => {
    const all = [...controls.map((name) => page.getByTestId(name)), tile(page, other).getByTestId("mute-participant"), tile(page, other).getByTestId("more")];
    return Promise.all(all.map((control) => control.isVisible()));
  };
  assert.deepEqual(await shown(provider, "Xenia"), [true, true, true, true, true]);
  assert.deepEqual(await shown(client, "Dr. Wu"), [false, false, false, false, false]);
  await closeAll(wanda, provider, client);
});

test("E9: a server killed in the middle comes back with nothing stuck: the host goes live again, and the old session is over", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "plenum-kill-"));
  const first = await startServer({ dataDir });
  const lead = await startProxy(first.port);
  t.after(() => Promise.all([first.stop("SIGKILL"), lead.stop()]).then(() => rmSync(dataDir, { recursive: true, force: true })));
  const rosa = await atHome("Rosa", lead);
  const room = await roomName(rosa);
  await rosa.getByTestId("my-go-live").click();
  await badge(rosa, "live");
  const sam = await guest("Sam", room, lead);
  await Promise.all([seesAndHears(rosa, "Sam"), seesAndHears(sam, "Rosa")]);
  await first.stop("SIGKILL");
  const second = await startServer({ dataDir });
  t.after(() => second.stop());
  lead.lead(second.port);
  await status(rosa, "connected");
  await badge(rosa, "idle");
  await status(sam, "waiting");
  await rosa.getByTestId("go-live").click();
  await badge(rosa, "live");
  await Promise.all([seesAndHears(rosa, "Sam"), seesAndHears(sam, "Rosa")]);
  const { sessions: all } = await sessions(rosa);
  assert.deepEqual(all.map(({ state, end_reason }) => [state, end_reason ?? null]).sort(), [["ended", "server_lost"], ["live", null]]);
  await end(rosa);
  await closeAll(rosa, sam);
});
