// Preloaded into stein: kills the process by SIGKILL in the middle of what it does to a file, at the n-th time that it
// does it. KILL_AT: "writeFileSync checkpoint.safetensors 2" leaves half of what was to be written; any other operation
// is not begun.
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

const [operation, name, nth] = process.env.KILL_AT.split(" ");
const original = fs[operation];
const half = (content) => content.slice(0, Math.floor(content.length / 2));
let left = Number(nth);

fs[operation] = (path, content, options) => {
  if (String(path).includes(name) && --left === 0) {
    if (/^(write|append)/.test(operation)) original(path, half(content), options);
    process.kill(process.pid, "SIGKILL");
    for (;;); // not one operation more
  }
  return original(path, content, options);
};
syncBuiltinESMExports();
