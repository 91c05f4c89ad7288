// The table, and the graph, of one room's capacity on one worker and on two, from the ramps that bench/spill made.
// Usage: node bench/spill.js PERCENT ONE.json TWO.json [GRAPH.svg]
const { readFileSync, writeFileSync } = require("node:fs");

const [percent, one, two, graph] = process.argv.slice(2);
if (!two) {
  console.error("usage: node bench/spill.js PERCENT ONE.json TWO.json [GRAPH.svg]");
  process.exit(1);
}
const ramps = [one, two].map((file) => JSON.parse(readFileSync(file, "utf8")).ramp);
const COLOURS = ["#2b6cb0", "#c05621"];
const WORKERS = ["one worker", "two workers"];

const figure = (value, digits) =>
  value === null
    ? "–"
    : value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });

/** How it went on: what ended the ramp may have been the load itself. */
function capacity({ capacity, limit }) {
  if (capacity === null) return "none";
  return limit === "server" ? `${capacity}` : `at least ${capacity}`;
}

function outcome(step) {
  if (!step.valid) return "load too late";
  return step.gate_passed ? "yes" : `${figure((100 * (step.offered - step.delivered)) / step.offered, 1)} % missing`;
}

const lines = [
  `Each worker has ${percent} % of a core. Capacity, the most subscribers to whom every packet came: one worker ${capacity(ramps[0])}, two workers ${capacity(ramps[1])}.`,
  "",
  "| workers | subscribers | every packet came | delay p99, ms | CPU, µs/packet |",
  "|--------:|------------:|-------------------|--------------:|---------------:|",
];
ramps.forEach((ramp, number) => {
  for (const step of ramp.steps) {
    const cells = [number + 1, step.subscribers, outcome(step), figure(step.delay_p99_ms, 1), figure(step.server_cpu_us_per_packet, 2)];
    lines.push(`| ${cells.join(" | ")} |`);
  }
});
if (graph) {
  writeFileSync(graph, drawing());
  lines.push("", "![Share of packets that came, over the number of subscribers, on one worker and on two](images/spill.svg)");
}
console.log(lines.join("\n"));

/** The share of the packets that came, over the subscribers. */
function drawing() {
  const [width, height, left, top, right] = [760, 240, 56, 34, 740];
  const steps = ramps.flatMap((ramp) => ramp.steps);
  const most = Math.max(...steps.map((step) => step.subscribers)) * 1.05;
  const least = Math.min(0.9, ...steps.map((step) => step.delivered / step.offered));
  const across = (subscribers) => left + ((right - left) * subscribers) / most;
  const up = (share) => top + (height * (1 - share)) / (1 - least);
  const text = (x, y, words, more = "") => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${words}</text>`;
  const parts = [1, (1 + least) / 2, least].map(
    (share) =>
      `<line x1="${left}" x2="${right}" y1="${up(share)}" y2="${up(share)}" stroke="#ddd"/>` +
      text(left - 8, up(share) + 4, `${(100 * share).toFixed(0)} %`, 'text-anchor="end"'),
  );
  for (let mark = 0; mark <= most; mark += 50) {
    parts.push(text(across(mark), top + height + 20, mark, 'text-anchor="middle"'));
  }
  ramps.forEach((ramp, number) => {
    const colour = COLOURS[number];
    const points = ramp.steps.map((step) => [across(step.subscribers), up(step.delivered / step.offered)]);
    parts.push(`<polyline fill="none" stroke="${colour}" stroke-width="2" points="${points.map((at) => at.map((one) => one.toFixed(1)).join(",")).join(" ")}"/>`);
    for (const [x, y] of points) parts.push(`<circle cx="${x.toFixed(1)}" cy="${y.toFixed(1)}" r="3.5" fill="${colour}"/>`);
    parts.push(text(left + 12 + 130 * number, top - 14, WORKERS[number], `fill="${colour}" font-weight="bold"`));
  });
  parts.push(text(right, top + height + 40, "subscribers", 'text-anchor="end"'));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + height + 52}" font-family="sans-serif" font-size="12" fill="#333"><rect width="100%" height="100%" fill="#fff"/>${parts.join("")}</svg>\n`;
}
