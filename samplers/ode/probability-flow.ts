import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import { combine, scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { sameShape, showShape } from "../../engine/shapes.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { reverseDiffusion } from "../predictors/reverse-diffusion.ts";
import { requireEps, requireSamples, requireWhole } from "../require.ts";
import type { ScoreFunction } from "../score.ts";
import { reverse, type Sde } from "../sde/index.ts";
import { Recorded } from "./recorded.ts";
import { rk45 } from "./rk45.ts";
import { computed, type OdePoint, type OdeProgress, type OdeSolver } from "./solver.ts";

export interface FlowOptions {
  sde: Sde;
  /** rk45() unless told, with the tolerances of the published samplers; euler(n) and heun(n) take n equal steps. */
  solver?: OdeSolver;
  /** The time next to the data, above 0. sde.samplingEps unless told. */
  eps?: number;
  /** What the network is told of a time. sde.conditionAt unless told; sde.labelAt for those trained on discrete steps. */
  condition?: (t: number) => number;
  /** Where x stands, as the progress of an earlier call told it: the integration goes on there. */
  after?: OdePoint | undefined;
  /** Called after each step with the samples as they are then; it is awaited. */
  onStep?: (progress: FlowStep) => void | Promise<void>;
}

export interface FlowStep extends Omit<OdeProgress, "state"> {
  /** [n,...]. Read it before the callback returns. */
  readonly x: Tensor;
}

export interface DecodeOptions extends FlowOptions {
  /**
   * End with the mean of one step of the reverse diffusion, which takes off the noise that is left at `eps` where a step is
   * about as long, as published: on the VP and the sub-VP SDE T / sde.steps. Off unless told.
   */
  denoise?: boolean;
}

export interface FlowSampleOptions extends DecodeOptions {
  seed: number;
  /** Index of the first sample. Latents are the same for a batch in parts; adaptive steps, and so rounding, are not. */
  sampleOffset?: number;
  /** Where to start in place of a draw, [n,...]: latents, or with `after` the samples there. It is left as it is. */
  start?: Tensor;
  /** Factor of the latents that are drawn: below 1 for likelier, less varied samples. 1 unless told. */
  temperature?: number;
}

export interface Flow {
  /** [n,...], the caller's to dispose. */
  readonly x: Tensor;
  /** Evaluations of the score for each sample. */
  readonly nfe: number;
  /** Where the solver's steps of this call ended, the start first. */
  readonly times: readonly number[];
}

/**
 * Data x [n,...] at time eps to its latents at time T, by the ODE that has the marginals of the SDE, dx/dt = f(t) x -
 * g(t)^2 / 2 score(x, t). One latent for each x, and back by `decode`. Song et al. 2021, equation 13. Throws UsageError
 * for an eps out of range and where the solver does.
 */
export const encode = (score: ScoreFunction, x: Tensor, options: FlowOptions): Promise<Flow> =>
  flow(score, x, options, "encode");

/** Latents z [n,...] at time T to data at time eps. Throws as `encode`. */
export async function decode(score: ScoreFunction, z: Tensor, options: DecodeOptions): Promise<Flow> {
  const { sde, denoise = false, eps = sde.samplingEps, condition = sde.conditionAt } = options;
  const { engine } = z;
  const end = await flow(score, z, options, "decode");
  if (!denoise) return end;
  const { keep, pull } = reverseDiffusion(sde, eps, {});
  try {
    const x = computed(engine, () => {
      const told = engine.full([z.dim(0)], condition(eps));
      return combine(scale(end.x, keep), [[pull, score(end.x, told)]]);
    });
    return { ...end, x, nfe: end.nfe + 1 };
  } finally {
    end.x.dispose();
  }
}

/**
 * Samples of the probability flow: draws from the prior, decoded. Song et al. 2021, section 4.3. Throws UsageError for a
 * temperature that is not positive, and as `encode`.
 */
export async function sampleFlow(
  engine: Engine,
  score: ScoreFunction,
  shape: Shape,
  options: FlowSampleOptions,
): Promise<Flow> {
  const { sde, seed, sampleOffset = 0, start, after, temperature = 1 } = options;
  requireSamples("sampleFlow", shape);
  requireWhole("sampleFlow", { sampleOffset }, 0);
  if (!(temperature > 0 && Number.isFinite(temperature)))
    throw new UsageError(`sampleFlow: got temperature ${temperature}, expected a positive number`);
  if (start && !sameShape(start.shape, shape))
    throw new UsageError(
      `sampleFlow: got start ${showShape(start.shape)} for samples ${showShape(shape)}, expected one shape`,
    );
  if (after && !start)
    throw new UsageError(
      `sampleFlow: got a point at time ${after.t} without a start, expected the samples there`,
    );
  if (start) return decode(score, start, options);
  const z = computed(engine, () =>
    scale(randn(engine, shape, { seed, purpose: "prior", sampleOffset }), temperature * sde.priorStd),
  );
  try {
    return await decode(score, z, options);
  } finally {
    z.dispose();
  }
}

/** Data to its latents and back. */
export interface RoundTrip {
  readonly latent: Flow;
  readonly back: Flow;
  /** Root mean square over all elements of the difference between x and what came back. */
  readonly error: number;
}

/** Encodes x [n,...] and decodes the latents: the error is that of the solver. Throws as `encode`. */
export async function roundTrip(
  score: ScoreFunction,
  x: Tensor,
  options: Omit<FlowOptions, "after">,
): Promise<RoundTrip> {
  const latent = await encode(score, x, options);
  let back: Flow | undefined;
  try {
    back = await decode(score, latent.x, options);
    const [before, after] = (await x.engine.readAll([x, back.x])) as [Float32Array, Float32Array];
    const squares = before.reduce((total, value, i) => total + (value - after[i]!) ** 2, 0);
    return { latent, back, error: Math.sqrt(squares / x.size) };
  } catch (fault) {
    for (const { x } of back ? [latent, back] : [latent]) x.dispose();
    throw fault;
  }
}

async function flow(
  score: ScoreFunction,
  x: Tensor,
  options: FlowOptions,
  way: "encode" | "decode",
): Promise<Flow> {
  const { sde, solver = rk45(), condition = sde.conditionAt, after, onStep } = options;
  const eps = requireEps(way, options.eps ?? sde.samplingEps, sde.T);
  const [from, to] = way === "encode" ? [eps, sde.T] : [sde.T, eps];
  using scored = new Recorded(x, (now, told) => now.engine.noGrad(() => score(now, told)));
  const { state, nfe, times } = await solver(x.engine, {
    field: ([now], t) => [drift(sde, now!, scored.at(now!, condition(t)), t)],
    start: [x],
    from,
    to,
    after,
    onStep: onStep && (({ state: [now], ...progress }) => onStep({ ...progress, x: now! })),
  });
  return { x: state[0]!, nfe, times };
}

/** f(t) x - g(t)^2 / 2 score: the drift of the probability flow ODE from the score at x, both [n,...]. */
export function drift(sde: Sde, x: Tensor, score: Tensor, t: number): Tensor {
  const { keep, pull } = reverse(sde.coefficientsAt(t), { probabilityFlow: true });
  return combine(scale(x, keep), [[pull, score]]);
}
