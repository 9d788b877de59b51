import type { Engine } from "../../engine/engine.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { purposes, randn } from "../../engine/random.ts";
import { langevinStep } from "../../engine/updates.ts";
import { near, toArray64 } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, recorded, sizeOf, times } from "../inputs.ts";

const full = [128, 3, 32, 32];
const small = [3, 3, 5, 5];
const CHAIN = 100;
/** A step so small that chains of any length stay finite. */
const numbers = { a: 1e-8, b: 1e-4 };
const draw = (step: number) => ({ seed: 11, purpose: "sampler", step }) as const;

/** A chain's state, which every run moves on. */
const state = (engine: Engine, shape: readonly number[]) =>
  kept(engine, `chain ${shape}`, () => engine.untrack(randn(engine, shape, { seed: 12, purpose: "prior" })));

function chain(engine: Engine, steps: number): void {
  for (let step = 0; step < steps; step++)
    langevinStep(state(engine, full), drawn(engine, full), { ...numbers, draw: draw(step) });
}

async function check(engine: Engine): Promise<string | undefined> {
  const [x, score] = [state(engine, small), drawn(engine, small)];
  const z = randomNormal(small, { seed: [11, 0], purpose: purposes.sampler, step: 5 });
  const large = { a: 0.3, b: 0.7 };
  const expected = oracle.langevinStep(await toArray64(x), await toArray64(score), z, large);
  langevinStep(x, score, { ...large, draw: draw(5) });
  return near("langevin step", x.alias(), expected.data);
}

const work = (steps: number) =>
  ({
    group: "langevin",
    shape: times(full),
    bound: "memory",
    bytes: 12 * steps * sizeOf(full),
    flops: 4 * steps * sizeOf(full),
  }) as const;

export const cases: readonly Case[] = [
  { ...work(1), name: "langevin step", run: (engine) => chain(engine, 1), check },
  {
    ...work(CHAIN),
    name: `langevin chain of ${CHAIN}, replayed`,
    check,
    run: (engine) => recorded(engine, "langevin", () => chain(engine, CHAIN)).replay(),
  },
];
