import type { Engine } from "../engine/engine.ts";

/** Dispatches that the host may be ahead of the device: the driver keeps something of each in memory. */
const AHEAD = 16_384;

/** To be called after each step of a chain that reads nothing back: waits for the device where the host is too far ahead. */
export function pacing(engine: Engine): () => Promise<void> {
  let waited = engine.stream.dispatches;
  return async () => {
    if (engine.stream.dispatches - waited <= AHEAD) return;
    await engine.sync();
    waited = engine.stream.dispatches;
  };
}
