/** Adds lines of its own to a text of the cache, one at a time. */
import { cache } from "../../../engine/platform/node-cache.ts";

const [name, own, count] = process.argv.slice(2);
for (let i = 0; i < Number(count); i++) await cache.update(name!, (text = "") => `${text}${own} ${i}\n`);
