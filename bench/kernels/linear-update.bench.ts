import type { Engine } from "../../engine/engine.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { type Draw, purposes, randn } from "../../engine/random.ts";
import type { Shape } from "../../engine/tensor.ts";
import { linearUpdate, type NormsOver } from "../../engine/updates.ts";
import { toArray64 } from "../../engine/verify.ts";
import { type Noise, normRatio, update } from "../../samplers/update.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, recorded, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [128, 3, 32, 32], gpu: [8192, 3, 32, 32] };
const small = [3, 3, 5, 5];
const CHAIN = 100;
/** A step so small that chains of any length stay finite. */
const tiny = { keep: 1, pull: 1e-8, noise: 1e-4 };
const large = { keep: 0.9, pull: 0.3, noise: 0.7 };
const draw = (step: number): Draw => ({ seed: 11, purpose: "sampler", step });

/** A chain's state, which every run moves on. */
const state = (engine: Engine, shape: readonly number[]) =>
  kept(engine, `chain ${shape}`, () => engine.untrack(randn(engine, shape, { seed: 12, purpose: "prior" })));

function chain(engine: Engine, full: Shape, steps: number): void {
  for (let step = 0; step < steps; step++)
    linearUpdate(state(engine, full), drawn(engine, full), tiny, draw(step));
}

/** A Langevin step whose size is measured by the norms of noise and score. */
function measured(x: ReturnType<typeof state>, z: Noise, coefficients: typeof tiny, over: NormsOver): void {
  const score = drawn(x.engine, x.shape);
  update(x, score, { ...coefficients, unit: normRatio(score, z, over) }, z);
}

type Move = (x: ReturnType<typeof state>, coefficients: typeof tiny) => void;
const noiseOf = (fused: boolean, { engine, shape }: ReturnType<typeof state>): Noise =>
  fused ? draw(5) : randn(engine, shape, draw(5));
const plain =
  (fused: boolean): Move =>
  (x, coefficients) =>
    update(x, drawn(x.engine, x.shape), coefficients, noiseOf(fused, x));
const byNorms =
  (fused: boolean, over: NormsOver): Move =>
  (x, coefficients) =>
    measured(x, noiseOf(fused, x), coefficients, over);

const check = (move: Move, unit: "one" | NormsOver) => async (engine: Engine) => {
  const [x, score] = [state(engine, small), drawn(engine, small)];
  const z = randomNormal(small, { seed: [11, 0], purpose: purposes.sampler, step: 5 });
  const before = [await toArray64(x), await toArray64(score)] as const;
  const [samples, size] = [small[0]!, sizeOf(small) / small[0]!];
  const units = {
    one: () => Array<number>(samples).fill(1),
    batch: () => Array<number>(samples).fill(oracle.normRatio(z, before[1])),
    sample: () => [...oracle.normRatios(z, before[1]).data],
  }[unit]();
  const { keep, pull, noise } = large;
  const expected = z.data.map((value, i) => {
    const u = units[Math.floor(i / size)]!;
    return keep * before[0].data[i]! + u * pull * before[1].data[i]! + Math.sqrt(u) * noise * value;
  });
  engine.scope(() => move(x, large));
  return near("update", x.alias(), expected);
};

const work = (full: Shape, steps: number, reads = 12) =>
  ({
    group: "linear-update",
    shape: times(full),
    bound: "memory",
    bytes: reads * steps * sizeOf(full),
    flops: 4 * steps * sizeOf(full),
  }) as const;

/** The update of samplers as it should be. */
export const langevinSteps: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...work(full, 1),
    name: "langevin step",
    run: (engine) => chain(engine, full, 1),
    check: check(plain(true), "one"),
  },
  {
    ...work(full, CHAIN),
    name: `langevin chain of ${CHAIN}, replayed`,
    run: (engine) => recorded(engine, "langevin", () => chain(engine, full, CHAIN)).replay(),
    check: check(plain(true), "one"),
  },
]);

export const cases: SizedCases = bySize(sizes, (full, kind): readonly Case[] => [
  ...langevinSteps[kind],
  {
    ...work(full, 1),
    name: "langevin step, separate",
    run: (engine) => plain(false)(state(engine, full), tiny),
    check: check(plain(false), "one"),
  },
  ...(["batch", "sample"] as const).flatMap((over) =>
    [true, false].map(
      (fused): Case => ({
        ...work(full, 1, 16),
        name: `langevin corrector${over === "sample" ? ", each sample's norms" : ""}, ${fused ? "fused" : "separate"}`,
        run: (engine) => byNorms(fused, over)(state(engine, full), tiny),
        check: check(byNorms(fused, over), over),
      }),
    ),
  ),
]);
