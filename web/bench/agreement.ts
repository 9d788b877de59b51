import type { Sampled, UpdateName } from "../../bench/fusion.ts";
import type { Engine } from "../../engine/engine.ts";
import { randn } from "../../engine/random.ts";
import type { Fusion } from "../../samplers/index.ts";
import { StepNoise } from "../../samplers/noise.ts";
import { normRatio } from "../../samplers/update.ts";

/** Of a step that moves x by about as much as x is large, so that nothing is hidden behind x. */
const COEFFICIENTS = { keep: 1, pull: 0.1, noise: 1 } as const;

/**
 * How far apart a sampler's step comes out by its paths: the largest difference from that of separate ops, over the
 * largest value. The paths draw the same numbers, so that rounding is all that may be between them.
 */
export async function pathsApart(engine: Engine, sampled: Sampled, batch: number): Promise<number> {
  let apart = 0;
  for (const update of ["langevin", "corrector"] as const) {
    const separate = await stepOf(engine, sampled, { batch, update, fusion: "separate" });
    for (const fusion of ["fused", "network"] as const) {
      const other = await stepOf(engine, sampled, { batch, update, fusion });
      const largest = separate.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      for (const [i, value] of other.entries()) {
        const difference = Math.abs(value - separate[i]!) / largest;
        if (!(difference <= apart)) apart = Number.isNaN(difference) ? Infinity : difference;
      }
    }
  }
  return apart;
}

interface Step {
  readonly batch: number;
  readonly update: UpdateName;
  readonly fusion: Fusion;
}

/** x after one step from the same start with the same noise. */
async function stepOf(
  engine: Engine,
  sampled: Sampled,
  { batch, update, fusion }: Step,
): Promise<Float32Array> {
  const shape = [batch, ...sampled.image];
  const x = engine.untrack(randn(engine, shape, { seed: 5, purpose: "prior" }));
  const condition = engine.untrack(sampled.condition(batch));
  const noise = new StepNoise(engine, { seed: 1, fusion });
  const step = () =>
    engine.noGrad(() => {
      const score = sampled.score(x, condition);
      const z = noise.of(shape);
      const unit = update === "corrector" ? normRatio(score, z) : undefined;
      noise.updateBy(x, score, { ...COEFFICIENTS, unit }, z);
    });
  const capture = engine.capture(step, { fuseUpdates: noise.fuseUpdates });
  try {
    x.write((await startOf(engine, shape)) as Float32Array<ArrayBuffer>); // recording has taken a step already
    capture.replay();
    return (await x.data()) as Float32Array;
  } finally {
    capture.dispose();
    x.dispose();
    condition.dispose();
  }
}

async function startOf(engine: Engine, shape: readonly number[]) {
  const start = randn(engine, shape, { seed: 5, purpose: "prior" });
  const values = await start.data();
  start.dispose();
  return values;
}
