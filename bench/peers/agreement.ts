import type { Results } from "./engine.ts";
import { CHAIN_START } from "./inputs.ts";
import type { Problem, ProblemOf } from "./workloads.ts";

/** Largest error allowed, as a share of the largest value: float32 sums of a few thousand terms, in any order, stay well below. */
export const TOLERANCE = 2e-5;

/** Standard errors that a chain's mean or variance may lie off its law: one right chain in 1.7 million lies further. */
const DEVIATIONS = 5;

/** What is wrong with results, in one line, if anything: held to ours or, where noise is drawn, to the exact law. */
export function disagreement(problem: Problem, got: Results, ours: Results): string | undefined {
  if (problem.kind === "langevin") return offLaw(problem, got["x"] ?? new Float32Array());
  for (const [name, expected] of Object.entries(ours)) {
    const far = distance(got[name], expected);
    if (far !== undefined) return `${name}: ${far}`;
  }
  return undefined;
}

function distance(got: Float32Array | undefined, expected: Float32Array): string | undefined {
  if (got?.length !== expected.length) return `${got?.length ?? 0} values for ${expected.length}`;
  let [worst, largest] = [0, 0];
  expected.forEach((value, i) => {
    const error = Math.abs(got[i]! - value);
    if (!(error <= worst)) worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
    largest = Math.max(largest, Math.abs(value));
  });
  return worst <= TOLERANCE * largest
    ? undefined
    : `off by ${(worst / largest).toExponential(1)} of the largest value`;
}

/**
 * x <- (1 - alpha / 2) x + sqrt(alpha) z from N(0, start^2) is N(0, v) after n steps: with r = 1 - alpha / 2,
 * v = r^2n start^2 + alpha (1 - r^2n) / (1 - r^2). The start is the same for all, so its mean and variance are the
 * drawn ones' with their own errors.
 */
export function chainLaw({ steps, alpha }: Pick<ProblemOf<"langevin">, "steps" | "alpha">): {
  variance: number;
} {
  const keep = (1 - alpha / 2) ** 2;
  return { variance: keep ** steps * CHAIN_START ** 2 + (alpha * (1 - keep ** steps)) / (1 - keep) };
}

function offLaw(problem: ProblemOf<"langevin">, x: Float32Array): string | undefined {
  const count = problem.shape.reduce((product, length) => product * length, 1);
  if (x.length !== count) return `x: ${x.length} values for ${count}`;
  const { variance } = chainLaw(problem);
  const mean = x.reduce((sum, v) => sum + v, 0) / count;
  const measured = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / (count - 1);
  const scores = {
    mean: mean / Math.sqrt(variance / count),
    variance: (measured - variance) / (variance * Math.sqrt(2 / count)),
  };
  for (const [name, z] of Object.entries(scores))
    if (!(Math.abs(z) <= DEVIATIONS))
      return `the chain's ${name} is ${z.toFixed(1)} standard errors off its law`;
  return undefined;
}
