// The page: which view is shown, and what its buttons ask of a room. What happens in a room is not decided here.

/** @import { Room } from "./plenum.js" */

import { developmentToken } from "./backend.js";
import { withSteps } from "./connect.js";
import { asPlenumError, describe, PlenumError } from "./failures.js";
import { lobby, people } from "./lobby.js";
import { peek, recall, remember } from "./memory.js";
import { Devices, join } from "./plenum.js";
import { preview } from "./preview.js";
import { Tiles } from "./tiles.js";

/** A browser's question may stay unanswered for this long; then one enters as a viewer. */
const PERMISSION_LIMIT_MS = 12_000;
/** A server that has been away for this long is called gone, though attempts go on. */
const GONE_AFTER_MS = 30_000;

/**
 * @template {HTMLElement} Kind
 * @param {string} id
 * @param {new () => Kind} kind
 * @returns {Kind}
 */
function element(id, kind) {
  const found = document.getElementById(id);
  if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
  return found;
}

const page = {
  status: element("status", HTMLElement),
  failure: element("failure", HTMLElement),
  notice: element("notice", HTMLElement),
  hear: element("hear", HTMLButtonElement),
  form: element("form", HTMLFormElement),
  name: element("name", HTMLInputElement),
  room: element("room", HTMLInputElement),
  role: element("role", HTMLSelectElement),
  self: element("self", HTMLElement),
  tiles: element("tiles", HTMLElement),
  controls: element("controls", HTMLElement),
  share: element("share-screen", HTMLButtonElement),
  hand: element("raise-hand", HTMLButtonElement),
};

const memory = recall();
const devices = new Devices();
/** @type {Room | null} */
let room = null;
/** Ends the attempt to connect that is under way. */
let attempt = new AbortController();
/** What "Try again" does, while a failure is shown. */
let tryAgain = () => {};
/** @type {ReturnType<typeof setTimeout> | undefined} */
let goneTimer;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let noticeTimer;
/** @type {Set<HTMLMediaElement>} */
const silent = new Set();

const rooms = lobby({
  list: element("live-rooms", HTMLElement),
  empty: element("no-live-rooms", HTMLElement),
  onChoose(name) {
    page.room.value = name;
    (page.name.value ? element("join", HTMLButtonElement) : page.name).focus();
  },
});

const tiles = new Tiles(page.tiles, element("screens", HTMLElement), {
  onMute: (participantId) => room?.muteParticipant(participantId),
  onBlocked(media) {
    silent.add(media);
    page.hear.hidden = false;
  },
});

const self = preview({
  devices,
  figure: page.self,
  toggles: { camera: element("toggle-cam", HTMLButtonElement), microphone: element("toggle-mic", HTMLButtonElement) },
  selects: { camera: element("camera-select", HTMLSelectElement), microphone: element("microphone-select", HTMLSelectElement) },
  who: () => ({
    name: room?.self?.name ?? page.name.value.trim(),
    role: room?.self?.role ?? "",
    isHandRaised: room?.isHandRaised ?? false,
    isSpeaking: room?.self ? room.speakers.includes(room.self.id) : false,
  }),
});

start();

function start() {
  const query = new URLSearchParams(location.search);
  const token = query.get("token") ?? undefined;
  const known = token ? peek(token) : {};
  const asked = {
    token,
    name: query.get("name") ?? known.name,
    room: query.get("room") ?? known.room,
    role: query.get("role") ?? known.role,
  };
  const isSomebodyElse = Object.entries(asked).some(([key, value]) => value !== undefined && value !== memory[/** @type {"name"} */ (key)]);
  if (isSomebodyElse) {
    Object.assign(memory, { identity: undefined, resumeToken: undefined, isInRoom: false, handRaised: false });
    for (const [key, value] of Object.entries(asked)) if (value !== undefined) memory[/** @type {"name"} */ (key)] = value;
    if (!token) memory.token = undefined;
  }
  page.name.value = memory.name;
  page.room.value = memory.room;
  chooseRole(memory.role);
  // A token in the address bar ends up in bookmarks and screenshots; this tab remembers it.
  if (token) showAddress();
  const started = devices.start({ camera: memory.camera, microphone: memory.microphone });
  listen();
  if (memory.room && memory.name && (memory.isInRoom || query.get("join") === "1")) void enter(started);
  else showFront();
}

/**
 * Go into the room that `memory` names.
 * @param {Promise<void>} [started] the devices, if they are only being started
 */
async function enter(started) {
  attempt.abort();
  const mine = (attempt = new AbortController());
  hideFailure();
  setView("connecting");
  setStatus("connecting", "Connecting…");
  try {
    const joined = await withSteps(element("steps", HTMLElement), mine.signal, async (onStep, signal) => {
      if (started) await Promise.race([started, new Promise((resolve) => setTimeout(resolve, PERMISSION_LIMIT_MS))]);
      return join({
        token: fetchToken,
        room: memory.room,
        devices,
        handRaised: memory.handRaised ?? false,
        ...(memory.resumeToken && { resumeToken: memory.resumeToken }),
        onStep,
        signal,
        onResumeToken: rememberStay,
      });
    });
    if (mine.signal.aborted) return joined.leave();
    showRoom(joined);
  } catch (error) {
    if (mine.signal.aborted) return;
    Object.assign(memory, { isInRoom: false, resumeToken: undefined });
    remember(memory);
    setView("failed");
    setStatus("failed", "Not connected");
    showFailure(asPlenumError(error), () => void enter());
  }
}

/** @returns {Promise<string>} */
async function fetchToken() {
  if (memory.token) return memory.token;
  const { name, room, role } = memory;
  const { token, identity } = await developmentToken({ name, room, role, ...(memory.identity && { identity: memory.identity }) });
  memory.identity = identity;
  return token;
}

/** @param {string} resumeToken */
function rememberStay(resumeToken) {
  Object.assign(memory, { resumeToken, isInRoom: true });
  remember(memory);
}

/** @param {Room} joined */
function showRoom(joined) {
  room = joined;
  showAddress();
  setView("room");
  const update = () => {
    if (room !== joined) return;
    tiles.update(joined);
    self.render();
    renderRoom(joined);
  };
  joined.on("track", (track) => {
    tiles.attach(track);
    update();
  });
  joined.on("track-removed", (track) => {
    tiles.detach(track);
    update();
  });
  joined.on("change", update);
  joined.on("status", () => renderStatus(joined));
  joined.on("muted-by", ({ source, participant }) => {
    tell(`${participant?.name ?? "A moderator"} turned your ${source === "microphone" ? "microphone" : "camera"} off.`);
  });
  joined.on("problem", (error) => {
    const { sentence, advice } = describe(error.code);
    tell(`${sentence} ${advice}`);
  });
  joined.on("ended", (error) => {
    leaveRoom();
    setView("failed");
    setStatus("ended", "Not connected");
    // An unknown end is the server's doing: say that, and what it said.
    const isKnown = describe(error.code) !== describe("internal");
    showFailure(isKnown ? error : new PlenumError("removed", error.message), () => void enter());
  });
  renderStatus(joined);
  update();
  showDeviceFailure();
}

/** @param {Room} joined */
function renderRoom(joined) {
  const others = joined.participants.length;
  element("room-title", HTMLElement).textContent = joined.name;
  element("room-count", HTMLElement).textContent = `${people(others + 1)} · ${joined.live.size} live`;
  document.title = `${joined.name} · Plenum`;
  document.body.classList.toggle("alone", others === 0);
  press(page.share, joined.screen !== null, "Stop sharing your screen", "Share your screen");
  press(page.hand, joined.isHandRaised, "Lower your hand", "Raise your hand");
}

/** @param {Room} joined */
function renderStatus(joined) {
  clearTimeout(goneTimer);
  switch (joined.status) {
    case "connected":
      setStatus("connected", "Connected");
      if (page.failure.dataset.code === "server_gone") hideFailure();
      return;
    case "interrupted":
      return setStatus("interrupted", "Sound and picture interrupted. Reconnecting…");
    case "reconnecting":
      setStatus("reconnecting", "Connection lost. Reconnecting…");
      goneTimer = setTimeout(() => showFailure(new PlenumError("server_gone"), () => joined.reconnectNow()), GONE_AFTER_MS);
      return;
  }
}

/** Back to the front page; with a room, that is leaving it. */
function showFront() {
  attempt.abort();
  hideFailure();
  leaveRoom();
  setView("front");
  setStatus("ready", "Ready");
  document.title = "Plenum";
  showAddress();
  showDeviceFailure();
}

function leaveRoom() {
  clearTimeout(goneTimer);
  const left = room;
  room = null;
  left?.leave();
  tiles.clear();
  silent.clear();
  page.hear.hidden = true;
  Object.assign(memory, { isInRoom: false, resumeToken: undefined, handRaised: false });
  remember(memory);
}

/** @param {"front" | "connecting" | "room" | "failed"} view */
function setView(view) {
  document.body.dataset.view = view;
  const inRoom = view === "room";
  const place = element("preview-place", HTMLElement);
  (inRoom ? page.tiles : place).append(page.self);
  if (inRoom) document.body.append(page.controls);
  else place.append(page.controls);
  toggleDevicePanel(false);
  if (view === "front") rooms.show();
  else rooms.hide();
  self.render();
}

/**
 * @param {string} state for tests and scripts
 * @param {string} text for people
 */
function setStatus(state, text) {
  page.status.dataset.state = state;
  if (page.status.textContent !== text) page.status.textContent = text;
}

/**
 * @param {PlenumError} error
 * @param {() => void} again
 */
function showFailure(error, again) {
  const { title, sentence, advice } = describe(error.code);
  tryAgain = again;
  delete page.failure.dataset.about;
  element("go-on", HTMLButtonElement).hidden = true;
  page.failure.dataset.code = error.code;
  element("failure-title", HTMLElement).textContent = title;
  element("failure-sentence", HTMLElement).textContent = sentence;
  element("failure-advice", HTMLElement).textContent = advice;
  const hasDetail = error.message !== error.code && ["removed", "internal", "media_refused"].includes(error.code);
  element("failure-detail", HTMLElement).textContent = hasDetail ? error.message : "";
  page.failure.hidden = false;
}

function hideFailure() {
  page.failure.hidden = true;
  delete page.failure.dataset.code;
}

/** A device that was asked for and is not there: said, while everything else goes on. */
function showDeviceFailure() {
  const failure = devices.failure("camera") ?? devices.failure("microphone");
  const view = document.body.dataset.view;
  if (view !== "front" && view !== "room") return;
  if (!failure) {
    if (page.failure.dataset.about === "devices") hideFailure();
    delete page.failure.dataset.about;
    return;
  }
  showFailure(failure, () => {
    hideFailure();
    void devices.start({ camera: true, microphone: true });
  });
  page.failure.dataset.about = "devices";
  element("go-on", HTMLButtonElement).hidden = false;
}

/**
 * A passing remark.
 * @param {string} text
 */
function tell(text) {
  page.notice.textContent = text;
  page.notice.hidden = false;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (page.notice.hidden = true), 8_000);
}

/** The address leads back here, for a refresh and for others; with no token, and without joining by itself. */
function showAddress() {
  const query = new URLSearchParams();
  if (memory.room) query.set("room", memory.room);
  history.replaceState(null, "", query.size ? `/?${query}` : "/");
}

/** @param {string} role */
function chooseRole(role) {
  const isListed = [...page.role.options].some((option) => option.value === role);
  if (!isListed && role) page.role.append(new Option(role, role));
  page.role.value = role || "student";
}

/** @param {boolean} shown */
function toggleDevicePanel(shown) {
  page.controls.classList.toggle("with-devices", shown);
  element("toggle-devices", HTMLElement).setAttribute("aria-expanded", String(shown));
}

/**
 * @param {HTMLButtonElement} button
 * @param {boolean} pressed
 * @param {string} whenPressed
 * @param {string} otherwise
 */
function press(button, pressed, whenPressed, otherwise) {
  const title = pressed ? whenPressed : otherwise;
  button.setAttribute("aria-pressed", String(pressed));
  button.setAttribute("aria-label", title);
  button.title = title;
}

function listen() {
  page.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = { name: page.name.value.trim(), room: page.room.value.trim(), role: page.role.value };
    if (!chosen.name || !chosen.room) return;
    const isSame = chosen.name === memory.name && chosen.room === memory.room && chosen.role === memory.role;
    // A token is for one room and one person: with other words in the form it is not meant.
    if (!isSame) Object.assign(memory, { identity: undefined, token: undefined });
    Object.assign(memory, chosen);
    remember(memory);
    void enter();
  });
  page.name.addEventListener("input", () => self.render());
  devices.on("change", () => {
    Object.assign(memory, { camera: wanted("camera"), microphone: wanted("microphone") });
    remember(memory);
    showDeviceFailure();
  });
  element("try-again", HTMLButtonElement).addEventListener("click", () => {
    hideFailure();
    tryAgain();
  });
  element("go-back", HTMLButtonElement).addEventListener("click", () => {
    const isDevices = page.failure.dataset.about === "devices";
    delete page.failure.dataset.about;
    if (isDevices && document.body.dataset.view === "front") return hideFailure();
    showFront();
    hideFailure();
  });
  element("go-on", HTMLButtonElement).addEventListener("click", hideFailure);
  element("cancel", HTMLButtonElement).addEventListener("click", showFront);
  element("leave", HTMLButtonElement).addEventListener("click", showFront);
  element("toggle-devices", HTMLButtonElement).addEventListener("click", () => {
    toggleDevicePanel(!page.controls.classList.contains("with-devices"));
  });
  page.share.addEventListener("click", () => {
    if (room?.screen) return room.stopScreen();
    room?.shareScreen().catch((error) => tell(describe(asPlenumError(error).code).sentence));
  });
  page.hand.addEventListener("click", () => {
    if (!room) return;
    room.setHandRaised(!room.isHandRaised);
    memory.handRaised = room.isHandRaised;
    remember(memory);
  });
  page.hear.addEventListener("click", () => {
    for (const media of silent) void media.play().catch(() => {});
    silent.clear();
    page.hear.hidden = true;
  });
  element("copy-link", HTMLButtonElement).addEventListener("click", async () => {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    tell(`The link to this room: ${location.href}`);
  });
}

/**
 * How a refresh should find it: a device that failed is asked for again.
 * @param {"camera" | "microphone"} kind
 */
function wanted(kind) {
  return devices.isOn(kind) || devices.failure(kind) !== null;
}
