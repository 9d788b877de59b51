import { mixtureInOps } from "../../../bench/figures/mixture-in-ops.ts";
import type { Engine } from "../../../engine/engine.ts";
import { add, mul, scale, square, sub } from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { logProbGrad } from "../../../models/classifier.ts";
import { couple, decouple } from "../../../samplers/controllable/colorize.ts";
import {
  type CorrectorName,
  classConditional,
  colorize,
  inpaint,
  type PredictorCorrectorResult,
  type PredictorName,
  predictorCorrector,
} from "../../../samplers/index.ts";
import type { ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { sdeOf } from "../sde.ts";
import { SamplerContext } from "./context.ts";
import { modelOf, passFlowDraws } from "./pc.ts";

/** What all cases say alike. */
const optionsOf = (c: SamplerContext) => ({
  sde: sdeOf(c.attrs),
  predictor: c.attrs.string("predictor") as PredictorName,
  corrector: c.attrs.string("corrector") as CorrectorName,
  correctorSteps: c.attrs.number("n_steps"),
  ...(c.attrs.number("snr") > 0 && { snr: c.attrs.number("snr") }),
  probabilityFlow: c.attrs.boolean("probability_flow", false),
  eps: c.attrs.number("eps"),
  noise: c.draw,
  seed: 0,
});

const priorOf = (c: SamplerContext): Tensor => scale(c.draw(), sdeOf(c.attrs).priorStd);

/** As the published code ends: what is drawn with its noise, what is known without. */
const denoiseOf = ({ attrs }: SamplerContext) => attrs.boolean("denoise") && ("known" as const);

async function finished(c: SamplerContext, run: Promise<PredictorCorrectorResult>): Promise<Float32Array> {
  const { x } = await run;
  c.finish();
  const values = Float32Array.from(await x.data());
  x.dispose();
  return values;
}

/** In the range of images. */
const scaledBack = (c: SamplerContext, x: Float32Array): NamedValues => {
  const back = c.attrs.string("inverse_scaler") === "x" ? (v: number) => v : (v: number) => (v + 1) / 2;
  return new Map([["out.x", x.map(back)]]);
};

async function inpainted(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  using context = new SamplerContext(engine, c);
  passFlowDraws(context, { held: true });
  using known = context.in("data");
  using mask = context.in("mask");
  using start = engine.scope(() => add(mul(known, mask), mul(priorOf(context), sub(1, mask))));
  const { score, condition } = modelOf(context);
  const options = { ...optionsOf(context), condition, start, known, mask, denoise: denoiseOf(context) };
  return scaledBack(context, await finished(context, inpaint(engine, score, known.shape, options)));
}

async function colorized(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  using context = new SamplerContext(engine, c);
  passFlowDraws(context, { held: true });
  using gray = context.in("gray");
  // The published start leaves out the prior's red where it means its gray.
  using start = engine.scope(() => {
    const first = engine.tensor([1, 0, 0], [1, 3, 1, 1]);
    const drawn = mul(priorOf(context), sub(1, first));
    return add(couple(mul(decouple(gray), first)), drawn);
  });
  const { score, condition } = modelOf(context);
  const options = { ...optionsOf(context), condition, start, gray, denoise: denoiseOf(context) };
  return scaledBack(context, await finished(context, colorize(engine, score, gray.shape, options)));
}

async function ofClass(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const results = new Map<string, Values>();
  for (const [name, denoise] of [
    ["out.x", true],
    ["out.x_noisy", false],
  ] as const) {
    using context = new SamplerContext(engine, c);
    passFlowDraws(context);
    using start = engine.scope(() => priorOf(context));
    const { score, condition } = modelOf(context);
    const options = { ...optionsOf(context), condition, start, denoise };
    const guided = classConditional(score, componentGrad(context));
    results.set(name, await finished(context, predictorCorrector(engine, guided, start.shape, options)));
  }
  using context = new SamplerContext(engine, c);
  const gradAt = componentGrad(context);
  using probed = engine.scope(() => {
    const x = context.in("probe");
    return gradAt(x, engine.full([x.dim(0)], sdeOf(c.attrs).conditionAt(0.5)));
  });
  return results.set("out.probe_classifier_gradient", await probed.data());
}

/** grad log p_t(component = label | x) of the case's mixture, by autograd. */
function componentGrad(c: SamplerContext) {
  const law = c.own(
    mixtureInOps(c.engine, {
      weights: c.numbers("gmm.weights"),
      means: c.numbers("gmm.means"),
      stds: c.numbers("gmm.stds"),
    }),
  );
  const labels = c.own(c.in("labels"));
  const ve = c.attrs.string("sde") === "vesde";
  const marginal = (condition: Tensor) =>
    ve
      ? { alpha: c.engine.ones(condition.shape), std: condition }
      : sdeOf(c.attrs).marginal(scale(condition, 1 / 999));
  const logits = (x: Tensor, condition: Tensor) => {
    const { alpha, std } = marginal(condition);
    return law.logTerms(x, { a: alpha, v: square(std) });
  };
  return (x: Tensor, condition: Tensor) => logProbGrad(logits, x, condition, labels);
}

export const controllableRunners = {
  inpaint_: inpainted,
  colorize_: colorized,
  class_conditional_: ofClass,
};
