import type { Engine } from "../engine/engine.ts";
import { UsageError } from "../engine/errors.ts";
import { scale } from "../engine/ops/index.ts";
import { rand, randn } from "../engine/random.ts";
import { sameShape, showShape } from "../engine/shapes.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import { type NoiseOptions, requireFusion, type StepNoise } from "./noise.ts";
import { pacing } from "./pace.ts";
import { requireSamples, requireWhole } from "./require.ts";

export interface ChainStep {
  /** Steps done, of `total`. */
  readonly done: number;
  readonly total: number;
  /** The chain's state, [n,...]. Read it before the callback returns. */
  readonly x: Tensor;
}

/** What every sampler takes beside its own options. */
export interface ChainOptions<Step extends ChainStep = ChainStep> extends NoiseOptions {
  /** Where to start, [n,...]; it is overwritten. Drawn unless given. */
  start?: Tensor;
  /** Steps that `start` has behind it: the chain goes on where it stood, to the bits of one that never stopped. 0 unless told. */
  done?: number;
  /** Called after each step with the chain's state; it is awaited. */
  onStep?: (progress: Step) => void | Promise<void>;
}

/** Where chains begin of which nobody says it: uniform on [0, 1), or normal with a standard deviation. */
type Prior = "uniform" | { readonly std: number };

/** The chain's first state. Throws UsageError for a shape that is not [n,...], a start of another, a sampleOffset out of range and as `requireFusion`. */
export function startOf(
  who: string,
  engine: Engine,
  shape: Shape,
  options: ChainOptions<never>,
  prior: Prior,
): Tensor {
  const { start, seed, sampleOffset = 0 } = options;
  requireSamples(who, shape);
  requireWhole(who, { sampleOffset }, 0);
  requireFusion(who, options);
  if (start && !sameShape(start.shape, shape))
    throw new UsageError(
      `${who}: got start ${showShape(start.shape)} for samples ${showShape(shape)}, expected one shape`,
    );
  const draw = { seed, purpose: "prior", sampleOffset } as const;
  const drawn = () =>
    prior === "uniform" ? rand(engine, shape, draw) : scale(randn(engine, shape, draw), prior.std);
  return engine.untrack(start ?? engine.scope(drawn));
}

/** Throws UsageError unless a chain of so many steps can have been left after `done` of them. */
export function requireDone(
  who: string,
  { done = 0, start }: { done?: number | undefined; start?: unknown },
  steps: number,
): void {
  requireWhole(who, { done }, 0);
  if (done > steps)
    throw new UsageError(`${who}: got done ${done} of ${steps} steps, expected at most ${steps}`);
  if (done > 0 && start === undefined)
    throw new UsageError(
      `${who}: got done ${done} without a start, expected the chain's state after that step`,
    );
}

interface Chain {
  /** Of the whole chain. */
  readonly steps: number;
  /** Steps that are behind it, 0 unless told. */
  readonly done?: number | undefined;
  readonly noise: StepNoise;
  /** Makes ready for step k: sets Scalars, writes labels. */
  readonly prepare?: (k: number) => void;
  /** One step, on tensors that stay: recorded when it first runs and replayed ever after. */
  readonly move: () => void;
  /** Told that so many steps are done. */
  readonly report?: (done: number) => void | Promise<void>;
}

/** Runs the steps that a chain has still to go. Nothing is read back, unless `report` does. */
export async function runChain(
  engine: Engine,
  { steps, done = 0, noise, prepare, move, report }: Chain,
): Promise<void> {
  let capture: ReturnType<typeof engine.capture<void>> | undefined;
  const keepPace = pacing(engine);
  try {
    for (let k = done; k < steps; k++) {
      noise.step.value = k;
      prepare?.(k);
      if (!noise.replayable) engine.scope(() => engine.noGrad(move));
      else if (capture) capture.replay();
      else
        capture = engine.capture(() => engine.noGrad(move), { fuseUpdates: noise.fuseUpdates, hoist: true });
      await keepPace();
      await report?.(k + 1);
    }
  } finally {
    capture?.dispose();
  }
}

/**
 * Runs a sampler on its state x, waits for the device, and frees `scratch`; x too if something fails, unless it is the
 * caller's own start.
 */
export async function owning<T>(
  x: Tensor,
  { start, scratch = [] }: { start: Tensor | undefined; scratch?: readonly Tensor[] },
  run: () => Promise<T>,
): Promise<T> {
  try {
    const result = await run();
    await x.engine.sync();
    return result;
  } catch (fault) {
    if (x !== start) x.dispose();
    throw fault;
  } finally {
    for (const t of scratch) t.dispose();
  }
}
