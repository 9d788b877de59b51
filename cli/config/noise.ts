import { z } from "zod";
import { most } from "../limits.ts";
import { countTo, flag, fromZero, positive, section } from "./values.ts";

/** A ladder of noise scales, descending geometrically: Song & Ermon 2019 and 2020. */
export const sigmas = section({
  begin: positive.default(1),
  end: positive.default(0.01),
  count: countTo(most.scales).default(10),
}).refine(({ begin, end }) => begin >= end, {
  error: "expected begin >= end, for the noise descends; swap them",
});

/** Steps between data and noise. */
const numScales = countTo(most.steps).default(1000);

const betas = { betaMin: fromZero.default(0.1), betaMax: positive.default(20), numScales };
const betasAscend = [
  ({ betaMin, betaMax }: { betaMin: number; betaMax: number }) => betaMin < betaMax,
  { error: "expected betaMin < betaMax, for the noise grows with time; swap them" },
] as const;

/** The diffusions of Song et al. 2021. `continuous`: trained at any time, not only at the numScales steps. */
export const sdes = {
  ve: section({
    name: z.literal("ve"),
    sigmaMin: positive.default(0.01),
    sigmaMax: positive.default(50),
    numScales,
    continuous: flag.default(true),
  }).refine(({ sigmaMin, sigmaMax }) => sigmaMin < sigmaMax, {
    error: "expected sigmaMin < sigmaMax, for the noise grows with time; swap them",
  }),
  vp: section({ name: z.literal("vp"), ...betas, continuous: flag.default(true) })
    .refine(...betasAscend)
    .refine(({ betaMax, numScales }) => betaMax <= numScales, {
      error:
        "expected betaMax <= numScales, for a step's beta, betaMax / numScales, is at most 1; take more steps",
    }),
  subvp: section({
    name: z.literal("subvp"),
    ...betas,
    continuous: z
      .literal(true, { error: "expected true, for there is no sub-VP SDE in steps" })
      .default(true),
  }).refine(...betasAscend),
};

export type Sde = { [N in keyof typeof sdes]: z.infer<(typeof sdes)[N]> }[keyof typeof sdes];
