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
    readonly likelihoodWeighting?: boolean;
    readonly loss?: MatchingName | undefined;
    readonly projection?: Projection | undefined;
    readonly particles?: number | undefined;
  };
}

/** What in sections that are right by themselves does not go together, as the end of a message; undefined if nothing. */
export function disagreement({ data, model, sde, training }: Parts): string | undefined {
  if (data.centered && model.name === "ncsn-small")
    return 'data.centered: got true with "ncsn-small", which takes images in [0, 1], expected false';
  const { loss = "dsm", projection, particles } = training;
  if (!loss.startsWith("ssm") && (projection ?? particles) !== undefined)
    return `training.${projection ? "projection" : "particles"}: got ${JSON.stringify(projection ?? particles)} with the loss ${loss}, which looks along no vectors, expected training.loss: ssm-vr or ssm`;
  if (!sde)
    return isLabelled(model)
      ? undefined
      : `model.name: got "${model.name}" without an sde section, expected one, such as sde: { name: ve, sigmaMax: 50 }`;
  const told = `the ${sde.continuous ? "continuous" : "discrete"} ${sde.name} SDE`;
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
  return undefined;
}

/** How NCSN++ takes in the noise: Fourier features of sigma, or sinusoids of a label. */
export const embeddingFor = (sde: Sde): "fourier" | "positional" =>
  sde.name === "ve" && sde.continuous ? "fourier" : "positional";
