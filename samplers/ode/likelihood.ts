import { grad } from "../../engine/autograd.ts";
import { UsageError } from "../../engine/errors.ts";
import { add, combine, mul, scale, square, sumEach } from "../../engine/ops/index.ts";
import { type Draw, rademacher, randn } from "../../engine/random.ts";
import { sameShape, shapeSize, showShape } from "../../engine/shapes.ts";
import { Tensor } from "../../engine/tensor.ts";
import { requireEps, requireSamples, requireWhole } from "../require.ts";
import type { ScoreFunction } from "../score.ts";
import { priorLogDensity, reverse, type Sde } from "../sde/index.ts";
import { drift, type FlowOptions } from "./probability-flow.ts";
import { Recorded } from "./recorded.ts";
import { rk45 } from "./rk45.ts";
import { computed } from "./solver.ts";

/**
 * How the divergence of the drift is found: from one random vector v for each sample as v . J v, which is right on
 * average (Skilling 1989; Hutchinson 1990), or "exact", by as many backward passes as a sample has elements.
 */
export type Probe = "rademacher" | "gaussian" | "exact";

export interface LikelihoodOptions extends Omit<FlowOptions, "after"> {
  /** The time next to the data. 1e-5 unless told, whatever the SDE, as published. */
  eps?: number;
  /** "rademacher" unless told, +1 or -1 each, the one of least variance; or the vectors themselves, of x's shape. */
  probe?: Probe | Tensor;
  /** Of the probe. 0 unless told. */
  seed?: number;
  /** Index of the first sample. */
  sampleOffset?: number;
  /**
   * The interval to which 256 grey values were scaled, for bits per dimension of those: [0, 1] adds 8, [-1, 1] adds 7.
   * The images must have been dequantized, by noise from [0, 1) grey values. Without it the bits are those of x as it is.
   */
  range?: readonly [low: number, high: number];
}

export interface Likelihood {
  /** -log2 p(x) / D of each sample of D elements, [n]: bits per dimension. */
  readonly bitsPerDim: Float64Array;
  /** log p(x) = priorLogp + deltaLogp of each sample in nats, [n], whatever the range. */
  readonly logp: Float64Array;
  /** log density of the latents under the prior. */
  readonly priorLogp: Float64Array;
  /** The integral of the drift's divergence from eps to T. */
  readonly deltaLogp: Float64Array;
  /** The latents at time T, [n,...]; the caller's to dispose. */
  readonly latent: Tensor;
  /** Evaluations of the score and of its gradient for each sample. */
  readonly nfe: number;
  readonly times: readonly number[];
}

/** Backward passes of an exact divergence, at most. */
export const MOST_EXACT = 256;

/**
 * The likelihood of data x [n,...] by the probability flow: x and the divergence of its drift are integrated together
 * from eps to T, log p(x) = log prior(z) + the integral of the divergence. Chen et al. 2018 (instantaneous change of
 * variables); Song et al. 2021, section 4.3 and appendix D.2. Throws UsageError for options out of range, for a probe of
 * another shape, an exact one of samples with more than 256 elements, and where the solver does.
 */
export async function likelihood(
  score: ScoreFunction,
  x: Tensor,
  options: LikelihoodOptions,
): Promise<Likelihood> {
  const { sde, solver = rk45(), condition = sde.conditionAt, range, onStep } = options;
  const eps = requireEps("likelihood", options.eps ?? 1e-5, options.sde.T);
  requireSamples("likelihood", x.shape);
  requireWhole("likelihood", { sampleOffset: options.sampleOffset ?? 0 }, 0);
  const offset = range ? offsetOf(range) : 0;
  const { engine } = x;
  const probes = computed(engine, () => probesOf(x, options));
  const none = computed(engine, () => engine.zeros([x.dim(0)]));
  const squares = computed(engine, () => sumOf(probes.map(square)));
  using scored = new Recorded(x, (now, told) => withDerivative(score, now, told, probes));
  try {
    const { state, nfe, times } = await solver(engine, {
      field([now], t) {
        const at = scored.at(now!, condition(t));
        const { keep, pull } = reverse(sde.coefficientsAt(t), { probabilityFlow: true });
        // Next to the prior both terms nearly cancel: element by element, before a sum rounds.
        return [drift(sde, now!, at.score, t), sumEach(combine(scale(squares, keep), [[pull, at.along]]))];
      },
      start: [x, none],
      from: eps,
      to: sde.T,
      onStep: onStep && (({ state: [now], ...progress }) => onStep({ ...progress, x: now! })),
    });
    const [latent, delta] = state as [Tensor, Tensor];
    const [priorLogp, deltaLogp] = await logDensities(sde, latent, delta);
    const logp = priorLogp.map((value, i) => value + deltaLogp[i]!);
    const dimensions = x.size / x.dim(0);
    const bitsPerDim = logp.map((value) => -value / (dimensions * Math.LN2) + offset);
    return { bitsPerDim, logp, priorLogp, deltaLogp, latent, nfe, times };
  } finally {
    for (const t of [...probes, none, squares]) t.dispose();
  }
}

/**
 * Reads the log densities of the latents under the prior, and their change `delta`, to the host. Disposes `delta`, and `latent`
 * too where it fails.
 */
async function logDensities(sde: Sde, latent: Tensor, delta: Tensor): Promise<[Float64Array, Float64Array]> {
  const { engine } = latent;
  let prior: Tensor | undefined;
  try {
    prior = computed(engine, () => priorLogDensity(sde, latent));
    const [ofPrior, change] = await engine.readAll([prior, delta]);
    return [Float64Array.from(ofPrior!), Float64Array.from(change!)];
  } catch (fault) {
    latent.dispose();
    throw fault;
  } finally {
    prior?.dispose();
    delta.dispose();
  }
}

/** The score at x and, element by element, the sum over the probes v of v (d score / dx) v, both [n,...]. */
function withDerivative(
  score: ScoreFunction,
  x: Tensor,
  condition: Tensor,
  probes: readonly Tensor[],
): { score: Tensor; along: Tensor } {
  const { engine } = x;
  const leaf = engine.asVariable(x.alias());
  try {
    const s = engine.withGrad(() => score(leaf, condition));
    const term = (v: Tensor) => {
      const [jv] = grad(s, [leaf], { cotangent: v, retainGraph: probes.length > 1 });
      return mul(jv!, v);
    };
    // A score that nothing of x went into has no graph to go back along.
    const along = s.requiresGrad
      ? sumOf(probes.map((v) => engine.scope(() => term(v))))
      : engine.zeros(x.shape);
    return { score: s.detach(), along };
  } finally {
    engine.track(leaf);
  }
}

/** A site that no sampler draws at: a probe may not depend on samples of the same seed. */
const PROBE = 2 ** 24 - 1;

/** The vectors of which v . J v is summed, each [n,...]. */
function probesOf(x: Tensor, options: LikelihoodOptions): Tensor[] {
  const { probe = "rademacher", seed = 0, sampleOffset } = options;
  const { engine, shape } = x;
  if (probe instanceof Tensor) {
    if (!sameShape(probe.shape, shape))
      throw new UsageError(
        `likelihood: got probe ${showShape(probe.shape)} for x ${showShape(shape)}, expected one shape`,
      );
    return [scale(probe, 1)];
  }
  const draw: Draw = { seed, purpose: "sampler", sampleOffset, site: PROBE };
  if (probe === "gaussian") return [randn(engine, shape, draw)];
  if (probe === "rademacher") return [rademacher(engine, shape, draw)];
  if (probe === "exact") return basis(x);
  throw new UsageError(
    `likelihood: got probe ${String(probe)}, expected rademacher, gaussian, exact, or a tensor of x's shape`,
  );
}

/** Unit vectors along each element of a sample. */
function basis({ engine, shape }: Tensor): Tensor[] {
  const [n] = shape as [number];
  const size = shapeSize(shape) / n;
  if (size > MOST_EXACT)
    throw new UsageError(
      `likelihood: got probe exact for samples of ${size} elements, expected at most ${MOST_EXACT}; take rademacher`,
    );
  return Array.from({ length: size }, (_, j) =>
    engine.tensor(
      Float32Array.from({ length: n * size }, (_, i) => (i % size === j ? 1 : 0)),
      shape,
    ),
  );
}

/** Bits per dimension of grey values beyond those of the density of x. Throws UsageError for an empty interval. */
function offsetOf([low, high]: readonly [number, number]): number {
  if (!(high > low && Number.isFinite(high - low)))
    throw new UsageError(`likelihood: got range [${low}, ${high}], expected two numbers, ascending`);
  return Math.log2(256 / (high - low));
}

const sumOf = (terms: readonly Tensor[]): Tensor => terms.reduce((a, b) => add(a, b));
