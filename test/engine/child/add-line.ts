/** Once told to on stdin, adds lines of its own to a text of the cache, one at a time, and is slow about each. */
import { once } from "node:events";
import { cache } from "../../../engine/platform/node-cache.ts";

const [name, own, count] = process.argv.slice(2);
const slow = new Int32Array(new SharedArrayBuffer(4));
process.stdout.write("ready");
await once(process.stdin, "data");
for (let i = 0; i < Number(count); i++)
  await cache.update(name!, (text = "") => {
    Atomics.wait(slow, 0, 0, 2);
    return `${text}${own} ${i}\n`;
  });
process.exit();
