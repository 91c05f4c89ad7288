// Makes chromium.txt: the beginnings of RTP packets as Chromium sends them, one codec after the other, with what its
// own encoder says of each frame. Chromium writes its packets into its log before it encrypts them; no server is needed.
// Usage: node crates/media/tests/payloads/capture.js     (after `npm ci` in web-demo)

import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "../../../../web-demo/node_modules/playwright-core/index.mjs";

/** Codec, scalability mode, and the size of the picture. */
const STREAMS = [
  ["video/VP8", undefined, 640, 360],
  ["video/VP8", "L1T3", 320, 180],
  ["video/H264", undefined, 640, 360],
  ["video/VP9", undefined, 640, 360],
  ["video/VP9", "L1T3", 320, 180],
  ["video/VP9", "L3T3_KEY", 1280, 720],
  ["video/AV1", undefined, 640, 360],
  ["video/AV1", "L1T3", 320, 180],
  ["video/AV1", "L2T2", 1280, 720],
];
/** Of each packet's payload; behind it is nothing that a forwarder reads. */
const PAYLOAD_BYTES = 48;
/** Of a frame the first packets and the last, and so many frames: the first, and those around a later key frame. */
const FRAMES = 5;

const profile = mkdtempSync(join(tmpdir(), "capture-"));
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--remote-debugging-port=0",
  `--user-data-dir=${profile}`,
  "--enable-logging=stderr",
  "--vmodule=*/webrtc/pc/*=4",
  "--force-fieldtrials=WebRTC-Debugging-RtpDump/Enabled/",
];
const executable = process.env.CHROMIUM ?? execFileSync("sh", ["-c", "command -v chromium"]).toString().trim();
const child = spawn(executable, [...flags, "about:blank"], { stdio: ["ignore", "ignore", "pipe"] });
let log = "";
child.stderr.setEncoding("utf8").on("data", (text) => (log += text));
const endpoint = await until(() => /DevTools listening on (ws:\S+)/.exec(log)?.[1]);
const browser = await chromium.connectOverCDP(endpoint);
try {
  const version = browser.version();
  const lines = [
    "# What Chromium sends, written by capture.js. A stream: codec, the number of the dependency descriptor's extension.",
    "# A frame: what the encoder says of it, and its size. A packet: its beginning, from the RTP header on.",
    `# Chromium ${version}`,
  ];
  for (const [codec, mode, width, height] of STREAMS) lines.push(...(await stream(codec, mode, width, height)));
  writeFileSync(new URL("chromium.txt", import.meta.url), `${lines.join("\n")}\n`);
} finally {
  await browser.close();
  const ended = new Promise((resolve) => child.once("exit", resolve));
  child.kill();
  await ended;
  rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
}

/** @template Value @param {() => Value | undefined} look @returns {Promise<Value>} */
async function until(look) {
  for (let tries = 0; tries < 300; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("Chromium did not start");
}

/** @param {string} codec @param {string | undefined} mode @param {number} width @param {number} height */
async function stream(codec, mode, width, height) {
  const context = await browser.newContext();
  const page = await context.newPage();
  const start = log.length;
  const told = await page.evaluate(send, { codec, mode, width, height });
  await new Promise((resolve) => setTimeout(resolve, 500));
  await context.close();
  const packets = log
    .slice(start)
    .split("\n")
    .flatMap((line) => /(?:^|\s)O [\d:.]+ 0000 ([\da-f ]+?)\s*# RTP_DUMP/.exec(line)?.[1] ?? [])
    .map((hex) => read(Buffer.from(hex.replaceAll(" ", ""), "hex")))
    .filter(({ ssrc, payload }) => ssrc === told.ssrc && payload > 0);
  const stamps = [...new Set(packets.map(({ timestamp }) => timestamp))];
  const pictures = [...new Set(told.frames.map(({ timestamp }) => timestamp))];
  const isKey = (/** @type {number} */ index) => told.frames.some(({ timestamp, type }) => timestamp === pictures[index] && type === "key");
  const later = stamps.findIndex((_, index) => index > 5 && isKey(index));
  if (later < 0) throw new Error(`${codec} ${mode}: no second key frame`);
  const chosen = [0, 1, 2, ...Array.from({ length: FRAMES }, (_, index) => later - 2 + index)];
  const lines = [`stream ${codec} ${mode ?? "-"} ${told.descriptor}`];
  for (const index of chosen) {
    const { type, metadata } = told.frames.find(({ timestamp }) => timestamp === pictures[index]) ?? {};
    const top = told.frames.filter(({ timestamp }) => timestamp === pictures[index]).at(-1)?.metadata;
    if (!type) continue;
    lines.push(`frame ${isKey(index) ? "key" : "delta"} ${metadata.width}x${metadata.height} ${top.width}x${top.height}`);
    const its = packets.filter(({ timestamp }) => timestamp === stamps[index]);
    const some = its.filter((_, at) => at < 2 || at === its.length - 1);
    for (const packet of some) lines.push(packet.head);
  }
  return lines;
}

/** @param {Buffer} packet */
function read(packet) {
  const hasExtensions = (packet[0] ?? 0) & 0x10;
  const header = 12 + 4 * ((packet[0] ?? 0) & 0x0f);
  const body = hasExtensions ? header + 4 + 4 * packet.readUInt16BE(header + 2) : header;
  const padding = (packet[0] ?? 0) & 0x20 ? (packet.at(-1) ?? 0) : 0;
  // Marked as not padded: what follows is cut off.
  const head = Buffer.from(packet.subarray(0, body + PAYLOAD_BYTES));
  head[0] = (head[0] ?? 0) & ~0x20;
  return {
    ssrc: packet.readUInt32BE(8),
    timestamp: packet.readUInt32BE(4),
    payload: packet.length - body - padding,
    head: head.toString("hex"),
  };
}

/** In the page: a moving picture, sent to a second connection; what the encoder says of its frames. */
async function send({ codec, mode, width, height }) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = canvas.getContext("2d");
  let count = 0;
  const timer = setInterval(() => {
    pen.fillStyle = `hsl(${(count * 7) % 360} 60% 50%)`;
    pen.fillRect(0, 0, width, height);
    pen.fillStyle = "white";
    pen.font = "80px sans-serif";
    pen.fillText(`picture ${count++}`, 20 + (count % 60), height / 2);
  }, 100);
  const from = new RTCPeerConnection({ encodedInsertableStreams: true });
  const to = new RTCPeerConnection();
  from.onicecandidate = ({ candidate }) => void to.addIceCandidate(candidate);
  to.onicecandidate = ({ candidate }) => void from.addIceCandidate(candidate);
  const transceiver = from.addTransceiver(canvas.captureStream(10).getVideoTracks()[0], {
    direction: "sendonly",
    sendEncodings: [{ ...(mode && { scalabilityMode: mode }), maxBitrate: 400_000 }],
  });
  const all = RTCRtpSender.getCapabilities("video").codecs;
  const is = (one) => one.mimeType === codec && !/packetization-mode=0|profile-id=2/.test(one.sdpFmtpLine ?? "");
  transceiver.setCodecPreferences([...all.filter(is), ...all.filter((one) => /rtx/.test(one.mimeType))]);
  const frames = [];
  const { readable, writable } = transceiver.sender.createEncodedStreams();
  const watch = new TransformStream({
    transform(frame, controller) {
      const { width, height } = frame.getMetadata();
      frames.push({ type: frame.type, timestamp: frame.timestamp, metadata: { width, height } });
      controller.enqueue(frame);
    },
  });
  void readable.pipeThrough(watch).pipeTo(writable);
  await from.setLocalDescription(await from.createOffer());
  await to.setRemoteDescription(from.localDescription);
  await to.setLocalDescription(await to.createAnswer());
  await from.setRemoteDescription(to.localDescription);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  await pause(3_000);
  const parameters = transceiver.sender.getParameters();
  await transceiver.sender.setParameters(parameters, { encodingOptions: [{ keyFrame: true }] });
  await pause(3_000);
  clearInterval(timer);
  const sdp = from.localDescription.sdp;
  const answered = to.localDescription.sdp;
  const ssrc = Number(/a=ssrc:(\d+)/.exec(sdp)[1]);
  const descriptor = Number(/a=extmap:(\d+) \S*dependency-descriptor/.exec(answered)?.[1] ?? 0);
  from.close();
  to.close();
  return { frames, ssrc, descriptor };
}
