import type { Engine } from "../../../engine/engine.ts";
import { cast, concat, div, narrow, scale, square } from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { Init } from "../../../models/init.ts";
import { epsToScore, scoreToEps } from "../../../models/prediction.ts";
import {
  asScore,
  type CorrectorName,
  correctors,
  type Marginal,
  type PredictorCorrectorStep,
  type PredictorName,
  predictorCorrector,
  predictors,
  type ScoreFunction,
  type Sde,
} from "../../../samplers/index.ts";
import { normRatio, update } from "../../../samplers/update.ts";
import { lookUp } from "../../../train/losses/denoising.ts";
import type { Attributes, ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { networks } from "../networks.ts";
import { sdeOf } from "../sde.ts";
import { SamplerContext } from "./context.ts";
import { discreteVe, mixtureScore } from "./mixture-score.ts";

/** What a network is told of a time, and the score at that: for VE as the network gives it, for VP through eps. */
interface Model {
  readonly condition: (t: number) => number;
  readonly score: ScoreFunction;
}

export function modelOf(c: SamplerContext): Model {
  const { attrs } = c;
  if (attrs.string("model").startsWith("TinyNet")) return tinyModel(c);
  switch (attrs.string("model")) {
    case "ve_continuous": {
      const { conditionAt } = sdeOf(attrs, "vesde");
      const blurOf = (sigma: Tensor) => ({ a: c.engine.ones(sigma.shape), v: square(sigma) });
      return { condition: conditionAt, score: mixtureScore(c, blurOf) };
    }
    case "ve_discrete": {
      const { labelAt, discreteSigmas } = sdeOf(attrs, "vesde");
      const blurOf = discreteVe(c, discreteSigmas.toReversed());
      return { condition: labelAt, score: mixtureScore(c, (label) => blurOf(cast(label, "i32"))) };
    }
    case "vp_discrete": {
      const { labelAt, discrete } = sdeOf(attrs, "vpsde");
      const at = (table: readonly number[], label: Tensor) => lookUp(table, cast(label, "i32"));
      const marginal = (label: Tensor) => ({
        alpha: at(discrete.sqrtAlphasCumprod, label),
        std: at(discrete.sqrtOneMinusAlphasCumprod, label),
      });
      return { condition: labelAt, score: throughEps(c, marginal) };
    }
    default: {
      const { conditionAt, marginal } = sdeOf(attrs);
      return { condition: conditionAt, score: throughEps(c, (label) => marginal(div(label, 999))) };
    }
  }
}

/** The network of the losses, in continuous time. */
function tinyModel(c: SamplerContext): Model {
  const sde = sdeOf(c.attrs);
  const { module, score } = networks.TinyNet!(new Init(c.engine), c.case);
  module.load(c.case.under("param."));
  c.own({ [Symbol.dispose]: () => module.dispose() });
  if (sde.name === "ve") return { condition: sde.conditionAt, score: asScore((x, told) => score(x, told)) };
  const eps = Object.assign((x: Tensor, told: Tensor) => score(x, told), { predicts: "eps" } as const);
  return { condition: sde.conditionAt, score: epsToScore(eps, (label) => sde.marginal(div(label, 999)).std) };
}

/** The mixture's score turned into noise, as the network gives it, and back. */
function throughEps(c: SamplerContext, marginal: (label: Tensor) => Marginal<Tensor>): ScoreFunction {
  const score = mixtureScore(c, (label) => {
    const { alpha, std } = marginal(label);
    return { a: alpha, v: square(std) };
  });
  const std = (label: Tensor) => marginal(label).std;
  return epsToScore(scoreToEps(score, std), std);
}

const nameIn = (attrs: Attributes, kind: "predictor" | "corrector") => attrs.string(kind, "none");

/** One update of a predictor or a corrector, each sample at its own time. */
async function oneUpdate(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  using context = new SamplerContext(engine, c);
  const results = engine.scope(() => {
    const sde = sdeOf(c.attrs);
    const times = context.numbers("in.t");
    const { condition, score } = modelOf(context);
    const x = context.in("x");
    const told = engine.tensor(times.map(condition));
    const move = c.attrs.has("predictor") ? predicted : corrected;
    return { score: score(x, told), ...move(context, sde, times, x, (y) => score(y, told)) };
  });
  context.finish();
  const [score, x, mean] = await engine.readAll([results.score, results.x, results.mean]);
  for (const t of Object.values(results)) t.dispose();
  return new Map<string, Values>([
    ["out.score", score!],
    ["out.x", x!],
    ["out.x_mean", mean!],
  ]);
}

type Move = (
  c: SamplerContext,
  sde: Sde,
  times: readonly number[],
  x: Tensor,
  score: (x: Tensor) => Tensor,
) => { x: Tensor; mean: Tensor };

const predicted: Move = (c, sde, times, x, score) => {
  const predictor = predictors[nameIn(c.attrs, "predictor") as PredictorName];
  if (!predictor) return { x, mean: scale(x, 1) };
  const [s, z] = [score(x), c.draw()];
  const probabilityFlow = c.attrs.boolean("probability_flow");
  const steps = times.map((t) => predictor(sde, t, { probabilityFlow }));
  return {
    x: eachUpdated(x, s, steps, z),
    mean: eachUpdated(
      x,
      s,
      steps.map((step) => ({ ...step, noise: 0 })),
      z,
    ),
  };
};

const corrected: Move = (c, sde, times, x, score) => {
  const corrector = correctors[nameIn(c.attrs, "corrector") as CorrectorName];
  if (!corrector) return { x, mean: scale(x, 1) };
  let [now, mean] = [x, x];
  for (let j = 0; j < c.attrs.number("n_steps"); j++) {
    const [s, z] = [score(now), c.draw()];
    const unit = corrector.unit === "norms" ? normRatio(s, z) : undefined;
    const steps = times.map((t) => {
      const e = corrector.stepSize(sde, t, c.attrs.number("snr"));
      return { keep: 1, pull: e, noise: Math.sqrt(2 * e), unit };
    });
    mean = eachUpdated(
      now,
      s,
      steps.map((step) => ({ ...step, noise: 0 })),
      z,
    );
    now = eachUpdated(now, s, steps, z);
  }
  return { x: now, mean };
};

/** Every sample of x moved by a step of its own. */
function eachUpdated(
  x: Tensor,
  score: Tensor,
  steps: readonly Parameters<typeof update>[2][],
  z: Tensor,
): Tensor {
  const moved = steps.map((step, n) => {
    const [xn, sn, zn] = [x, score, z].map((t) => narrow(t, 0, n, 1)) as [Tensor, Tensor, Tensor];
    update(xn, sn, step, zn);
    return xn;
  });
  return concat(moved, 0);
}

/**
 * Passes over the draws of predictors in the probability flow: the published ones draw noise there too, and multiply it
 * by 0. `held`: what is known draws after the corrector's steps and after the predictor's.
 */
export function passFlowDraws(c: SamplerContext, { held = false } = {}): void {
  const { attrs } = c;
  if (!attrs.boolean("probability_flow", false) || nameIn(attrs, "predictor") === "none") return;
  const corrections = nameIn(attrs, "corrector") === "none" ? 0 : attrs.number("n_steps");
  const before = corrections + (held ? 1 : 0);
  c.passOver(before, before + 1 + (held ? 1 : 0));
}

/** A whole run, once for every state and, where it ends with the mean, once more for that. */
async function run(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const { attrs } = c;
  const states: number[] = [];
  const all = await sample(engine, c, false, async ({ x }) => void states.push(...(await x.data())));
  const last = attrs.boolean("denoise") ? await sample(engine, c, true) : all;
  const back = attrs.string("inverse_scaler") === "x" ? (v: number) => v : (v: number) => (v + 1) / 2;
  return new Map<string, Values>([
    ["out.after_predictor", states],
    ["out.x", Array.from(last.x, back)],
    ["out.nfe", [publishedCount(last.nfe, attrs)]],
  ]);
}

async function sample(
  engine: Engine,
  c: ReferenceCase,
  denoise: boolean,
  onStep?: (progress: PredictorCorrectorStep) => Promise<void>,
): Promise<{ x: ArrayLike<number>; nfe: number }> {
  const { attrs } = c;
  using context = new SamplerContext(engine, c);
  passFlowDraws(context);
  const sde = sdeOf(attrs);
  const { condition, score } = modelOf(context);
  const { x, nfe } = await predictorCorrector(engine, score, attrs.numbers("shape"), {
    sde,
    condition,
    predictor: nameIn(attrs, "predictor") as PredictorName,
    corrector: nameIn(attrs, "corrector") as CorrectorName,
    correctorSteps: attrs.number("n_steps"),
    ...(attrs.number("snr") > 0 && { snr: attrs.number("snr") }),
    probabilityFlow: attrs.boolean("probability_flow"),
    eps: attrs.number("eps"),
    denoise,
    start: engine.scope(() => scale(context.draw(), sde.priorStd)),
    noise: context.draw,
    seed: 0,
    ...(onStep && { onStep }),
  });
  context.finish();
  const values = await x.data();
  x.dispose();
  return { x: values, nfe };
}

/** The published count takes an absent corrector or predictor for one that evaluates the score. */
function publishedCount(nfe: number, attrs: Attributes): number {
  const idle =
    (nameIn(attrs, "corrector") === "none" ? attrs.number("n_steps") : 0) +
    (nameIn(attrs, "predictor") === "none" ? 1 : 0);
  return nfe + attrs.number("N") * idle;
}

export const pcRunners = { update_: oneUpdate, pc_: run };
