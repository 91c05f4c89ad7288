// Whether a server's memory and descriptors stayed flat in a run of plenum-load: the last fifth of the run
// against the second, when the first rooms and pools are made. Ends non-zero when they did not.
// Usage: node bench/flat.js REPORT.json [PLOT.svg]    with the plot it prints Markdown

const { readFileSync, writeFileSync } = require("node:fs");

const [file, plot] = process.argv.slice(2);
if (!file) {
  console.error("usage: node bench/flat.js REPORT.json [PLOT.svg]");
  process.exit(1);
}
const report = JSON.parse(readFileSync(file, "utf8"));
const { seconds } = report;

/** What may be more at the end, as a share and in itself: whichever is more. */
const TOLERANCES = [
  { name: "memory, MB", of: ({ server_rss_bytes }) => server_rss_bytes / 1e6, share: 0.1, itself: 4, colour: "#2b6cb0" },
  { name: "descriptors", of: ({ server_descriptors }) => server_descriptors, share: 0.1, itself: 10, colour: "#c05621" },
];

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const fifth = (at) => seconds.slice((at * seconds.length) / 5, ((at + 1) * seconds.length) / 5);

const found = TOLERANCES.map((tolerance) => {
  const [early, late] = [1, 4].map((at) => median(fifth(at).map(tolerance.of)));
  const { share, itself } = tolerance;
  return { ...tolerance, early, late, isFlat: late - early <= Math.max(share * early, itself) };
});

if (plot) {
  writeFileSync(plot, drawing(found));
  console.log(markdown(found));
} else {
  for (const { name, early, late, isFlat } of found) {
    console.log(`${name}: ${early.toFixed(1)} in the second fifth of ${seconds.length} s, ${late.toFixed(1)} in the last: ${isFlat ? "flat" : "GROWING"}`);
  }
}
process.exit(found.every(({ isFlat }) => isFlat) ? 0 : 1);

function markdown(found) {
  const { joined, asked } = report.participants;
  const { machine, delivery } = report;
  const minutes = Math.round(seconds.length / 60);
  const whole = (value) => value.toLocaleString("en-US");
  const lines = [
    `${minutes} minutes, ${whole(asked)} joins, ${whole(joined)} of them let in, on ${machine.cores} cores of ${machine.cpu}. Of ${whole(delivery.offered)} packets of sound ${whole(delivery.lost)} were lost.`,
    "",
    "| | second fifth | last fifth | |",
    "|---|---:|---:|---|",
  ];
  for (const { name, early, late, isFlat } of found) {
    lines.push(`| ${name} | ${early.toFixed(1)} | ${late.toFixed(1)} | ${isFlat ? "flat" : "growing"} |`);
  }
  return lines.join("\n");
}

/** One panel above the other, each from 0 to a little above its largest value, the minutes below. */
function drawing(found) {
  const [width, height, left, gap] = [760, 150, 56, 34];
  const right = width - 12;
  const panels = found.map(({ name, of, colour }, number) => {
    const top = number * (height + gap) + gap;
    const values = seconds.map(of);
    const most = Math.max(...values) * 1.15;
    const across = (at) => left + ((right - left) * at) / Math.max(1, values.length - 1);
    const up = (value) => top + height - (height * value) / most;
    // A point for every five seconds is as fine as the plot.
    const step = Math.max(1, Math.floor(values.length / 720));
    const points = values
      .map((value, at) => (at % step ? "" : `${across(at).toFixed(1)},${up(value).toFixed(1)}`))
      .filter(Boolean);
    const grid = [0, 0.5, 1].map((share) => {
      const value = (most / 1.15) * share;
      return `<line x1="${left}" x2="${right}" y1="${up(value)}" y2="${up(value)}" stroke="#ddd"/><text x="${left - 8}" y="${up(value) + 4}" text-anchor="end">${value.toFixed(0)}</text>`;
    });
    return `<text x="${left}" y="${top - 10}" font-weight="bold">${name}</text>${grid.join("")}<polyline fill="none" stroke="${colour}" stroke-width="1.5" points="${points.join(" ")}"/>`;
  });
  const bottom = found.length * (height + gap) + gap;
  const minutes = Math.floor(seconds.length / 60);
  const every = Math.max(1, Math.round(minutes / 6));
  const marks = Array.from({ length: Math.floor(minutes / every) + 1 }, (_, at) => {
    const x = left + ((right - left) * at * every * 60) / seconds.length;
    return `<text x="${x.toFixed(0)}" y="${bottom - 12}" text-anchor="middle">${at * every}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 8}" font-family="sans-serif" font-size="12" fill="#333"><rect width="100%" height="100%" fill="#fff"/>${panels.join("")}${marks.join("")}<text x="${right}" y="${bottom + 3}" text-anchor="end">minutes</text></svg>\n`;
}
