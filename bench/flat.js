// Whether a server's memory and descriptors stayed flat in a run of plenum-load: the last fifth of the run
// against the second, when the first rooms and pools are made. Ends non-zero when they did not.
// Usage: node bench/flat.js REPORT.json

const { readFileSync } = require("node:fs");

const [file] = process.argv.slice(2);
if (!file) {
  console.error("usage: node bench/flat.js REPORT.json");
  process.exit(1);
}
const { seconds } = JSON.parse(readFileSync(file, "utf8"));

/** What may be more at the end, as a share and in itself: whichever is more. */
const TOLERANCES = [
  { name: "memory, MB", of: ({ server_rss_bytes }) => server_rss_bytes / 1e6, share: 0.1, itself: 4 },
  { name: "descriptors", of: ({ server_descriptors }) => server_descriptors, share: 0.1, itself: 10 },
];

const median = (values) => values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const fifth = (at) => seconds.slice((at * seconds.length) / 5, ((at + 1) * seconds.length) / 5);

let isFlat = true;
for (const { name, of, share, itself } of TOLERANCES) {
  const [early, late] = [1, 4].map((at) => median(fifth(at).map(of)));
  const isWithin = late - early <= Math.max(share * early, itself);
  isFlat &&= isWithin;
  console.log(`${name}: ${early.toFixed(1)} in the second fifth of ${seconds.length} s, ${late.toFixed(1)} in the last: ${isWithin ? "flat" : "GROWING"}`);
}
process.exit(isFlat ? 0 : 1);
