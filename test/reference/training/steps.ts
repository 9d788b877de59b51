import type { Engine } from "../../../engine/engine.ts";
import { UsageError } from "../../../engine/errors.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { ScoreNet } from "../../../models/index.ts";
import { Init } from "../../../models/init.ts";
import type { Predictor } from "../../../models/prediction.ts";
import { asPredictor } from "../../../models/prediction.ts";
import { subVp, ve, vp } from "../../../samplers/sde/index.ts";
import { Batches } from "../../../train/batches.ts";
import { annealedDsm } from "../../../train/losses/annealed-dsm.ts";
import { ddpmLoss } from "../../../train/losses/ddpm.ts";
import type { Denoiser } from "../../../train/losses/denoising.ts";
import { sdeLoss } from "../../../train/losses/sde.ts";
import { smldLoss } from "../../../train/losses/smld.ts";
import { Trainer } from "../../../train/trainer.ts";
import type { Attributes, ReferenceCase } from "../case.ts";
import type { NamedValues, Values } from "../compare.ts";
import { describedSigmas } from "../model-losses.ts";
import { networks } from "../networks.ts";
import { adamOptions, gradClip, moments } from "./optimizers.ts";
import { prefixed, valuesOf } from "./state.ts";

/** A short training by the trainer itself, with the recorded images and draws in place of its own. */
export async function steps(engine: Engine, c: ReferenceCase): Promise<NamedValues> {
  const { attrs } = c;
  const { module } = networks[attrs.string("network")]!(new Init(engine), c);
  module.load(c.under("param."));
  const network = module as ScoreNet<"score" | "eps">;
  const draws = new StepDraws(engine, c);
  const loss = lossOf(engine, attrs);
  const shape = c.shape("in.batch0") as [number, number, number, number];
  const optim = attrs.has("optim") ? attrs.record("optim") : attrs;
  const clip = gradClip(optim);
  const trainer = new Trainer(engine, {
    network,
    objective: () => ({
      feed: (step) => draws.feed(step),
      loss: (denoiser, x) => loss(denoiser, x, draws.where, draws.z),
    }),
    optimizer: { ...adamOptions(optim), ...averageOf(attrs) },
    ...(clip !== undefined && { gradClip: clip }),
    shape,
    batches: new Batches({ count: 1, size: shape[0], seed: 0, order: () => Uint32Array.of(0) }),
    fill: (_, out, step) => {
      out.set(draws.images(step));
    },
    seed: 0,
  });
  const count = attrs.number("steps");
  for (let step = 0; step < count; step++) trainer.advance();
  const reports = await trainer.reports();
  const results: [string, Values][] = [
    ["out.losses", reports.map((r) => r.loss)],
    ["out.grad_norms", reports.map((r) => r.gradNorm)],
    ...prefixed("final.param.", await valuesOf(engine, new Map(module.named()))),
    ...prefixed("final.", await moments(engine, trainer.optimizer)),
  ];
  if (c.tensors.has("out.eval_loss")) {
    for (const [name, t] of trainer.optimizer.ema!.shadow)
      engine.copy(t, trainer.optimizer.params.get(name)!);
    draws.feed(count);
    const value = engine.scope(() =>
      loss(asPredictor(network), engine.tensor(c.values("in.batch0"), shape), draws.where, draws.z),
    );
    results.push(["out.eval_loss", [await value.item()]]);
    value.dispose();
  }
  draws.dispose();
  trainer.dispose();
  network.dispose();
  return new Map(results);
}

/** EMAHelper's decay is mu from the first update on; ema_rate is that of ExponentialMovingAverage, which warms up. */
const averageOf = (attrs: Attributes) => {
  if (attrs.has("mu")) return { emaDecay: attrs.number("mu"), emaWarmup: false };
  return attrs.has("ema_rate") ? { emaDecay: attrs.number("ema_rate") } : {};
};

type StepLoss = (network: Denoiser, x: Tensor, where: Tensor, z: Tensor) => Tensor;

/** The loss by where each sample stands, a label or a place in time, and the noise. */
function lossOf(engine: Engine, attrs: Attributes): StepLoss {
  if (attrs.has("loss")) {
    const sigmas = attrs.has("sigmas") ? attrs.numbers("sigmas") : describedSigmas(attrs);
    const annealPower = attrs.number("anneal_power");
    return (network, x, labels, z) =>
      annealedDsm(network as Predictor<"score">, x, labels, {
        sigmas: engine.tensor(sigmas, [sigmas.length, 1]),
        draw: z,
        annealPower,
      });
  }
  const config = attrs.has("config") ? attrs.record("config") : attrs;
  const reduceMean = attrs.boolean("reduce_mean");
  const options = { reduceMean, likelihoodWeighting: attrs.boolean("likelihood_weighting", false) };
  const [name, inTime] = [attrs.string("sde"), attrs.boolean("continuous")];
  const count = config.number(attrs.has("config") ? "num_scales" : "N");
  if (name === "vesde") {
    const sde = ve({
      sigmaMin: config.number("sigma_min"),
      sigmaMax: config.number("sigma_max"),
      steps: count,
    });
    return inTime
      ? (network, x, u, z) => sdeLoss(network, sde, x, { u, z }, options)
      : (network, x, labels, z) => smldLoss(network, sde, x, { labels, z }, { reduceMean });
  }
  const betas = { betaMin: config.number("beta_min"), betaMax: config.number("beta_max"), steps: count };
  if (!inTime && name === "vpsde") {
    const sde = vp(betas);
    return (network, x, labels, z) => ddpmLoss(network, sde, x, { labels, z }, { reduceMean });
  }
  if (name !== "vpsde" && name !== "subvpsde") throw new UsageError(`unknown SDE ${name}`);
  const sde = name === "vpsde" ? vp(betas) : subVp(betas);
  return (network, x, u, z) => sdeLoss(network, sde, x, { u, z }, options);
}

/** The draws of a step in tensors that stay, so that recorded steps read them anew. */
class StepDraws {
  /** A label or a place in time for each sample, and the noise. */
  readonly where: Tensor;
  readonly z: Tensor;
  readonly #case: ReferenceCase;
  readonly #names: readonly string[];
  readonly #dequantised: boolean;

  constructor(engine: Engine, c: ReferenceCase) {
    this.#case = c;
    this.#names = [...c.under("noise.").keys()].sort();
    this.#dequantised = this.#names[0]!.endsWith(".rand_like");
    const [where, z] = this.#of(0);
    [this.where, this.z] = [where, z].map((name) => {
      const { data, shape } = c.tensors.get(`noise.${name}`)!;
      return engine.untrack(engine.tensor(data, shape));
    }) as [Tensor, Tensor];
  }

  feed(step: number): void {
    const [where, z] = this.#of(step);
    this.where.write(this.#case.tensors.get(`noise.${where}`)!.data);
    this.z.write(this.#case.values(`noise.${z}`));
  }

  /** The images of a step; dequantised x / 256 * 255 + u / 256 where NCSN draws u. */
  images(step: number): Float32Array<ArrayBuffer> {
    const x = this.#case.values(`in.batch${step}`);
    if (!this.#dequantised) return x;
    const u = this.#case.values(`noise.${this.#names[3 * step]}`);
    return x.map((v, i) => (v / 256) * 255 + u[i]! / 256);
  }

  dispose(): void {
    for (const t of [this.where, this.z]) t.dispose();
  }

  #of(step: number): [where: string, z: string] {
    const each = this.#dequantised ? 3 : 2;
    return [this.#names[each * step + each - 2]!, this.#names[each * step + each - 1]!];
  }
}
