// A class: previews, toggles, a tutor who can silence, and a refresh that brings one back as oneself.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchChromium, openPage, pixels, received, seesAndHears, status, tile, tiles, until, untilTiles } from "./support/browser.js";
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
const PREVIEW = "[data-testid=self-preview] video";

/** @param {import("playwright-core").Page} page @param {"mic" | "cam"} which */
const isOn = async (page, which) => (await page.getByTestId(`toggle-${which}`).getAttribute("aria-pressed")) === "true";

/** @param {import("playwright-core").Page} page @param {"mic" | "cam"} which @param {boolean} on */
const untilToggle = (page, which, on) => until(`${which} is ${on}`, () => isOn(page, which), (now) => now === on);

test("C3: the preview is there before and after joining, with initials while the camera is off", async () => {
  const ann = await person("Ann Lee", "c3", { join: false });
  /** The picture lies over the initials, and is only seen when it is not transparent. */
  const opacity = () => ann.locator(PREVIEW).evaluate((video) => getComputedStyle(video).opacity);
  const sees = async () => {
    await until("the preview has a picture", () => pixels(ann, PREVIEW), (now) => now.brightness > 20 && now.variation > 20);
    await until("and shows it", opacity, (now) => now === "1");
  };
  const placeholder = async () => {
    await until("the preview has no picture", () => ann.getByTestId("self-preview").getAttribute("data-picture"), (now) => now === "off");
    assert.equal(await opacity(), "0");
    assert.equal(await ann.locator("[data-testid=self-preview] .initials").innerText(), "AL");
    assert.ok(await ann.getByTestId("self-preview").isVisible());
  };
  await sees();
  await ann.getByTestId("toggle-cam").click();
  await placeholder();
  await ann.getByTestId("join").click();
  await status(ann, "connected");
  await placeholder();
  await ann.getByTestId("toggle-cam").click();
  await sees();
  assert.ok(await ann.getByTestId("self-preview").isVisible());
  await ann.getByTestId("leave").click();
  await sees();
  await ann.context().close();
});

test("C4: the toggles start in the state that is true, and work before joining", async () => {
  const ann = await person("Ann", "c4", { join: false });
  await untilToggle(ann, "mic", true);
  await untilToggle(ann, "cam", true);
  await ann.getByTestId("toggle-mic").click();
  await untilToggle(ann, "mic", false);
  await ann.getByTestId("join").click();
  await status(ann, "connected");
  assert.equal(await isOn(ann, "mic"), false);
  const ben = await person("Ben", "c4");
  await until("Ben sees it so", () => tiles(ben), (now) => now.Ann?.microphone === "off" && now.Ann.camera === "on");
  await ann.getByTestId("toggle-mic").click();
  await until("and hears Ann once it is on", () => received(ben, "Ann"), (now) => now.energy > 0);
  await Promise.all([ann.context().close(), ben.context().close()]);
});

test("C4: without permission the toggles show off, the reason is told, and one is in as a viewer", async () => {
  const ann = await person("Ann", "denied");
  const ben = await person("Ben", "denied", {
    scripts: [`navigator.mediaDevices.getUserMedia = async () => { throw new DOMException("", "NotAllowedError") }`],
  });
  await status(ben, "connected");
  assert.deepEqual([await isOn(ben, "mic"), await isOn(ben, "cam")], [false, false]);
  assert.match(await ben.getByTestId("error").innerText(), /does not let this page use your camera or microphone/);
  assert.ok(await ben.getByTestId("try-again").isVisible());
  assert.ok(await ben.getByTestId("go-back").isVisible());
  // Nobody has touched this page, and it uses no microphone: a browser may want a click before it plays sound.
  const hear = ben.getByTestId("hear");
  const plays = () => ben.evaluate(() => [...document.querySelectorAll("audio")].some((audio) => audio.currentTime > 0));
  await until("Ann's sound plays, or a click is asked for", async () => (await hear.isVisible()) || plays());
  if (await hear.isVisible()) await hear.click();
  await seesAndHears(ben, "Ann");
  assert.equal((await tiles(ann)).Ben?.live, "false");
  await Promise.all([ann.context().close(), ben.context().close()]);
});

test("C5: the tutor sees all students, and can silence one, who can speak again by themselves", async () => {
  const tina = await person("Tina", "c5", { role: "tutor" });
  const sam = await person("Sam", "c5");
  const sue = await person("Sue", "c5");
  await untilTiles(tina, ["Sam", "Sue"]);
  await Promise.all([seesAndHears(tina, "Sam"), seesAndHears(sue, "Sam")]);
  assert.ok(!(await tile(sam, "Sue").getByTestId("mute-participant").isVisible()), "a student has no such button");
  await tile(tina, "Sam").getByTestId("mute-participant").click();
  await untilToggle(sam, "mic", false);
  await sam.getByTestId("notice").getByText("Tina turned your microphone off").waitFor();
  for (const page of [tina, sue]) await until("Sam is shown as silent", () => tiles(page), (now) => now.Sam?.microphone === "off");
  // What was under way is still played; then nothing more comes.
  let energy = NaN;
  await until("nothing of Sam is heard", async () => {
    const before = (await received(sue, "Sam")).energy;
    await sue.waitForTimeout(1_500);
    energy = (await received(sue, "Sam")).energy;
    return energy - before;
  }, (more) => more === 0);
  await sam.getByTestId("toggle-mic").click();
  await until("Sam is heard again", () => received(sue, "Sam"), (now) => now.energy > energy);
  await Promise.all([tina, sam, sue].map((page) => page.context().close()));
});

test("C6: a refresh brings one back as the same person, without ghost or double", async () => {
  const ann = await person("Ann", "c6");
  const ben = await person("Ben", "c6", { role: "tutor" });
  await seesAndHears(ann, "Ben");
  await ben.getByTestId("raise-hand").click();
  await until("the hand is up", () => tiles(ann), (now) => now.Ben?.hand === "raised");
  const id = (await tiles(ann)).Ben?.participant;
  assert.ok(id);
  /** Every set of tiles that Ann ever saw. */
  await ann.evaluate(() => {
    /** @type {any} */ (window).most = 0;
    new MutationObserver(() => {
      const count = document.querySelectorAll("[data-testid=tile]").length;
      /** @type {any} */ (window).most = Math.max(/** @type {any} */ (window).most, count);
    }).observe(document.body, { childList: true, subtree: true });
  });
  for (let round = 0; round < 2; round++) {
    const { frames } = await received(ann, "Ben");
    assert.ok(frames > 0);
    await ben.reload();
    await status(ben, "connected");
    await Promise.all([seesAndHears(ann, "Ben"), seesAndHears(ben, "Ann")]);
  }
  const now = await tiles(ann);
  assert.deepEqual(Object.keys(now), ["Ben"]);
  assert.equal(now.Ben?.participant, id);
  assert.equal(now.Ben?.hand, "raised");
  assert.equal(now.Ben?.role, "tutor");
  assert.ok((await ann.evaluate(() => /** @type {any} */ (window).most)) <= 1);
  await Promise.all([ann.context().close(), ben.context().close()]);
});

test("C7: a tutor and five students see and hear each other at once, and who leaves is gone for all", async () => {
  const names = ["Amy", "Bob", "Cat", "Dan", "Eli"];
  const tutor = await person("Tina", "c7", { role: "tutor" });
  // At once, as when the lesson begins.
  const students = await Promise.all(names.map((name) => person(name, "c7")));
  await untilTiles(tutor, names);
  await Promise.all(names.map((name) => seesAndHears(tutor, name)));
  await Promise.all(students.map((student) => seesAndHears(student, "Tina")));
  for (const [place, student] of students.entries()) {
    const others = names.filter((_, other) => other !== place);
    await untilTiles(student, [...others, "Tina"]);
  }
  await students.pop()?.context().close();
  await Promise.all([tutor, ...students].map((page) => until("Eli is gone", () => tiles(page), (now) => !now.Eli)));
  await Promise.all([tutor, ...students].map((page) => page.context().close()));
});

test("a name, a room and a role in the form lead into the room, by keyboard alone", async () => {
  const ann = await openPage(browser, server, { join: false });
  await ann.getByTestId("name").focus();
  await ann.keyboard.type("Ann");
  await ann.keyboard.press("Tab");
  await ann.keyboard.type("by keyboard");
  await ann.keyboard.press("Tab");
  await ann.keyboard.type("Tutor");
  await ann.keyboard.press("Tab");
  await ann.keyboard.press("Enter");
  await status(ann, "connected");
  const ben = await person("Ben", "by keyboard");
  await until("Ann is there as tutor", () => tiles(ben), (now) => now.Ann?.role === "tutor");
  await Promise.all([ann.context().close(), ben.context().close()]);
});
