import type { Engine } from "../../engine/engine.ts";
import { clipGradients } from "../../engine/optim/clip.ts";
import { near, toArray64 } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn } from "../inputs.ts";

/** The weights of eight 3 x 3 convolutions 64 -> 64. */
const full = Array.from({ length: 8 }, () => [64, 64, 3, 3]);
const elements = 8 * 64 * 64 * 9;

async function check(engine: Engine): Promise<string | undefined> {
  const grads = [drawn(engine, [7, 9], 1), drawn(engine, [5], 2)];
  const values = await Promise.all(grads.map(toArray64));
  const norm = Math.sqrt(values.flatMap((v) => [...v.data]).reduce((total, v) => total + v * v, 0));
  return near("clip", clipGradients(grads, 2), [Math.min(1, 2 / (norm + 1e-6)), norm]);
}

export const cases: readonly Case[] = [
  {
    name: "clip gradients",
    group: "clip",
    shape: "8 of 64x64x3x3",
    bound: "memory",
    bytes: 4 * elements,
    flops: 2 * elements,
    run: (engine) =>
      void clipGradients(
        full.map((shape, i) => drawn(engine, shape, i)),
        1,
      ),
    check,
  },
];
