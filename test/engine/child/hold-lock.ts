/** Holds a lock, says so, and waits to be killed, or lets go of it at a word. */
import { once } from "node:events";
import { holdLock } from "../../../engine/platform/file-lock.ts";

const held = await holdLock(process.argv[2]!);
process.stdout.write(held.heldBy ? "refused" : "held");
if (held.heldBy) process.exit();
await once(process.stdin, "data");
process.exit(); // without a word to the lock
