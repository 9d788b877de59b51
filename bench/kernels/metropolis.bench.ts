import type { Engine } from "../../engine/engine.ts";
import { metropolis } from "../../engine/metropolis.ts";
import * as oracle from "../../engine/oracle/metropolis.ts";
import { randomUniform } from "../../engine/oracle/philox.ts";
import { purposes, randn } from "../../engine/random.ts";
import type { Shape } from "../../engine/tensor.ts";
import { toArray64 } from "../../engine/verify.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, sizeOf, times } from "../inputs.ts";
import { type ByKind, bySize, type SizedCases } from "../sizes.ts";

/** A batch of images as the chains of an energy model, and many chains on the plane. */
const sizes: ByKind<Readonly<Record<string, Shape>>> = {
  cpu: { "metropolis, images": [128, 3, 32, 32], "metropolis, points": [262_144, 2] },
  gpu: { "metropolis, images": [8192, 3, 32, 32], "metropolis, points": [1 << 24, 2] },
};
const draw = { seed: 11, step: 5 };

/** Where the chains are, which every run moves on. */
const state = (engine: Engine, shape: Shape) =>
  kept(engine, `metropolis ${shape}`, () =>
    engine.untrack(randn(engine, shape, { seed: 12, purpose: "prior" })),
  );

/** Where they are, where they might go, and the log of its odds. */
const inputs = (engine: Engine, shape: Shape) =>
  [state(engine, shape), drawn(engine, shape, 2), drawn(engine, [shape[0]!], 3)] as const;

async function check(engine: Engine): Promise<string | undefined> {
  const shape = [33, 3, 5, 5];
  const [x, y, ratio] = await Promise.all(inputs(engine, shape).map(toArray64));
  const attrs = { seed: [draw.seed, 0] as const, step: draw.step, purpose: purposes.accept };
  const first = randomUniform([shape[0]!, 1], attrs).data.map((u) => u + 2 ** -24);
  const expected = oracle.metropolis(x!, y!, ratio!, { shape: [shape[0]!], data: first });
  metropolis(...inputs(engine, shape), draw);
  return near("metropolis", state(engine, shape).alias(), expected.data);
}

export const cases: SizedCases = bySize(sizes, (shapes): readonly Case[] =>
  Object.entries(shapes).map(([name, shape]) => ({
    name,
    group: "metropolis",
    shape: times(shape),
    bound: "memory",
    bytes: 8 * sizeOf(shape),
    flops: 0,
    run: (engine) => metropolis(...inputs(engine, shape), draw),
    check,
  })),
);
