import type { Engine } from "../engine/engine.ts";
import { Scalar } from "../engine/scalar.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { owning, requireDone, runChain, startOf } from "./chain.ts";
import { StepNoise } from "./noise.ts";
import { type PredictorCorrectorOptions, planOf } from "./pc-options.ts";
import type { Step } from "./predictors/index.ts";
import type { ScoreFunction } from "./score.ts";
import { normRatio } from "./update.ts";

export interface PredictorCorrectorResult {
  /** [n,...], the caller's to dispose. */
  readonly x: Tensor;
  /** Evaluations of the score for each sample. The published count has those of an absent corrector or predictor too. */
  readonly nfe: number;
}

/**
 * Predictor-corrector sampling: at N times from T down to eps, Langevin steps towards p_t, then one step of the reverse
 * SDE, which is the order of the published code. Song et al. 2021, algorithms 1 to 3. One captured step is replayed for
 * all times, and nothing is read back. `score` is told condition(t) for each sample, f32 [n]. Throws UsageError for
 * options out of range, for a predictor that has no form for the SDE, and for a start of another shape.
 */
export async function predictorCorrector(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: PredictorCorrectorOptions,
): Promise<PredictorCorrectorResult> {
  const { sde, probabilityFlow, snrOver, start, done, hold, onStep } = options;
  const { correctorSteps, unit, predicts, times } = planOf(options);
  const [n, total] = [shape[0]!, times.length];
  requireDone("predictorCorrector", options, total);
  const evaluations = correctorSteps + (predicts ? 1 : 0);
  const x = startOf("predictorCorrector", engine, shape, options, { std: sde.priorStd });
  const condition = engine.untrack(engine.zeros([n]));
  const noise = new StepNoise(engine, options);
  const [correct, predict] = [new StepScalars(), new StepScalars()];
  const marginal = { alpha: new Scalar(1), std: new Scalar(0) };

  const prepare = (k: number) => {
    condition.write(new Float32Array(n).fill(times[k]!.condition));
    correct.set(times[k]!.correct);
    predict.set(times[k]!.predict);
    marginal.alpha.value = times[k]!.marginal.alpha;
    marginal.std.value = times[k]!.marginal.std;
  };
  const corrected = (site: number) => {
    const s = score(x, condition);
    const z = noise.of(shape, site);
    noise.updateBy(x, s, { ...correct, unit: unit === "norms" ? normRatio(s, z, snrOver) : undefined }, z);
  };
  const held = (site: number) =>
    hold && engine.scope(() => hold(x, marginal, noise.normal(shape, correctorSteps + site)));
  const move = () => {
    for (let site = 1; site <= correctorSteps; site++) engine.scope(() => corrected(site));
    held(1);
    if (predicts)
      noise.updateBy(x, score(x, condition), predict, probabilityFlow ? undefined : noise.of(shape));
    held(2);
  };
  const report = (taken: number) =>
    onStep?.({ done: taken, total, t: times[taken - 1]!.t, nfe: taken * evaluations, x });

  return owning(x, { start, scratch: [condition] }, async () => {
    await runChain(engine, { steps: total, done, noise, prepare, move, report });
    return { x, nfe: total * evaluations };
  });
}

/** A step's numbers, which a captured move reads anew at each replay. */
class StepScalars {
  readonly keep = new Scalar(1);
  readonly pull = new Scalar(0);
  readonly noise = new Scalar(0);

  set({ keep, pull, noise }: Step): void {
    this.keep.value = keep;
    this.pull.value = pull;
    this.noise.value = noise;
  }
}
