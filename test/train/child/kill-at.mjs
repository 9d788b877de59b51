// Preloaded into stein: kills the process by SIGKILL in the middle of what it does to a file, at the n-th time that it
// does it. KILL_AT: "writeSync checkpoint.safetensors 2" leaves half of what was to be written; any other operation is
// not begun.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [operation, name, nth] = process.env.KILL_AT.split(" ");
const original = fs[operation];
let left = Number(nth);

/** Paths of open files. */
const paths = new Map();
const { openSync } = fs;
fs.openSync = (path, ...rest) => {
  const file = openSync(path, ...rest);
  paths.set(file, path);
  return file;
};

const halves = {
  writeSync: (file, bytes, from, length) => original(file, bytes, from, Math.floor(length / 2)),
  appendFileSync: (path, text) => original(path, text.slice(0, Math.floor(text.length / 2))),
};

fs[operation] = (file, ...rest) => {
  if (String(paths.get(file) ?? file).includes(name) && --left === 0) {
    halves[operation]?.(file, ...rest);
    process.kill(process.pid, "SIGKILL");
    for (;;); // not one operation more
  }
  return original(file, ...rest);
};
syncBuiltinESMExports();
