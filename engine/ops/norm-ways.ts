import type { Hardware } from "../../kernels/kernel.ts";
import {
  type affineParams,
  type NormActivation,
  normApply,
  normGradApply,
  normGradFactors,
  normGradSums,
  normMoments,
  normStatistics,
} from "../../kernels/norm.ts";
import {
  type GroupNormVariant,
  groupNormGrad,
  groupNormGradStorage,
  groupNorm as groupNormKernel,
  groupNormVariant,
  groupNormVariants,
} from "../../kernels/norm-group.ts";
import { normImage, normImageGrad, normsImages } from "../../kernels/norm-image.ts";
import {
  type NormLanesForwardVariant,
  type NormLanesGradVariant,
  type NormLanesVariant,
  normLanes,
  normLanesGrad,
  normLanesGradVariants,
  normLanesVariants,
  usualLanes,
} from "../../kernels/norm-lanes.ts";
import {
  type NormPiecesVariant,
  normCut,
  normGradPieces,
  normGradSplit,
  normPieces,
  normPiecesVariant,
  normSplit,
} from "../../kernels/norm-split.ts";
import { chosen, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { dealing, folding, type Table } from "./ways.ts";

/*
 * Which kernels compute a norm, forward and back: several sweeps over the maps; or one workgroup that keeps a whole group
 * (kernels/norm-group.ts); or the same with some lanes for each map (kernels/norm-lanes.ts); or two sweeps that join what
 * they need themselves (kernels/norm-split.ts); or, on a CPU driver, a subgroup for each small image (kernels/norm-image.ts).
 */

const momentsOf = folding<Table>("norm_moments", (engine, [x], { rows, columns }, way) => {
  const moments = engine.empty([rows, 2]);
  engine.launch(normMoments, way, { x: x!, moments }, { maps: rows, hw: columns });
  return moments;
});

/** A launch over maps whose parameters stand beside. */
interface Maps extends Table {
  readonly act: NormActivation;
  readonly params: Readonly<Record<keyof typeof affineParams, number>>;
}

const applied = dealing<Maps>("norm_apply", (engine, inputs, { act, params }, way) => {
  const [x, statistics, gamma, beta, alpha] = inputs as Tensor[];
  const y = engine.empty(x!.shape);
  const tensors = { x: x!, statistics: statistics!, gamma: gamma!, beta: beta!, alpha: alpha!, y };
  engine.launch(normApply, { act, ...way }, tensors, params);
  return y;
});

const gradSums = folding<Maps>("norm_grad_sums", (engine, inputs, { rows, act, params }, way) => {
  const [x, dy, statistics, gamma, beta, alpha] = inputs as Tensor[];
  const sums = engine.empty([rows, 2]);
  const parameters = { gamma: gamma!, beta: beta!, alpha: alpha! };
  const tensors = { x: x!, dy: dy!, statistics: statistics!, ...parameters, sums };
  engine.launch(normGradSums, { act, ...way }, tensors, params);
  return sums;
});

/** What kernels that write dx add it to, or in its place a tensor that they do not bind. */
const bound = (before: Tensor | undefined, spare: Tensor) => ({ before: before ?? spare });

const gradApplied = dealing<Maps>("norm_grad_apply", (engine, inputs, { act, params }, way) => {
  const [x, dy, statistics, gamma, beta, alpha, factors, before] = inputs;
  const dx = engine.empty(x!.shape);
  const parameters = { gamma: gamma!, beta: beta!, alpha: alpha!, ...bound(before, x!) };
  const tensors = { x: x!, dy: dy!, statistics: statistics!, ...parameters, factors: factors!, dx };
  engine.launch(normGradApply, { act, ...way, before: before !== undefined }, tensors, params);
  return dx;
});

/** A norm as its kernels are told of it. */
export interface NormProblem extends Maps {
  readonly groupSize: number;
  readonly eps: number;
  readonly plus: boolean;
}
/** The same, and where the gradients of its parameters go. */
interface NormGradProblem extends NormProblem {
  readonly places: Record<"width" | "dGammaAt" | "dBetaAt" | "dAlphaAt", number>;
}

type Kept<V> =
  | { readonly kernel: "sweeps" }
  | { readonly kernel: "image" }
  | ({ readonly kernel: "whole" } & GroupNormVariant)
  | ({ readonly kernel: "lanes" } & V)
  | ({ readonly kernel: "split" } & NormPiecesVariant);
type Way = Kept<NormLanesForwardVariant>;
type GradWay = Kept<NormLanesGradVariant>;
const sweeps = { kernel: "sweeps" } as const;

/** The variants that keep whole groups, on a GPU: the usual one first, if any fits. */
function whole(hw: Hardware, { columns, groupSize, plus }: NormProblem, gradient: boolean) {
  if (hw.kind === "cpu" || plus || columns % 4 !== 0) return [];
  const size = groupSize * columns;
  const usual = groupNormVariant(hw, size);
  if (!usual || (gradient && !Number.isInteger(Math.log2(columns)))) return [];
  const all = [usual, ...groupNormVariants(hw, size)];
  const fitting = gradient
    ? all
        .filter((v) => groupNormGradStorage(v) <= hw.maxWorkgroupStorage)
        .map((v) => ({ ...v, by: "group" as const }))
    : all;
  return fitting.map((v) => ({ kernel: "whole", ...v }) as const);
}

/** The variants with lanes for each map. */
const lanes = <V extends NormLanesVariant>(
  hw: Hardware,
  { columns, groupSize, plus }: NormProblem,
  variants: (hw: Hardware, maps: number, columns: number) => V[],
) => (plus ? [] : variants(hw, groupSize, columns).map((v) => ({ kernel: "lanes", ...v }) as const));

/** Maps that share statistics, or the mean of means: see kernels/norm-split.ts. */
const spanOf = ({ plus, groupSize, params }: NormProblem): number => (plus ? params.channels : groupSize);

/** Places a thread has on their way at once, of x; of x and dy: as many as those that lanes keep. */
const AT_ONCE = { forward: 8, gradient: 4 };

/**
 * The variants with two sweeps, each over all maps: the usual one first. On an H200 the second sweep in turns of 12 to
 * 48 MiB, which its cache would hold, took a fifth to four fifths longer.
 */
function split(hw: Hardware, problem: NormProblem, atOnce: number) {
  if (hw.kind === "cpu" || !hw.subgroups) return [];
  const { vec, pieces, size } = normCut(problem.columns);
  const line = { vec, size: size * pieces };
  return [atOnce, atOnce / 2].map(
    (most) => ({ kernel: "split", ...normPiecesVariant(line, most, spanOf(problem)) }) as const,
  );
}

/** A table whose rows, one for each label [n], are the images' parameters. */
export interface LookUp {
  readonly table: Tensor;
  readonly labels: Tensor;
}

const imageVariant = ({ act, columns }: NormProblem, found: LookUp | undefined) => ({
  act,
  vec: columns % 4 === 0,
  labelled: found !== undefined,
});

const boundFor = (found: LookUp | undefined, spare: Tensor) => found ?? { table: spare, labels: spare };

/** `normed` of small images, whose parameters may be looked up as well. */
export function normedImages(
  engine: Engine,
  inputs: readonly Tensor[],
  problem: NormProblem,
  found?: LookUp,
): Tensor {
  const [x, gamma, beta, alpha, statistics] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const { params, eps, plus } = problem;
  const y = engine.empty(x.shape);
  engine.launch(
    normImage,
    imageVariant(problem, found),
    { x, gamma, beta, alpha, ...boundFor(found, x), statistics, y },
    { ...params, eps, plus: plus ? 1 : 0, rows: found?.table.dim(0) ?? 0 },
  );
  return y;
}

type BackInputs = readonly [
  x: Tensor,
  dy: Tensor,
  statistics: Tensor,
  gamma: Tensor,
  beta: Tensor,
  alpha: Tensor,
  grads: Tensor,
  before?: Tensor,
];

/** `normedBack` of the same. */
export function normedImagesBack(
  engine: Engine,
  inputs: Inputs,
  problem: NormGradProblem,
  found?: LookUp,
): Tensor {
  const [x, dy, statistics, gamma, beta, alpha, grads, before] = inputs as BackInputs;
  const { params, plus, places } = problem;
  const dx = engine.empty(x.shape);
  engine.launch(
    normImageGrad,
    { ...imageVariant(problem, found), before: before !== undefined },
    { x, dy, statistics, gamma, beta, alpha, ...boundFor(found, x), grads, ...bound(before, x), dx },
    { ...params, plus: plus ? 1 : 0, ...places, rows: found?.table.dim(0) ?? 0 },
  );
  return dx;
}

/** Small images, a subgroup each: how many there are does not count. */
const image = (hw: Hardware, { columns, groupSize, params: { channels } }: NormProblem) =>
  groupSize === 1 && normsImages(hw, channels, columns) ? [{ kernel: "image" } as const] : [];

const byGroup = ({ columns, groupSize, plus }: NormProblem): string =>
  `${plus ? "++ of" : "groups of"} ${groupSize}x${columns}`;
const imageBy = ({ hardware: { kind } }: Engine) => ({ by: kind === "cpu" ? "image" : "map" }) as const;

/** y of x, gamma, beta and alpha; the statistics are written into the last input. */
export const normed: Tunable<NormProblem, Way> = {
  family: "norm",
  classOf: byGroup,
  heuristic: (hw, problem) =>
    image(hw, problem)[0] ??
    usualLanes(lanes(hw, problem, normLanesVariants)) ??
    whole(hw, problem, false)[0] ??
    split(hw, problem, AT_ONCE.forward)[0] ??
    sweeps,
  ways: (hw, problem) => [
    sweeps,
    ...image(hw, problem),
    ...whole(hw, problem, false),
    ...lanes(hw, problem, normLanesVariants),
    ...split(hw, problem, AT_ONCE.forward),
  ],
  run: (engine, inputs, problem, way) => {
    const [x, gamma, beta, alpha, statistics] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const { rows, columns, act, params, groupSize, eps, plus } = problem;
    if (way.kernel === "sweeps") {
      const moments = chosen(engine, momentsOf, [x], { rows, columns });
      const { maps, channels, hw } = params;
      const sizes = { maps, channels, groupSize, hw, eps, plus: plus ? 1 : 0 };
      engine.launch(normStatistics, imageBy(engine), { moments, statistics }, sizes);
      return chosen(engine, applied, [x, statistics, gamma, beta, alpha], problem);
    }
    if (way.kernel === "image") return normedImages(engine, inputs as Tensor[], problem);
    const y = engine.empty(x.shape);
    const tensors = { x, gamma, beta, alpha, statistics, y };
    if (way.kernel === "whole") {
      const { kernel: _, ...variant } = way;
      engine.launch(groupNormKernel, { act, ...variant }, tensors, { ...params, groupSize, eps });
    } else if (way.kernel === "lanes") {
      const { kernel: _, ...variant } = way;
      engine.launch(normLanes, { act, ...variant }, tensors, { ...params, eps });
    } else {
      const { kernel: _, ...variant } = way;
      const cut = normCut(columns);
      const { pieces, size } = cut;
      const count = rows * pieces;
      const moments = engine.empty([count, 2]);
      engine.launch(normPieces, normPiecesVariant(cut, way.each), { x, moments }, { count, size });
      const sizes = { ...params, span: spanOf(problem), pieces, eps };
      engine.launch(normSplit, { act, plus, ...variant }, { ...tensors, moments }, sizes);
    }
    return y;
  },
};

/** The gradients' sums of a map, and what its elements' gradient is made of; d(gamma, beta, alpha) are written into `grads`. */
export function factorsOf(
  engine: Engine,
  [x, dy, statistics, gamma, beta, alpha, grads]: Inputs,
  problem: NormGradProblem,
): Tensor {
  const { rows, params, groupSize, plus, places } = problem;
  const parameters = { gamma: gamma!, beta: beta!, alpha: alpha! };
  const sums = chosen(engine, gradSums, [x, dy, statistics, gamma, beta, alpha], problem);
  const factors = engine.empty([rows, 4]);
  engine.launch(
    normGradFactors,
    imageBy(engine),
    { sums, statistics: statistics!, ...parameters, factors, grads: grads! },
    { ...params, groupSize, plus: plus ? 1 : 0, ...places },
  );
  return factors;
}

/**
 * dx of x, dy, the statistics and parameters; the parameters' gradients are written into the next input. To the last, if there
 * is one, dx is added.
 */
export const normedBack: Tunable<NormGradProblem, GradWay> = {
  family: "norm_grad",
  classOf: byGroup,
  heuristic: (hw, problem) =>
    image(hw, problem)[0] ??
    usualLanes(lanes(hw, problem, normLanesGradVariants)) ??
    whole(hw, problem, true)[0] ??
    split(hw, problem, AT_ONCE.gradient)[0] ??
    sweeps,
  ways: (hw, problem) => [
    sweeps,
    ...image(hw, problem),
    ...whole(hw, problem, true),
    ...lanes(hw, problem, normLanesGradVariants),
    ...split(hw, problem, AT_ONCE.gradient),
  ],
  agree: (engine, [x, , statistics, ...parameters], problem) =>
    engine.scope(() => void normed.run(engine, [x, ...parameters.slice(0, 3), statistics], problem, sweeps)),
  run: (engine, inputs, problem, way) => {
    const [x, dy, statistics, gamma, beta, alpha, grads, before] = inputs as BackInputs;
    if (way.kernel === "sweeps") {
      const factors = factorsOf(engine, inputs, problem);
      const all = [x, dy, statistics, gamma, beta, alpha, factors, before];
      return chosen(engine, gradApplied, all, problem);
    }
    if (way.kernel === "image") return normedImagesBack(engine, inputs, problem);
    const { rows, columns, act, params, groupSize, plus, places } = problem;
    const { width, dGammaAt, dBetaAt } = places;
    const dx = engine.empty(x.shape);
    const read = { x, dy, gamma, beta, alpha, ...bound(before, x) };
    const adds = { before: before !== undefined };
    if (way.kernel === "whole") {
      const { kernel: _, ...variant } = way;
      const sizes = { ...params, groupSize, width, dGammaAt, dBetaAt };
      engine.launch(groupNormGrad, { act, ...variant, ...adds }, { ...read, statistics, dx, grads }, sizes);
    } else if (way.kernel === "lanes") {
      const { kernel: _, ...variant } = way;
      const sizes = { ...params, width, dGammaAt, dBetaAt };
      engine.launch(normLanesGrad, { act, ...variant, ...adds }, { ...read, statistics, dx, grads }, sizes);
    } else {
      const { kernel: _, ...variant } = way;
      const cut = normCut(columns);
      const { pieces, size } = cut;
      const count = rows * pieces;
      const told = engine.empty([count + rows, 4]);
      const reader = { act, ...normPiecesVariant(cut, way.each) };
      const lines = { ...params, count, size, pieces, plus: plus ? 1 : 0 };
      engine.launch(normGradPieces, reader, { ...read, statistics, told }, lines);
      const sizes = { ...params, span: spanOf(problem), pieces, ...places };
      engine.launch(normGradSplit, { act, plus, ...variant, ...adds }, { ...read, told, dx, grads }, sizes);
    }
    return dx;
  },
};
