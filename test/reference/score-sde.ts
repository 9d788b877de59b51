import type { Tensor } from "../../engine/tensor.ts";
import { Ddpm } from "../../models/ddpm.ts";
import type { ActivationName } from "../../models/layers/index.ts";
import { NcsnPP, type NcsnPPOptions } from "../../models/ncsnpp.ts";
import type { Prediction } from "../../models/prediction.ts";
import { resolutions } from "../../models/unet.ts";
import { subVp, ve, vp } from "../../samplers/sde/index.ts";
import { ddpmLoss } from "../../train/losses/ddpm.ts";
import type { Denoiser } from "../../train/losses/denoising.ts";
import { sdeLoss } from "../../train/losses/sde.ts";
import { smldLoss } from "../../train/losses/smld.ts";
import type { ReferenceCase } from "./case.ts";
import type { ModelContext } from "./model-context.ts";
import type { Build } from "./networks.ts";

// The networks of 2021 and their losses, configured as score_sde is.

const shared = (c: ReferenceCase) => {
  const config = c.attrs.record("config");
  const scaleBySigma = config.boolean("scale_by_sigma");
  const [imageSize, chMult] = [config.number("size"), config.numbers("ch_mult")];
  const sizes = resolutions({ imageSize, chMult });
  return {
    channels: config.number("channels"),
    imageSize,
    nf: config.number("nf"),
    chMult,
    numResBlocks: config.number("num_res_blocks"),
    attnResolutions: config.numbers("attn").filter((size) => sizes.includes(size)), // the published code passes over others
    resampWithConv: config.boolean("resamp_with_conv"),
    conditional: config.boolean("conditional"),
    act: config.string("nonlinearity") as ActivationName,
    dropout: config.number("dropout"),
    centered: config.boolean("centered"),
    scaleBySigma,
    predicts: (scaleBySigma ? "score" : "eps") as Prediction,
    sigmas: [...c.tensors.get("param.sigmas")!.data],
  };
};

const ncsnpp: Build = (init, c) => {
  const config = c.attrs.record("config");
  const named = <K extends keyof NcsnPPOptions>(name: string) => config.string(name) as NcsnPPOptions[K];
  const module = new NcsnPP(init, {
    ...shared(c),
    fir: config.boolean("fir"),
    firKernel: config.numbers("fir_kernel"),
    skipRescale: config.boolean("skip_rescale"),
    resblockType: named<"resblockType">("resblock_type"),
    progressive: named<"progressive">("progressive"),
    progressiveInput: named<"progressiveInput">("progressive_input"),
    progressiveCombine: named<"progressiveCombine">("progressive_combine"),
    embeddingType: named<"embeddingType">("embedding_type"),
    fourierScale: config.number("fourier_scale"),
    initScale: config.number("init_scale"),
  });
  return { module, score: (x, labels) => module.run(x, labels!) };
};

const ddpm: Build = (init, c) => {
  const module = new Ddpm(init, shared(c));
  return { module, score: (x, labels) => module.run(x, labels!) };
};

export const scoreSdeNetworks = { ncsnpp, ddpm } as const;

/** The case's network, for VE SDEs as one of the score and for the others as one of the noise. */
const score = (c: ModelContext): Denoiser => Object.assign(c.score, { predicts: "score" } as const);
const eps = (c: ModelContext): Denoiser => Object.assign(c.score, { predicts: "eps" } as const);

const veOf = ({ attrs }: ModelContext) => {
  const config = attrs.record("config");
  return ve({
    sigmaMin: config.number("sigma_min"),
    sigmaMax: config.number("sigma_max"),
    steps: config.number("num_scales"),
  });
};

const betasOf = ({ attrs }: ModelContext) => {
  const config = attrs.record("config");
  return {
    betaMin: config.number("beta_min"),
    betaMax: config.number("beta_max"),
    steps: config.number("num_scales"),
  };
};

const times = (c: ModelContext) => ({ u: c.draw("rand"), z: c.draw("randn_like") });
const labels = (c: ModelContext) => ({ labels: c.draw("randint"), z: c.draw("randn_like") });

type Loss = (c: ModelContext, options: { reduceMean: boolean }) => Tensor;

/** By what the cases say before the reduction. */
const losses: Readonly<Record<string, Loss>> = {
  "sde_loss VESDE continuous": (c, options) => sdeLoss(score(c), veOf(c), c.in("x"), times(c), options),
  "sde_loss VPSDE continuous": (c, options) => sdeLoss(eps(c), vp(betasOf(c)), c.in("x"), times(c), options),
  "sde_loss subVPSDE continuous": (c, options) =>
    sdeLoss(eps(c), subVp(betasOf(c)), c.in("x"), times(c), options),
  "smld_loss VESDE": (c, options) => smldLoss(score(c), veOf(c), c.in("x"), labels(c), options),
  "ddpm_loss VPSDE": (c, options) => ddpmLoss(eps(c), vp(betasOf(c)), c.in("x"), labels(c), options),
};

/** By the names under which the cases state them: `smld_loss VESDE, reduce_mean false`. */
export const scoreSdeLosses: Readonly<Record<string, (c: ModelContext) => Tensor>> = Object.fromEntries(
  Object.entries(losses).flatMap(([name, loss]) =>
    [true, false].map((reduceMean) => [
      `${name}, reduce_mean ${reduceMean}`,
      (c: ModelContext) => loss(c, { reduceMean }),
    ]),
  ),
);
