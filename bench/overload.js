// One overload of a server, and the table of several. It is started by bench/overload, within bench/with.
// Usage: node bench/overload.js run REPORT.json
//        node bench/overload.js table REPORT.json…
const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");

/** Seconds that are counted, and in which of them there is other work on the server's core. */
const SECONDS = 45;
const BUSY_FROM = 5;
const BUSY_UNTIL = 25;
const SUBSCRIBERS = process.env.OVERLOAD_SUBSCRIBERS ?? "200";
const HOGS = Number(process.env.OVERLOAD_HOGS ?? 4);
const SERVER_CORE = process.env.BENCH_SERVER_CORE ?? "0";
const LOAD_CORE = process.env.BENCH_LOAD_CORE ?? "1";
/** How often the server's metrics are read. */
const LOOK_MS = 250;

const COUNTERS = {
  kernel_dropped: "plenum_udp_kernel_dropped_datagrams_total",
  left_out_frames: "plenum_overload_dropped_frames_total",
  overflowed: "plenum_udp_overflowed_datagrams_total",
};
const LEFT_OUT = 'plenum_worker_left_out_percent{worker="0"}';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Other work, as much as it can get, beside the server. */
function hog() {
  return spawn("taskset", ["--cpu-list", SERVER_CORE, "sh", "-c", "while :; do :; done"], { stdio: "ignore" });
}

function value(page, name) {
  const line = page.split("\n").find((line) => line.startsWith(`${name} `));
  return line === undefined ? null : Number(line.slice(name.length + 1));
}

async function look(url) {
  const response = await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) });
  const page = await response.text();
  const looked = { left_out_percent: value(page, LEFT_OUT) };
  for (const [key, name] of Object.entries(COUNTERS)) looked[key] = value(page, name);
  return looked;
}

/** The server's metrics from now on, each with the seconds since. */
function watch(url) {
  const began = performance.now();
  const looks = [];
  let goesOn = true;
  const done = (async () => {
    while (goesOn) {
      const at = (performance.now() - began) / 1_000;
      // A server without a moment to answer has no figures for that moment.
      const figures = await look(url).catch(() => null);
      if (figures) looks.push({ at, ...figures });
      await sleep(LOOK_MS);
    }
  })();
  return { looks, end: () => ((goesOn = false), done) };
}

async function run(report) {
  const flags = process.env.SERVER_FLAGS.split(" ");
  const url = flags[flags.indexOf("--url") + 1];
  const load = ["--scenario", "fanout", "--media", "both", "--bitrate", "4000000", "--subscribers", SUBSCRIBERS, "--join-rate", "100"];
  const tester = spawn(
    "taskset",
    ["--cpu-list", LOAD_CORE, "target/release/plenum-load", "run", ...load, "--duration", `${SECONDS}`, "--json", report, ...flags],
    { stdio: ["ignore", "inherit", "pipe"] },
  );
  const ended = new Promise((resolve) => tester.on("exit", resolve));
  let told = "";
  const counting = new Promise((resolve) => {
    tester.stderr.on("data", (data) => {
      process.stderr.write(data);
      told += data;
      if (told.includes("counting for")) resolve(true);
    });
    ended.then(() => resolve(false));
  });
  if (!(await counting)) process.exit(1);
  const watched = watch(url);
  await sleep(BUSY_FROM * 1_000);
  const hogs = Array.from({ length: HOGS }, hog);
  await Promise.race([sleep((BUSY_UNTIL - BUSY_FROM) * 1_000), ended]);
  hogs.forEach((process) => process.kill("SIGKILL"));
  const status = await ended;
  await watched.end();
  // 2: packets are missing, as they are to; 3: the generator was late, and the table says so.
  if (![0, 2, 3].includes(status)) process.exit(status ?? 1);
  fs.writeFileSync(report.replace(/\.json$/, ".metrics.json"), `${JSON.stringify(watched.looks, null, 1)}\n`);
}

/** What the metrics say: when something was left out first and last, how much at most, how often that turned. */
function story(looks) {
  const parts = looks.map((look) => look.left_out_percent ?? 0);
  const during = looks.filter((look) => look.left_out_percent > 0);
  let [turns, direction] = [0, 0];
  for (let at = 1; at < parts.length; at++) {
    const change = Math.sign(parts[at] - parts[at - 1]);
    if (change === 0) continue;
    turns += direction !== 0 && change !== direction ? 1 : 0;
    direction = change;
  }
  const growth = (key) => looks.at(-1)[key] - looks[0][key];
  return {
    most: Math.max(...parts),
    after: during.length ? during[0].at - BUSY_FROM : null,
    over: during.length && parts.at(-1) === 0 ? during.at(-1).at - BUSY_UNTIL : null,
    turns,
    frames: growth("left_out_frames"),
    kernel: growth("kernel_dropped"),
  };
}

function table(reports) {
  const figure = (value, digits) =>
    value === null || value === undefined
      ? "–"
      : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  const rows = reports.map((file) => {
    const { sound, pictures, generator } = JSON.parse(fs.readFileSync(file, "utf8"));
    const looks = JSON.parse(fs.readFileSync(file.replace(/\.json$/, ".metrics.json"), "utf8"));
    const { most, after, over, turns, frames, kernel } = story(looks);
    return [
      path.basename(file, ".json").startsWith("other") ? "leaves nothing out" : "as it is",
      generator.valid ? "yes" : `no: ${figure(generator.max_lag_ms, 0)} ms late`,
      figure((100 * sound.lost) / sound.offered, 2),
      figure(sound.delay_p50_ms, 1),
      figure(sound.delay_p99_ms, 0),
      figure(sound.delay_max_ms, 0),
      figure(pictures.whole, 0),
      figure(pictures.broken, 0),
      figure(frames, 0),
      figure(kernel, 0),
      figure(most, 0),
      figure(after, 1),
      figure(over, 1),
      figure(turns, 0),
    ];
  });
  const heads = [
    "Plenum", "generator in time", "sound lost, %", "delay of sound p50, ms", "p99, ms", "max, ms", "frames shown",
    "frames broken", "left out by Plenum", "dropped by the kernel", "left out at most, %", "begins after, s",
    "over after, s", "turns",
  ];
  const line = (cells) => `| ${cells.join(" | ")} |`;
  console.log([line(heads), line(heads.map((_, at) => (at < 2 ? "---" : "---:"))), ...rows.map(line)].join("\n"));
}

const [what, ...files] = process.argv.slice(2);
if (what === "run" && files.length === 1) run(files[0]);
else if (what === "table" && files.length > 0) table(files);
else {
  console.error("usage: node bench/overload.js run REPORT.json | table REPORT.json…");
  process.exit(1);
}
