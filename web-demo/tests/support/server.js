// A Plenum server of one's own for a test: the release binary on free ports, and its end.

import { spawn } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ROOT = new URL("../../../", import.meta.url).pathname;
const START_LIMIT_MS = 60_000;

/**
 * @param {object} [options]
 * @param {string[]} [options.args] further arguments
 * @param {string} [options.config] the text of a configuration file
 * @param {string} [options.http]
 * @param {number} [options.udpPort] for media
 * @param {string} [options.dataDir] of an earlier server, to come back as; the caller's to remove
 * @returns {Promise<Server>}
 */
export async function startServer({ args = [], config, http = "127.0.0.1:0", udpPort = 0, dataDir } = {}) {
  const binary = process.env.TEST_BINARY ?? join(ROOT, "target/release/plenum");
  if (!existsSync(binary)) throw new Error(`${binary} is missing: run cargo build --release first`);
  const folder = mkdtempSync(join(tmpdir(), "plenum-test-"));
  if (config !== undefined) writeFileSync(join(folder, "plenum.toml"), config);
  const all = ["--http", http, "--udp-port", `${udpPort}`, "--data-dir", dataDir ?? folder, ...args];
  if (config !== undefined) all.push("--config", join(folder, "plenum.toml"));
  // What the surroundings configure must not change a test.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("PLENUM_")));
  const child = spawn(binary, all, { stdio: ["ignore", "pipe", "pipe"], env });
  let output = "";
  child.stdout.on("data", (data) => (output += data));
  child.stderr.on("data", (data) => (output += data));
  const ended = new Promise((resolve) => child.once("exit", resolve));

  /** @returns {Promise<string>} */
  const address = () =>
    new Promise((resolve, reject) => {
      const fail = (/** @type {string} */ why) => reject(new Error(`plenum ${why}:\n${output}`));
      const timer = setTimeout(() => fail("printed no address"), START_LIMIT_MS);
      const look = () => {
        const found = /listening on (http:\/\/\S+)/.exec(output);
        if (!found) return;
        clearTimeout(timer);
        resolve(found[1] ?? "");
      };
      child.stdout.on("data", look);
      void ended.then((code) => fail(`ended with ${code}`));
    });

  const origin = await address();
  return {
    origin,
    port: Number(new URL(origin).port),
    pid: child.pid ?? 0,
    output: () => output,
    /** May be asked again of one that has ended. */
    async stop(signal = "SIGTERM") {
      child.kill(signal);
      const timer = setTimeout(() => child.kill("SIGKILL"), 60_000);
      const code = await ended;
      clearTimeout(timer);
      rmSync(folder, { recursive: true, force: true });
      return code;
    },
  };
}

/**
 * @typedef {object} Server
 * @property {string} origin
 * @property {number} port
 * @property {number} pid
 * @property {() => string} output
 * @property {(signal?: NodeJS.Signals) => Promise<number | null>} stop
 */

export const KEY = "testkey";
export const SECRET = randomBytes(32).toString("hex");

/**
 * The configuration of a server that has keys, and so hands out no tokens itself.
 * @param {string} [more]
 */
export const withKeys = (more = "") => `${more}\n[keys]\n${KEY} = "${SECRET}"\n`;

/**
 * An access token as a backend makes it: a JWT signed by HS256.
 * @param {{ identity: string, name?: string, room?: string, role?: string, expiresIn?: number, grant?: object, secret?: string }} person
 */
export function accessToken({ identity, name = identity, room = "class", role = "student", expiresIn = 600, grant = {}, secret = SECRET }) {
  const now = Math.floor(Date.now() / 1000);
  const encode = (/** @type {object} */ part) => Buffer.from(JSON.stringify(part)).toString("base64url");
  const claims = {
    iss: KEY,
    sub: identity,
    name,
    nbf: now - 3_600,
    exp: now + expiresIn,
    video: { room, roomJoin: true, ...grant },
    attributes: { role },
  };
  const body = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${body}.${createHmac("sha256", secret).update(body).digest("base64url")}`;
}
