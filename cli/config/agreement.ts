import type { Projection } from "../../train/losses/projections.ts";
import type { MatchingName } from "../../train/objectives/matching.ts";
import { isLabelled, type Model } from "./model.ts";
import type { Sde } from "./noise.ts";

/** What there is to compare. */
export interface Parts {
  readonly data: { readonly centered?: boolean | undefined };
  readonly model: Model;
  readonly sde?: Sde | undefined;
  readonly training: {
    readonly batchSize: number;
    readonly accumulate: number;
    readonly checkpointEvery: number;
    readonly keepEvery?: number | undefined;
    readonly likelihoodWeighting?: boolean;
    readonly loss?: MatchingName | undefined;
    readonly projection?: Projection | undefined;
    readonly particles?: number | undefined;
  };
  readonly sampling: {
    readonly method?: string;
    readonly steps?: number | undefined;
    readonly denoise?: boolean;
  };
}

/** What in sections that are right by themselves does not go together, as the end of a message; undefined if nothing. */
export function disagreement({ data, model, sde, training, sampling }: Parts): string | undefined {
  const fault = trainingDisagreement(training);
  if (fault !== undefined) return fault;
  if (data.centered && model.name === "ncsn-small")
    return 'data.centered: got true with "ncsn-small", which takes images in [0, 1], expected false';
  const { loss = "dsm", projection, particles } = training;
  if (!loss.startsWith("ssm") && (projection ?? particles) !== undefined)
    return `training.${projection ? "projection" : "particles"}: got ${JSON.stringify(projection ?? particles)} with the loss ${loss}, which looks along no vectors, expected training.loss: ssm-vr or ssm`;
  if (!sde)
    return isLabelled(model)
      ? undefined
      : `model.name: got "${model.name}" without an sde section, expected one, such as sde: { name: ve, sigmaMax: 50 }`;
  const told = toldOf(sde);
  const toldSigma = sde.name === "ve" && sde.continuous;
  if (isLabelled(model)) {
    if (sde.name !== "ve" || sde.continuous)
      return `model.name: got "${model.name}", which knows numbered noise scales only, with ${told}, expected sde: { name: ve, continuous: false }`;
  } else if (model.scaleBySigma && sde.name !== "ve")
    return `model.scaleBySigma: got true with ${told}, whose networks predict the noise, expected false`;
  if (model.name === "ddpm" && toldSigma)
    return `model.name: got "ddpm", which is told labels, with ${told}, which tells sigma, expected ncsnpp or continuous: false`;
  if (model.name === "ncsnpp") {
    const expected = embeddingFor(sde);
    const { embeddingType = expected } = model;
    if (embeddingType !== expected)
      return `model.embeddingType: got "${embeddingType}" with ${told}, which tells ${toldSigma ? "sigma" : "labels"}, expected "${expected}"`;
  }
  if (training.likelihoodWeighting && !sde.continuous)
    return `training.likelihoodWeighting: got true with ${told}, expected false or a continuous SDE`;
  const wrong = samplingDisagreement({ sde, sampling });
  return wrong && `sampling.${wrong}`;
}

/** The same of the sampler of a network on an SDE. */
export function samplingDisagreement({ sde, sampling }: Pick<Parts, "sde" | "sampling">): string | undefined {
  if (!sde) return undefined;
  const { method, steps, denoise } = sampling;
  const told = toldOf(sde);
  if (method === "edm" && (sde.name !== "ve" || !sde.continuous))
    return `method: got "edm" with ${told}, expected the continuous ve SDE, whose networks are told sigma; take ddim or heun`;
  if ((method === "ddim" || method === "edm") && denoise === false)
    return `denoise: got false with "${method}", which ends without noise, expected true`;
  if (sde.continuous || steps === undefined) return undefined;
  if (method === "pc" && steps !== sde.numScales)
    return `steps: got ${steps} with "pc" for a network that knows only its ${sde.numScales} steps; leave it out, or take ddim`;
  if (method === "ddim" && steps > sde.numScales)
    return `steps: got ${steps} for a network that knows ${sde.numScales} steps, expected no more`;
  return undefined;
}

const toldOf = (sde: Sde): string => `the ${sde.continuous ? "continuous" : "discrete"} ${sde.name} SDE`;

/** The same within the training section, whatever is trained. */
export function trainingDisagreement({
  batchSize,
  accumulate,
  checkpointEvery,
  keepEvery,
}: Parts["training"]): string | undefined {
  if (batchSize % accumulate !== 0)
    return `training.accumulate: got ${accumulate} with batchSize ${batchSize}, expected a divisor of it, for the parts of a batch are equal`;
  if (keepEvery !== undefined && keepEvery % checkpointEvery !== 0)
    return `training.keepEvery: got ${keepEvery} with checkpointEvery ${checkpointEvery}, expected a multiple of it, for there is no other checkpoint to keep`;
  return undefined;
}

/** How NCSN++ takes in the noise: Fourier features of sigma, or sinusoids of a label. */
export const embeddingFor = (sde: Sde): "fourier" | "positional" =>
  sde.name === "ve" && sde.continuous ? "fourier" : "positional";
