import { requireConsistent } from "../../samplers/consistent.ts";
import { annealedLangevin, consistentAnnealing } from "../../samplers/index.ts";
import type { AnnealedConfig } from "../config.ts";
import { sigmasOf } from "../network.ts";
import { chainOf, type Method, type NoiseLevel, sigmaNote } from "./method.ts";

/** The sampler of a ladder of noise scales that a configuration names. Throws UsageError for settings that it does not take. */
export function onLadder(config: AnnealedConfig): Method {
  const { method, stepsPerLevel, epsilon, denoise, prior, seed } = config.sampling;
  const sigmas = sigmasOf(config);
  const noiseAt = (label: number): NoiseLevel | undefined =>
    label < sigmas.length ? { alpha: 1, std: sigmas[label]!, told: label } : undefined;
  if (method === "consistent") {
    requireConsistent("consistentAnnealing", sigmas, epsilon);
    return {
      total: sigmas.length,
      unit: "steps",
      draw: async (engine, score, batch) => ({
        x: await consistentAnnealing(engine, score, batch.shape, {
          ...chainOf(batch, seed),
          sigmas,
          epsilon,
          denoise,
          onStep: ({ x, done, sigma }) =>
            batch.onStep({
              x,
              point: { done },
              progress: done,
              note: sigmaNote(sigma),
              noise: noiseAt(done),
            }),
        }),
        nfe: sigmas.length,
      }),
    };
  }
  const total = sigmas.length * stepsPerLevel;
  return {
    total,
    unit: "steps",
    draw: async (engine, score, batch) => ({
      x: await annealedLangevin(engine, score, batch.shape, {
        ...chainOf(batch, seed),
        sigmas,
        stepsPerLevel,
        epsilon,
        denoise,
        prior,
        onStep: ({ x, done, level, sigma }) =>
          batch.onStep({ x, point: { done }, progress: done, note: sigmaNote(sigma), noise: noiseAt(level) }),
      }),
      nfe: total + (denoise ? 1 : 0),
    }),
  };
}
