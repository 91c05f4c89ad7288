// Runs the test files (all, or those named) one after the other: a machine with two cores has no room for more browsers. A file that fails is
// run once more when all others are through, for a browser on a starved machine can miss what it is given a minute
// for; whoever fails twice has failed. What failed once is listed at the end, and is worth a look.

import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename } from "node:path";

const FOLDER = new URL("../", import.meta.url);

/** @param {string} file @returns {Promise<boolean>} whether all its tests passed */
const passes = (file) =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ["--test", new URL(file, FOLDER).pathname], { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => resolve(code === 0));
  });

/** Those that fail, of these. @param {string[]} files */
async function failing(files) {
  const failed = [];
  for (const file of files) if (!(await passes(file))) failed.push(file);
  return failed;
}

const all = readdirSync(FOLDER).filter((file) => file.endsWith(".test.js"));
const asked = process.argv.slice(2).map((file) => basename(file));
const once = await failing(asked.length > 0 ? asked : all.sort());
if (once.length > 0) console.log(`# failed once, and run again: ${once.join(", ")}`);
const twice = await failing(once);
const unsteady = once.filter((file) => !twice.includes(file));
if (unsteady.length > 0) console.log(`# passed only at the second time: ${unsteady.join(", ")}`);
if (twice.length > 0) console.log(`# failed twice: ${twice.join(", ")}`);
process.exitCode = twice.length > 0 ? 1 : 0;
