import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

type Collector = () => void;
let collector: Collector | undefined;

/**
 * Collects this thread's garbage. The native parts of handles found in it go in the next round of the event loop.
 * Does nothing where the host has no way to ask for it.
 */
export function collect(): void {
  collector ??= findCollector();
  collector();
}

/** Bun's own, or V8's: to the contexts made while the flag is set, V8 gives a function for it. */
function findCollector(): Collector {
  const { Bun } = globalThis as { Bun?: { gc(synchronously: boolean): void } };
  if (Bun) return () => Bun.gc(true);
  if (globalThis.gc) return () => globalThis.gc?.(); // who starts Node with --expose-gc keeps it
  setFlagsFromString("--expose-gc");
  const found: unknown = runInNewContext("globalThis.gc");
  setFlagsFromString("--no-expose-gc");
  return typeof found === "function" ? () => found() : () => {};
}
