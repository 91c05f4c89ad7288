// Takes docs/images/room.png: a class of six in a running room, in a real browser. `make screenshot` runs it.
// The people are drawn: a fake camera gives everybody the same test picture.

import { fileURLToPath } from "node:url";
import { launchChromium, openPage, status, until, untilTiles, videoOf } from "../../web-demo/tests/support/browser.js";
import { startServer } from "../../web-demo/tests/support/server.js";

const PEOPLE = [
  { name: "Ada Lovelace", role: "tutor", wall: "#33415c", shirt: "#7b2d43", hair: "#3b2618" },
  { name: "Alan Turing", role: "student", wall: "#46523c", shirt: "#28415c", hair: "#20160f" },
  { name: "Grace Hopper", role: "student", wall: "#5c4a33", shirt: "#1f2a44", hair: "#8a8580" },
  { name: "Emmy Noether", role: "student", wall: "#3c4a52", shirt: "#4a6151", hair: "#4d3423" },
  { name: "Edsger Dijkstra", role: "student", wall: "#54415c", shirt: "#5e5a52", hair: "#6b5a45" },
  { name: "Barbara Liskov", role: "student", wall: "#2f5452", shirt: "#8c5a2b", hair: "#5c4433" },
];

/** In the page: a camera that shows somebody in front of a wall. @param {{ wall: string, shirt: string, hair: string }} colours */
function drawnCamera({ wall, shirt, hair }) {
  const devices = navigator.mediaDevices;
  const ask = devices.getUserMedia.bind(devices);
  devices.getUserMedia = async (wanted) => {
    const stream = await ask(wanted);
    const [camera] = stream.getVideoTracks();
    if (!camera) return stream;
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 360 });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    const ellipse = (/** @type {string} */ colour, /** @type {number[]} */ [x = 0, y = 0, width = 0, height = 0]) => {
      context.fillStyle = colour;
      context.beginPath();
      context.ellipse(x, y, width, height, 0, 0, 2 * Math.PI);
      context.fill();
    };
    setInterval(() => {
      const sway = 6 * Math.sin(performance.now() / 900);
      const light = context.createLinearGradient(0, 0, 640, 360);
      light.addColorStop(0, wall);
      light.addColorStop(1, "#14161a");
      context.fillStyle = light;
      context.fillRect(0, 0, 640, 360);
      ellipse(shirt, [320 + sway / 2, 390, 150, 130]);
      ellipse("#c99a78", [320 + sway, 255, 34, 50]);
      ellipse(hair, [320 + sway, 165, 82, 92]);
      ellipse("#d8aa88", [320 + sway, 182, 66, 80]);
      for (const side of [-24, 24]) ellipse("#2a1d16", [320 + sway * 1.2 + side, 172, 6, 7]);
      ellipse("#a5645a", [320 + sway * 1.2, 222, 20, 5 + Math.abs(sway) / 3]);
    }, 66);
    stream.removeTrack(camera);
    camera.stop();
    const [drawn] = canvas.captureStream(15).getVideoTracks();
    if (drawn) stream.addTrack(drawn);
    return stream;
  };
}

const target = process.argv[2] ?? fileURLToPath(new URL("room.png", import.meta.url));
const server = await startServer();
const browser = await launchChromium(["--hide-scrollbars"]);
try {
  const pages = [];
  for (const { name, role, ...colours } of PEOPLE) {
    const scripts = [`(${drawnCamera})(${JSON.stringify(colours)})`];
    const page = await openPage(browser, server, { room: "History of computing", name, role, fullCamera: true, scripts });
    await status(page, "connected");
    pages.push(page);
  }
  const [tutor, , grace] = pages;
  if (!tutor || !grace) throw new Error("nobody came");
  await tutor.setViewportSize({ width: 1280, height: 800 });
  await grace.getByTestId("raise-hand").click();
  const others = PEOPLE.slice(1).map(({ name }) => name);
  await untilTiles(tutor, others);
  for (const name of others) {
    await until(`${name} is seen`, () => tutor.locator(videoOf(name)).evaluate((video) => /** @type {HTMLVideoElement} */ (video).videoWidth), (width) => width >= 320);
  }
  // For the encoders to find their bitrate: the first second is coarse.
  await new Promise((resolve) => setTimeout(resolve, 5_000));
  await tutor.screenshot({ path: target });
  console.log(target);
} finally {
  await browser.close();
  await server.stop();
}
