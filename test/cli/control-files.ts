/** Checkpoints and image folders for the commands of control, likelihood and latent space. */
import { encode } from "fast-png";
import { parseConfig, writeConfig } from "../../cli/config.ts";
import { openNetwork } from "../../cli/network.ts";
import type { Engine } from "../../engine/engine.ts";
import { packValues } from "../../train/checkpoint.ts";

/** A checkpoint of a configuration's untrained network; with all its numbers 0, which gives a score of 0, if asked. */
export async function untrained(
  engine: Engine,
  yaml: string,
  { channels = 1, zero = false } = {},
): Promise<Uint8Array> {
  const config = parseConfig(yaml, "test");
  const network = openNetwork(engine, config, { channels, height: 8 });
  const state = await network.state();
  network.dispose();
  const values = new Map(
    [...state].map(([name, entry]) => [name, zero ? { ...entry, data: entry.data.map(() => 0) } : entry]),
  );
  return packValues({
    network: values as typeof state,
    ema: new Map(),
    image: [channels, 8, 8],
    config: writeConfig(config),
  });
}

/** A PNG file of 8 x 8 pixels in colours that go by the pixel and by k. */
export function colourful(k: number): Uint8Array {
  const data = Uint8Array.from({ length: 3 * 64 }, (_, i) => (37 * k + 11 * i + 50 * (i % 3)) % 256);
  return encode({ width: 8, height: 8, channels: 3, depth: 8, data });
}
