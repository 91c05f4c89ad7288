// One table of JSON reports of plenum-load: node bench/table.js REPORT.json… Reports of the same load and
// server (LOAD-SERVER-ROUND.json) make one row, of the medians over their valid runs. A dash is what was not
// measured.
const fs = require("node:fs");
const path = require("node:path");

const columns = {
  load: (row) => row.load,
  server: (row) => row.reports[0].server.name,
  "exact delivery": (row) => verdict(row),
  "packets/s": (row) => median(row, (report) => report.delivery.packets_per_second, 0),
  "lost, %": (row) => median(row, ({ delivery }) => (100 * delivery.lost) / delivery.offered, 2),
  "delay p50, ms": (row) => median(row, (report) => report.delay_ms.p50, 2),
  "p99, ms": (row) => median(row, (report) => report.delay_ms.p99, 1),
  "CPU, µs/packet": (row) => median(row, (report) => report.server.cpu_us_per_forwarded_packet, 2),
  "packets/s per core": (row) => median(row, (report) => report.server.packets_per_second_per_core, 0),
  "kB/subscriber": (row) => median(row, (report) => perSubscriber(report.server), 0),
  "connected p95, ms": (row) => median(row, (report) => report.connected_ms.p95, 0),
  "first key frame p95, ms": (row) => median(row, (report) => report.first_key_frame_ms.p95, 0),
};

function perSubscriber(server) {
  return server.rss_bytes_per_subscriber === null ? null : server.rss_bytes_per_subscriber / 1000;
}

/** How the runs went; what an invalid one says is not said of the server. */
function verdict({ reports }) {
  const valid = reports.filter((report) => report.generator.valid);
  const exact = valid.filter((report) => report.delivery.gate_passed);
  const invalid = reports.length - valid.length;
  const words = `${exact.length} of ${valid.length}`;
  return invalid === 0 ? words : `${words} (${invalid} invalid)`;
}

function median({ reports }, figure, digits) {
  const valid = reports.filter((report) => report.generator.valid);
  const figures = valid.map(figure).filter((value) => value !== null && value !== undefined);
  if (figures.length === 0) return "–";
  figures.sort((a, b) => a - b);
  const middle = figures.length >> 1;
  const value = figures.length % 2 ? figures[middle] : (figures[middle - 1] + figures[middle]) / 2;
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

const rows = new Map();
for (const file of process.argv.slice(2)) {
  const report = JSON.parse(fs.readFileSync(file, "utf8"));
  const load = path.basename(file, ".json").replace(/-(plenum|janus)-\d+$/, "");
  const key = `${load} ${report.server.name}`;
  const row = rows.get(key) ?? { load, reports: [] };
  row.reports.push(report);
  rows.set(key, row);
}

const heads = Object.keys(columns);
const cells = [...rows.values()].map((row) => Object.values(columns).map((column) => column(row)));
const widths = heads.map((head, at) => Math.max(head.length, ...cells.map((row) => row[at].length)));
// Words to the left, figures to the right.
const words = 3;
const pad = (cell, at) => (at < words ? cell.padEnd(widths[at]) : cell.padStart(widths[at]));
const rule = (width, at) => (at < words ? "-".repeat(width + 2) : `${"-".repeat(width + 1)}:`);
console.log(`| ${heads.map(pad).join(" | ")} |`);
console.log(`|${widths.map(rule).join("|")}|`);
for (const row of cells) console.log(`| ${row.map(pad).join(" | ")} |`);
