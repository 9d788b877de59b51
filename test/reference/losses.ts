import { grad } from "../../engine/autograd.ts";
import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { cast } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { epsToScore, type Predictor } from "../../models/prediction.ts";
import { ddpmLoss } from "../../train/losses/ddpm.ts";
import { type Denoiser, lookUp } from "../../train/losses/denoising.ts";
import { sdeLoss } from "../../train/losses/sde.ts";
import { smldLoss } from "../../train/losses/smld.ts";
import type { Attributes, ReferenceCase } from "./case.ts";
import type { NamedValues } from "./compare.ts";
import type { Kind } from "./kinds.ts";
import { ModelContext } from "./model-context.ts";
import { lossResults, type ModelLoss, modelLosses } from "./model-losses.ts";
import { networks } from "./networks.ts";
import { sdeOf } from "./sde.ts";

/** Losses on a tiny network, with all gradients. */
export const losses: Kind = {
  family: (c) => c.attrs.string("loss", "without a name"),
  run: (engine, c) => withLoss(engine, c, lossNamed(c.attrs.string("loss"))),
};

/** The results of a loss of the case's network, the gradients that the file holds, and what `more` computes first. */
export async function withLoss(
  engine: Engine,
  c: ReferenceCase,
  loss: ModelLoss,
  more: (context: ModelContext) => Record<string, Tensor> = () => ({}),
): Promise<NamedValues> {
  const build = networks[c.attrs.string("network", "")];
  if (!build) throw new UsageError(`unknown network ${c.attrs.string("network", "")}`);
  const { module, score } = build(new Init(engine), c);
  module.load(c.under("param."));
  const wanted = [...module.parameters()].filter(([name]) => c.tensors.has(`grad.param.${name}`));
  const results = engine.scope(() => {
    const context = new ModelContext(engine, c, score);
    const first = more(context);
    const values = lossResults(loss(context));
    context.finish();
    const grads = grad(
      values["out.loss"]!,
      wanted.map(([, t]) => t),
    );
    const named = Object.fromEntries(wanted.map(([name], i) => [`grad.param.${name}`, grads[i]!]));
    return { ...first, ...values, ...named };
  });
  const values = await engine.readAll(Object.values(results));
  for (const t of Object.values(results)) t.dispose();
  module.dispose();
  return new Map(Object.keys(results).map((name, i) => [name, values[i]!]));
}

/** Throws UsageError for a name that stands for no loss. */
export function lossNamed(name: string): ModelLoss {
  const loss = sdeLosses[name] ?? modelLosses[name];
  if (!loss) throw new UsageError(`unknown loss ${name}`);
  return loss;
}

const reductionOf = (attrs: Attributes) => ({ reduceMean: attrs.boolean("reduce_mean") });

/** The network as the SDE's sort predicts: the score for VE, the noise for the others. */
const denoiser = (c: ModelContext): Denoiser =>
  Object.assign((x: Tensor, labels: Tensor) => c.score(x, labels), {
    predicts: c.attrs.string("sde") === "vesde" ? ("score" as const) : ("eps" as const),
  });

const labelled = (c: ModelContext) => ({ labels: c.draw("randint"), z: c.draw("randn_like") });

/** The losses of 2021, for SDEs whose attributes lie open. */
const sdeLosses: Readonly<Record<string, ModelLoss>> = {
  smld_loss: (c) =>
    smldLoss(denoiser(c), sdeOf(c.attrs, "vesde"), c.in("x"), labelled(c), reductionOf(c.attrs)),

  ddpm_loss: (c) =>
    ddpmLoss(denoiser(c), sdeOf(c.attrs, "vpsde"), c.in("x"), labelled(c), reductionOf(c.attrs)),

  sde_loss(c) {
    const { attrs } = c;
    const eps = attrs.number("eps", 1e-5);
    const times = c.numbers("rand").map((u) => u * (1 - eps) + eps);
    const draws = { u: c.draw("rand"), z: c.draw("randn_like") };
    const options = {
      ...reductionOf(attrs),
      eps,
      likelihoodWeighting: attrs.boolean("likelihood_weighting", false),
    };
    const inTime = attrs.boolean("continuous") || attrs.string("sde") === "subvpsde"; // which has no chain
    if (inTime) return sdeLoss(denoiser(c), sdeOf(attrs), c.in("x"), draws, options);
    const { network, labelAt } = discrete(c);
    const labels = c.engine.tensor(times.map(labelAt));
    return sdeLoss(network, sdeOf(attrs), c.in("x"), draws, { ...options, condition: () => labels });
  },
};

/** A network of a chain's steps at times between them: VE is told the nearest step, VP takes the noise of the one before. */
function discrete(c: ModelContext): { network: Denoiser; labelAt: (t: number) => number } {
  if (c.attrs.string("sde") === "vesde")
    return { network: denoiser(c), labelAt: sdeOf(c.attrs, "vesde").labelAt };
  const { labelAt, discrete } = sdeOf(c.attrs, "vpsde");
  const std = (label: Tensor) => lookUp(discrete.sqrtOneMinusAlphasCumprod, cast(label, "i32"));
  return { network: epsToScore(denoiser(c) as Predictor<"eps">, std), labelAt };
}
