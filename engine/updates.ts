import { accumulate as accumulateKernel } from "../kernels/accumulate.ts";
import { exchange as exchangeKernel } from "../kernels/exchange.ts";
import { vecsPerThread } from "../kernels/lanewise.ts";
import { linearUpdate as updateKernel } from "../kernels/linear-update.ts";
import { drawnNorms, normRatio as ratioKernel, ratioVariant, sampleNorms } from "../kernels/norm-ratio.ts";
import { blockVariant } from "../kernels/random.ts";
import { requireApart } from "./apart.ts";
import { UsageError } from "./errors.ts";
import { scale } from "./ops/index.ts";
import { requireFloat } from "./ops/require.ts";
import { type Draw, drawNumbers } from "./random.ts";
import type { ScalarLike } from "./scalar.ts";
import { sameShape, showShape } from "./shapes.ts";
import type { Tensor } from "./tensor.ts";

/** Coefficients of x <- keep x + pull score + noise z. */
export interface UpdateCoefficients {
  readonly keep: ScalarLike;
  readonly pull: ScalarLike;
  readonly noise: ScalarLike;
  /** A factor u of the step size, [1] or [n] for each sample, measured on the device: the update takes u pull and sqrt(u) noise. */
  readonly unit?: Tensor | undefined;
}

/**
 * x <- keep x + pull score + noise z in place, z ~ N(0, I) drawn in the kernel: the same numbers as
 * `randn(engine, x.shape, draw)`. Without a draw there is no noise. score may be x. Throws UsageError when the shapes
 * differ, for another number of units, and for a unit in x's memory.
 */
export function linearUpdate(
  x: Tensor,
  score: Tensor,
  { unit, ...coefficients }: UpdateCoefficients,
  draw: Draw | undefined,
): void {
  for (const t of [x, score, ...(unit ? [unit] : [])]) requireFloat("linearUpdate", t);
  if (!sameShape(x.shape, score.shape))
    throw new UsageError(
      `linearUpdate: got x ${showShape(x.shape)}, score ${showShape(score.shape)}, expected one shape`,
    );
  const numbers = drawNumbers(x.shape, draw ?? nothing);
  if (unit && unit.size !== 1 && unit.size !== numbers.samples)
    throw new UsageError(
      `linearUpdate: got unit ${showShape(unit.shape)} for x ${showShape(x.shape)}, expected [1] or [${numbers.samples}]`,
    );
  requireApart("linearUpdate", { x }, { unit });
  const variant = {
    ...blockVariant(x.engine.hardware, numbers.sampleSize),
    unit: unit !== undefined,
    draws: draw !== undefined,
  };
  const apart = score.storage === x.storage ? scale(score, 1) : score; // a kernel may not read what it writes
  x.engine.launch(
    updateKernel,
    variant,
    { x, score: apart, unit: unit ?? x },
    { ...numbers, ...coefficients, unitPitch: unit && unit.size > 1 ? 1 : 0 },
  );
}

/** Over what the norms of noise and score are compared: their means over the batch, or each sample by itself. */
export type NormsOver = "batch" | "sample";

/**
 * (mean |z| / mean |score|)^2, means over the samples, of a score [n,...] and the noise z of its shape that `draw` names,
 * which is drawn in the kernel and kept nowhere. -> [1]. Over "sample": (|z| / |score|)^2 of each, [n].
 */
export function normRatio(score: Tensor, draw: Draw, over: NormsOver = "batch"): Tensor {
  requireFloat("normRatio", score);
  const { engine } = score;
  const numbers = drawNumbers(score.shape, draw);
  const { samples, sampleSize } = numbers;
  const by = engine.hardware.kind === "cpu" ? "thread" : "group";
  const segments = Math.ceil(sampleSize / SEGMENT[by]);
  const sums = engine.empty([samples, segments, 2], "f32");
  engine.launch(drawnNorms, { by, vec: sampleSize % 4 === 0 }, { score, sums }, { ...numbers, segments });
  const ratio = engine.empty([over === "sample" ? samples : 1]);
  const variant = ratioVariant(engine.hardware, over, { samples, segments });
  if (over === "batch" && variant.by === "group") {
    const norms = engine.empty([samples, 2], "f32");
    engine.launch(sampleNorms, {}, { sums, norms }, { samples, segments });
    engine.launch(ratioKernel, variant, { sums: norms, ratio }, { samples, segments: 1 });
    norms.dispose();
  } else engine.launch(ratioKernel, variant, { sums, ratio }, { samples, segments });
  sums.dispose();
  return ratio;
}

/** Parameters of a kernel that draws nothing. */
const nothing: Draw = { seed: 0, purpose: "sampler" };

/** Elements that a thread or a workgroup adds up: short chains, and enough of them for every core. */
const SEGMENT = { thread: 256, group: 1024 };

/** What of a sum's summand is added, and whether the sum is begun with it: 1 or 0. */
interface Summand {
  readonly share: number;
  readonly begin: ScalarLike;
}

/**
 * sum <- sum + share x in place, or share x where the sum is begun. Throws UsageError when the shapes differ, and where the
 * sum is x.
 */
export function accumulate(sum: Tensor, x: Tensor, { share, begin }: Summand): void {
  requireSame("accumulate", { sum, x });
  requireApart("accumulate", { sum }, { x });
  const { engine } = x;
  const variant = { vecs: vecsPerThread(engine.hardware) };
  engine.launchLinear(accumulateKernel, variant, { x, sum }, { share, begin }, x.size);
}

/** a and b change places on the device, bit by bit, without memory for a third. Throws UsageError when the shapes differ. */
export function exchange(a: Tensor, b: Tensor): void {
  requireSame("exchange", { a, b });
  if (a.storage === b.storage) return;
  const { engine } = a;
  engine.launchLinear(exchangeKernel, { vecs: vecsPerThread(engine.hardware) }, { a, b }, {}, a.size);
}

function requireSame(who: string, tensors: Record<string, Tensor>): void {
  const shapes = Object.entries(tensors).map(([name, { shape }]) => ({ name, shape }));
  const [first, second] = shapes;
  if (!sameShape(first!.shape, second!.shape))
    throw new UsageError(
      `${who}: got ${shapes.map(({ name, shape }) => `${name} ${showShape(shape)}`).join(", ")}, expected one shape`,
    );
}
