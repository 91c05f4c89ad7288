// The page: which view is shown, and what its buttons ask of a room. What happens in a room is not decided here.

/** @import { Room } from "./plenum.js" */
/** @import { Waiting } from "./protocol.d.ts" */

import { Api } from "./api.js";
import { developmentToken } from "./backend.js";
import { withSteps } from "./connect.js";
import { failureBox } from "./failure-box.js";
import { asPlenumError, describe, PlenumError } from "./failures.js";
import { describe as describeRoom, hostBar } from "./host.js";
import { lobby, people } from "./lobby.js";
import { peek, recall, remember } from "./memory.js";
import { actions, openMenu } from "./moderation.js";
import { myRoom } from "./my-room.js";
import { onNextFrame } from "./next-frame.js";
import { Devices, join, Prepared } from "./plenum.js";
import { preview } from "./preview.js";
import { Tiles } from "./tiles.js";

/** A browser's question may stay unanswered for this long; then one enters as a viewer. */
const PERMISSION_LIMIT_MS = 12_000;
/** A server that has been away for this long is called gone, though attempts go on. */
const GONE_AFTER_MS = 30_000;
/** Most are in sooner. What is shown for less only flickers, and drawing it takes its time from joining. */
const STEPS_AFTER_MS = 200;

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
/** While the front page is shown, what joining takes is made ready. @type {Prepared | null} */
let prepared = null;
/** Ends the attempt to connect that is under way. */
let attempt = new AbortController();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let goneTimer;
/** Runs while one enters from the front page, which is still shown. @type {ReturnType<typeof setTimeout> | undefined} */
let stepsTimer;
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

const failure = failureBox({
  box: element("failure", HTMLElement),
  onGoBack(wasDevices) {
    if (!wasDevices || document.body.dataset.view !== "front") showFront();
  },
});

const tiles = new Tiles(page.tiles, element("screens", HTMLElement), {
  onMute: (participantId) => room?.moderator.mute(participantId),
  onMore(participantId, anchor) {
    const participant = room?.participants.find(({ id }) => id === participantId);
    if (room && participant) openMenu(anchor, actions(room, participant), tellProblem);
  },
  onBlocked(media) {
    silent.add(media);
    page.hear.hidden = false;
  },
});

const host = hostBar({ bar: element("host", HTMLElement), badge: element("session-state", HTMLElement), onProblem: tellProblem });

const mine = myRoom({
  panel: element("my-room", HTMLElement),
  api() {
    Object.assign(memory, { name: page.name.value.trim() || memory.name });
    if (memory.name || memory.token) return new Api(apiToken);
    page.name.focus();
    tell("Say who you are first: your room is yours by your name.");
    return null;
  },
  onEnter(name) {
    // A token is for one room: a backend gives another one for this.
    Object.assign(memory, { room: name, role: memory.token ? memory.role : "host" });
    remember(memory);
    void enter();
  },
  onProblem: tellProblem,
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
    // With the development server: to be the same person in two tabs.
    identity: query.get("identity") ?? undefined,
  };
  const isSomebodyElse = Object.entries(asked).some(([key, value]) => value !== undefined && value !== memory[/** @type {"name"} */ (key)]);
  if (isSomebodyElse) {
    Object.assign(memory, { resumeToken: undefined, isInRoom: false, handRaised: false });
    if (token || (asked.name !== undefined && asked.name !== memory.name)) memory.identity = undefined;
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
  clearTimeout(stepsTimer);
  const mine = (attempt = new AbortController());
  failure.hide();
  try {
    // Begun before anything is drawn: the server is asked meanwhile.
    const joining = withSteps(element("steps", HTMLElement), mine.signal, async (onStep, signal, onWaiting) => {
      if (started) await Promise.race([started, new Promise((resolve) => setTimeout(resolve, PERMISSION_LIMIT_MS))]);
      return join({
        token: fetchToken,
        room: memory.room,
        devices,
        ...(prepared && { prepared }),
        handRaised: memory.handRaised ?? false,
        ...(memory.resumeToken && { resumeToken: memory.resumeToken }),
        onStep,
        onRoom(entered) {
          if (!mine.signal.aborted) showRoom(entered);
        },
        signal,
        onWaiting(waiting) {
          onWaiting();
          showWaiting(waiting);
        },
        onResumeToken: rememberStay,
      });
    });
    prepared = null;
    const isFromFront = !started && document.body.dataset.view === "front";
    if (isFromFront) stepsTimer = setTimeout(() => setView("connecting"), STEPS_AFTER_MS);
    else setView("connecting");
    setStatus("connecting", "Connecting…");
    const joined = await joining;
    if (mine.signal.aborted) joined.leave();
  } catch (error) {
    if (mine.signal.aborted) return;
    leaveRoom();
    setView("failed");
    setStatus("failed", "Not connected");
    failure.show(asPlenumError(error), () => void enter());
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

/** Who one is, to the HTTP API: the same person as in the room. @returns {Promise<string>} */
async function apiToken() {
  if (memory.token) return memory.token;
  const { name, role } = memory;
  const person = { name, role, room: memory.room || name, ...(memory.identity && { identity: memory.identity }) };
  const { token, identity } = await developmentToken(person);
  memory.identity = identity;
  remember(memory);
  return token;
}

/** @param {string} resumeToken */
function rememberStay(resumeToken) {
  Object.assign(memory, { resumeToken, isInRoom: true });
  remember(memory);
}

/** Outside, until the session is live or somebody lets us in. @param {Waiting} waiting */
function showWaiting({ room }) {
  const { name, state, host, settings } = room;
  setView("waiting");
  setStatus("waiting", "Waiting");
  document.title = `${name} · Plenum`;
  element("waiting-title", HTMLElement).textContent = settings.title || name;
  const leader = host?.present ? "The host is here." : host ? "The host is not here yet." : "";
  const text = {
    idle: `The room is not live yet. ${leader}`,
    scheduled: `${describeRoom(room)}. ${leader}`,
    lobby: `The lobby is open; it begins soon. ${leader}`,
    live: "The session is live. A moderator has been asked to let you in.",
  }[state];
  element("waiting-text", HTMLElement).textContent = text.trim();
}

/** @param {Room} joined */
function showRoom(joined) {
  room = joined;
  showAddress();
  setView("room");
  const update = onNextFrame(() => {
    if (room !== joined) return;
    tiles.update(joined);
    host.update(joined);
    self.render();
    renderRoom(joined);
  });
  joined.on("track", (track) => {
    const shown = tiles.attach(track);
    if (shown) joined.showIn(track.publication.id, shown);
    update();
  });
  joined.on("track-removed", (track) => {
    tiles.detach(track);
    update();
  });
  joined.on("change", update);
  joined.on("status", () => {
    if (joined.status === "connected" && document.body.dataset.view === "waiting") setView("room");
    renderStatus(joined);
  });
  joined.on("muted-by", ({ source, participant }) => {
    tell(`${participant?.name ?? "A moderator"} turned your ${source === "microphone" ? "microphone" : "camera"} off.`);
  });
  joined.on("unmute-asked", ({ source, participant }) => {
    tell(`${participant?.name ?? "A moderator"} asks you to turn your ${source === "camera" ? "camera" : "microphone"} on.`);
  });
  joined.on("problem", tellProblem);
  // The session ended while the connection was lost: outside again, until it is live.
  joined.on("waiting", (waiting) => showWaiting(waiting));
  joined.on("ended", (error) => {
    leaveRoom();
    setView("failed");
    setStatus("ended", "Not connected");
    // An unknown end is the server's doing: say that, and what it said.
    const isKnown = describe(error.code) !== describe("internal");
    failure.show(isKnown ? error : new PlenumError("disconnected", error.message), () => void enter());
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
      if (failure.code === "server_gone") failure.hide();
      return;
    case "connecting":
      return setStatus("connecting", "Connecting…");
    case "interrupted":
      return setStatus("interrupted", "Sound and picture interrupted. Reconnecting…");
    case "reconnecting":
      setStatus("reconnecting", "Connection lost. Reconnecting…");
      goneTimer = setTimeout(() => failure.show(new PlenumError("server_gone"), () => joined.reconnectNow()), GONE_AFTER_MS);
      return;
  }
}

/** Back to the front page; with a room, that is leaving it. */
function showFront() {
  attempt.abort();
  failure.hide();
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

/** @param {"front" | "connecting" | "waiting" | "room" | "failed"} view */
function setView(view) {
  clearTimeout(stepsTimer);
  stepsTimer = undefined;
  document.body.dataset.view = view;
  const inRoom = view === "room";
  const place = element("preview-place", HTMLElement);
  (inRoom ? page.tiles : place).append(page.self);
  if (inRoom) document.body.append(page.controls);
  else place.append(page.controls);
  toggleDevicePanel(false);
  if (view === "front") {
    prepared ??= new Prepared();
    rooms.show();
    mine.refresh();
  } else {
    rooms.hide();
  }
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

/** A device that was asked for and is not there: said, while everything else goes on. */
function showDeviceFailure() {
  const found = devices.failure("camera") ?? devices.failure("microphone");
  const view = document.body.dataset.view;
  if (view !== "front" && view !== "room") return;
  if (found) failure.show(found, () => void devices.start({ camera: true, microphone: true }), true);
  else if (failure.isAboutDevices) failure.hide();
}

/** What could not be done, as a passing remark. @param {unknown} error */
function tellProblem(error) {
  const { sentence, advice } = describe(asPlenumError(error).code);
  tell(`${sentence} ${advice}`);
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
    if (!chosen.name || !chosen.room || stepsTimer !== undefined) return;
    const isSame = chosen.name === memory.name && chosen.room === memory.room && chosen.role === memory.role;
    // A token is for one room and one person: with other words in the form it is not meant.
    if (!isSame) memory.token = undefined;
    if (chosen.name !== memory.name) memory.identity = undefined;
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
  element("cancel", HTMLButtonElement).addEventListener("click", showFront);
  element("leave", HTMLButtonElement).addEventListener("click", showFront);
  element("leave-waiting", HTMLButtonElement).addEventListener("click", showFront);
  element("toggle-devices", HTMLButtonElement).addEventListener("click", () => {
    toggleDevicePanel(!page.controls.classList.contains("with-devices"));
  });
  page.share.addEventListener("click", () => {
    if (room?.screen) return room.stopScreen();
    room?.shareScreen().catch(tellProblem);
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
