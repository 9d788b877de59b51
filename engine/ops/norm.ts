import type { Hardware } from "../../kernels/kernel.ts";
import {
  type NormActivation,
  normActivations,
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
import { grad } from "../autograd.ts";
import { chosen, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import { nearest, UsageError } from "../errors.ts";
import { defineOp, type Inputs, type VjpContext } from "../op.ts";
import * as oracle from "../oracle/norm.ts";
import * as oracleShape from "../oracle/shape.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { add, div, mul, sub } from "./binary.ts";
import { identity, mean, reshape, sum } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { narrow } from "./shape.ts";
import { elu, leakyRelu, relu, rsqrt, silu, sqrt, square } from "./unary.ts";
import { dealing, folding, type Table } from "./ways.ts";

/** Parameters of a norm. */
export type AffineName = "gamma" | "beta" | "alpha";
const affineNames: readonly AffineName[] = ["gamma", "beta", "alpha"];

interface Attrs {
  readonly groups: number;
  readonly eps: number;
  readonly plus: boolean;
  readonly activation: NormActivation;
  readonly slope: number;
  /** The second input holds these side by side, a row for each sample; else one input for each of `affineNames`. */
  readonly order?: readonly AffineName[];
}

const momentsOf = folding<Table>("norm_moments", (engine, [x], { rows, columns }, way) => {
  const moments = engine.empty([rows, 2]);
  engine.launch(normMoments, way, { x: x!, moments }, { maps: rows, hw: columns });
  return moments;
});

/** A launch over maps whose parameters stand beside: see affine. */
interface Maps extends Table {
  readonly act: NormActivation;
  readonly params: ReturnType<typeof affine>["params"] & Record<"maps" | "hw" | "channels", number>;
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

const gradApplied = dealing<Maps>("norm_grad_apply", (engine, inputs, { act, params }, way) => {
  const [x, dy, statistics, gamma, beta, alpha, factors] = inputs as Tensor[];
  const dx = engine.empty(x!.shape);
  const parameters = { gamma: gamma!, beta: beta!, alpha: alpha! };
  const tensors = { x: x!, dy: dy!, statistics: statistics!, ...parameters, factors: factors!, dx };
  engine.launch(normGradApply, { act, ...way }, tensors, params);
  return dx;
});

/** A norm whose parameters stand beside, and where the gradients of those go. */
interface Problem extends Maps {
  readonly groupSize: number;
  readonly eps: number;
  readonly plus: boolean;
}
interface GradProblem extends Problem {
  readonly places: Record<"width" | "dGammaAt" | "dBetaAt" | "dAlphaAt", number>;
}

/**
 * Several sweeps over the maps; or one workgroup that keeps a whole group: see kernels/norm-group.ts; or the same with some
 * lanes for each map: see kernels/norm-lanes.ts; or two sweeps, of so many MiB in turn or, if 0, of all at once: see
 * kernels/norm-split.ts.
 */
type Kept<V> =
  | { readonly kernel: "sweeps" }
  | ({ readonly kernel: "whole" } & GroupNormVariant)
  | ({ readonly kernel: "lanes" } & V)
  | ({ readonly kernel: "split"; readonly turn: number } & NormPiecesVariant);
type Way = Kept<NormLanesForwardVariant>;
type GradWay = Kept<NormLanesGradVariant>;
const sweeps = { kernel: "sweeps" } as const;

/** The variants that keep whole groups, on a GPU: the usual one first, if any fits. */
function whole(hw: Hardware, { columns, groupSize, plus }: Problem, gradient: boolean) {
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
  { columns, groupSize, plus }: Problem,
  variants: (hw: Hardware, maps: number, columns: number) => V[],
) => (plus ? [] : variants(hw, groupSize, columns).map((v) => ({ kernel: "lanes", ...v }) as const));

/** Maps that share statistics, or the mean of means: see kernels/norm-split.ts. */
const spanOf = ({ plus, groupSize, params }: Problem): number => (plus ? params.channels : groupSize);

/** Places a thread has on their way at once, of x; of x and dy: as many as those that lanes keep. */
const AT_ONCE = { forward: 8, gradient: 4 };
/** MiB that a GPU's cache holds from one sweep to the next beside what is written: of 50, about half. 0: all in one turn. */
const TURNS = [0, 24];

/** The variants with two sweeps: the usual one first. */
function split(hw: Hardware, problem: Problem, atOnce: number) {
  if (hw.kind === "cpu" || !hw.subgroups) return [];
  const { vec, pieces, size } = normCut(problem.columns);
  const line = { vec, size: size * pieces };
  return TURNS.flatMap((turn) =>
    [atOnce, atOnce / 2].map((most) => {
      const variant = normPiecesVariant(line, most, spanOf(problem));
      return { kernel: "split", turn, ...variant } as const;
    }),
  );
}

/** Runs `sweep` for the maps of whole spans in turns of so many MiB, of `bytes` each; for all at once if 0. */
function eachTurn(
  problem: Problem,
  turn: number,
  bytes: number,
  sweep: (first: number, count: number) => void,
) {
  const [span, maps] = [spanOf(problem), problem.rows];
  const spans = Math.floor((turn * 2 ** 20) / (span * bytes * problem.columns));
  const step = turn === 0 ? maps : span * Math.max(1, spans);
  for (let first = 0; first < maps; first += step) sweep(first, Math.min(step, maps - first));
}

const byGroup = ({ columns, groupSize, plus }: Problem): string =>
  `${plus ? "++ of" : "groups of"} ${groupSize}x${columns}`;
const imageBy = ({ hardware: { kind } }: Engine) => ({ by: kind === "cpu" ? "image" : "map" }) as const;

type Split = Extract<Way, { readonly kernel: "split" }>;

/** As `normed`. */
function normedInTwo(engine: Engine, inputs: readonly Tensor[], problem: Problem, way: Split): Tensor {
  const [x, gamma, beta, alpha, statistics] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const { rows, columns, act, params, groupSize, eps, plus } = problem;
  const { kernel: _, turn, ...variant } = way;
  const { pieces, size } = normCut(columns);
  const reader = normPiecesVariant({ vec: way.vec, size }, way.each);
  const moments = engine.empty([rows * pieces, 2]);
  const y = engine.empty(x.shape);
  const tensors = { x, moments, gamma, beta, alpha, statistics, y };
  eachTurn(problem, turn, 4, (first, count) => {
    engine.launch(normPieces, reader, { x, moments }, { first: first * pieces, count: count * pieces, size });
    const sizes = { ...params, spans: count / spanOf(problem), firstMap: first, groupSize, pieces, eps };
    engine.launch(normSplit, { act, plus, ...variant }, tensors, sizes);
  });
  return y;
}

/** y of x, gamma, beta and alpha; the statistics are written into the last input. */
const normed: Tunable<Problem, Way> = {
  family: "norm",
  classOf: byGroup,
  heuristic: (hw, problem) =>
    usualLanes(lanes(hw, problem, normLanesVariants)) ??
    whole(hw, problem, false)[0] ??
    split(hw, problem, AT_ONCE.forward)[0] ??
    sweeps,
  ways: (hw, problem) => [
    sweeps,
    ...whole(hw, problem, false),
    ...lanes(hw, problem, normLanesVariants),
    ...split(hw, problem, AT_ONCE.forward),
  ],
  run: (engine, inputs, problem, way) => {
    const [x, gamma, beta, alpha, statistics] = inputs as [Tensor, Tensor, Tensor, Tensor, Tensor];
    const { rows, columns, act, params, groupSize, eps, plus } = problem;
    if (way.kernel === "split") return normedInTwo(engine, inputs as Tensor[], problem, way);
    if (way.kernel !== "sweeps") {
      const y = engine.empty(x.shape);
      const tensors = { x, gamma, beta, alpha, statistics, y };
      if (way.kernel === "whole") {
        const { kernel: _, ...variant } = way;
        engine.launch(groupNormKernel, { act, ...variant }, tensors, { ...params, groupSize, eps });
      } else {
        const { kernel: _, ...variant } = way;
        engine.launch(normLanes, { act, ...variant }, tensors, { ...params, eps });
      }
      return y;
    }
    const moments = chosen(engine, momentsOf, [x], { rows, columns });
    const { maps, channels, hw } = params;
    const sizes = { maps, channels, groupSize, hw, eps, plus: plus ? 1 : 0 };
    engine.launch(normStatistics, imageBy(engine), { moments, statistics }, sizes);
    return chosen(engine, applied, [x, statistics, gamma, beta, alpha], problem);
  },
};

/** The gradients' sums of a map, and what its elements' gradient is made of; d(gamma, beta, alpha) are written into `grads`. */
function factorsOf(
  engine: Engine,
  [x, dy, statistics, gamma, beta, alpha, grads]: readonly Tensor[],
  problem: GradProblem,
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

/** As `normedBack`. */
function backInTwo(engine: Engine, inputs: readonly Tensor[], problem: GradProblem, way: Split): Tensor {
  const [x, dy, statistics, ...parameters] = inputs as [Tensor, Tensor, Tensor, ...Tensor[]];
  const [gamma, beta, alpha, grads] = parameters as [Tensor, Tensor, Tensor, Tensor];
  const { rows, columns, act, params, groupSize, plus, places } = problem;
  const { kernel: _, turn, ...variant } = way;
  const { pieces, size } = normCut(columns);
  const reader = { act, ...normPiecesVariant({ vec: way.vec, size }, way.each) };
  const told = engine.empty([rows * (pieces + 1), 4]);
  const dx = engine.empty(x.shape);
  const read = { x, dy, gamma, beta, alpha, told };
  eachTurn(problem, turn, 8, (first, count) => {
    const cut = { ...params, first: first * pieces, count: count * pieces, size, pieces, plus: plus ? 1 : 0 };
    engine.launch(normGradPieces, reader, { ...read, statistics }, cut);
    const spans = { spans: count / spanOf(problem), firstMap: first, statisticsAt: rows * pieces };
    const sizes = { ...params, ...spans, groupSize, pieces };
    engine.launch(normGradSplit, { act, plus, ...variant }, { ...read, dx, grads }, { ...sizes, ...places });
  });
  return dx;
}

/** dx of x, dy, the statistics and parameters; the parameters' gradients are written into the last input. */
const normedBack: Tunable<GradProblem, GradWay> = {
  family: "norm_grad",
  classOf: byGroup,
  heuristic: (hw, problem) =>
    usualLanes(lanes(hw, problem, normLanesGradVariants)) ??
    whole(hw, problem, true)[0] ??
    split(hw, problem, AT_ONCE.gradient)[0] ??
    sweeps,
  ways: (hw, problem) => [
    sweeps,
    ...whole(hw, problem, true),
    ...lanes(hw, problem, normLanesGradVariants),
    ...split(hw, problem, AT_ONCE.gradient),
  ],
  agree: (engine, [x, , statistics, ...parameters], problem) =>
    engine.scope(() => void normed.run(engine, [x, ...parameters.slice(0, 3), statistics], problem, sweeps)),
  run: (engine, inputs, problem, way) => {
    const all = inputs as Tensor[];
    const [x, dy, statistics, gamma, beta, alpha, grads] = all as [Tensor, ...Tensor[]];
    if (way.kernel === "split") return backInTwo(engine, all, problem, way);
    if (way.kernel === "sweeps") {
      const factors = factorsOf(engine, all, problem);
      return chosen(engine, gradApplied, [x, dy, statistics, gamma, beta, alpha, factors], problem);
    }
    const { act, params, groupSize } = problem;
    const { width, dGammaAt, dBetaAt } = problem.places;
    const places = { width, dGammaAt, dBetaAt };
    const dx = engine.empty(x.shape);
    const parameters = { gamma: gamma!, beta: beta!, alpha: alpha! };
    const tensors = { x, dy: dy!, statistics: statistics!, ...parameters, dx, grads: grads! };
    if (way.kernel === "whole") {
      const { kernel: _, ...variant } = way;
      engine.launch(groupNormGrad, { act, ...variant }, tensors, { ...params, groupSize, ...places });
    } else {
      const { kernel: _, ...variant } = way;
      engine.launch(normLanesGrad, { act, ...variant }, tensors, { ...params, ...places });
    }
    return dx;
  },
};

const op = defineOp<Attrs>({
  name: "norm",
  forward: (engine, inputs, attrs) => {
    const x = inputs[0]!;
    const { maps } = geometry(x, attrs);
    const statistics = engine.empty([maps, 4]);
    const { tensors, problem } = problemOf(inputs, x, attrs);
    const { gamma, beta, alpha } = tensors;
    const y = chosen(engine, normed, [x, gamma, beta, alpha, statistics], problem);
    return { y, extras: [statistics] };
  },
  vjp: (c) => throughComposite(c, composite),
  fusedVjp: ({ engine, inputs, dy, attrs, extras, wants, shapes }) => {
    const x = inputs[0]!;
    const statistics = extras[0]!;
    const { maps, channels } = geometry(x, attrs);
    const { tensors, parts, problem } = problemOf(inputs, statistics, attrs);
    const width = parts.length * channels;
    const rows = engine.empty([maps / channels, Math.max(width, 1)]); // of the parameters' gradients
    const start = (name: AffineName) => Math.max(parts.indexOf(name), 0) * channels;
    const places = { width, dGammaAt: start("gamma"), dBetaAt: start("beta"), dAlphaAt: start("alpha") };
    const all = [x, dy, statistics, tensors.gamma, tensors.beta, tensors.alpha, rows];
    let dx: Tensor;
    if (wants[0]) dx = chosen(engine, normedBack, all, { ...problem, places });
    else {
      factorsOf(engine, all, { ...problem, places });
      dx = engine.empty(x.shape);
    }
    if (attrs.order) return [dx, rows];
    const perSample = shapes.slice(1).some((shape) => shape?.length === 2);
    const grads = perSample || width === 0 ? rows : sum(rows, { axis: 0 });
    const parameter = (name: AffineName) =>
      parts.length === 1 ? grads : narrow(grads, -1, start(name), channels);
    return [dx, ...affineNames.map((name, i) => (wants[i + 1] ? parameter(name) : undefined))];
  },
  saves: { inputs: [0, 1, 2, 3] },
  oracle: ([x, ...given], attrs) => {
    const c = x!.shape[1]!;
    const [gamma, beta, alpha] = affineNames.map((name, i) => {
      if (!attrs.order) return given[i] ?? null;
      const at = attrs.order.indexOf(name);
      return at < 0 ? null : oracleShape.slice(given[0]!, [0, at * c], [x!.shape[0]!, c]);
    });
    return oracle.norm(x!, attrs, gamma!, beta!, alpha!);
  },
});

function geometry(x: Tensor, { groups }: Attrs) {
  const [n, channels, h, w] = x.shape as [number, number, number, number];
  return { maps: n * channels, hw: h * w, channels, groupSize: channels / groups };
}

/** Bindings, places and flags; an absent parameter binds any buffer and is not read. `parts`: those present, in their order. */
function affine([x, ...given]: Inputs, spare: Tensor, { slope, order }: Attrs) {
  const channels = x!.dim(1);
  const parts = order ?? affineNames.filter((_, i) => given[i]);
  const find = (name: AffineName) => (order ? given[0] : given[affineNames.indexOf(name)]);
  const tensor = (name: AffineName) => (parts.includes(name) ? find(name)! : spare);
  const at = (name: AffineName) => Math.max(order?.indexOf(name) ?? 0, 0) * channels;
  const use = (name: AffineName) => (parts.includes(name) ? 1 : 0);
  const shared = given.find((t) => t !== undefined)?.rank !== 2;
  return {
    parts,
    tensors: { gamma: tensor("gamma"), beta: tensor("beta"), alpha: tensor("alpha") },
    params: {
      pitch: shared ? 0 : (order?.length ?? 1) * channels,
      gammaAt: at("gamma"),
      betaAt: at("beta"),
      alphaAt: at("alpha"),
      useGamma: use("gamma"),
      useBeta: use("beta"),
      useAlpha: use("alpha"),
      slope,
    },
  };
}

/** What the kernels are told of a norm. `spare`: any tensor that they only read, to bind for parameters that it has not. */
function problemOf(inputs: Inputs, spare: Tensor, attrs: Attrs) {
  const { maps, hw, channels, groupSize } = geometry(inputs[0]!, attrs);
  const { tensors, params, parts } = affine(inputs, spare, attrs);
  const { activation: act, eps, plus } = attrs;
  const all = { maps, hw, channels, ...params };
  const problem: Problem = { rows: maps, columns: hw, act, params: all, groupSize, eps, plus };
  return { tensors, parts, problem };
}

/** The same norm in plain ops, for derivatives of derivatives. */
function composite([x, ...given]: Inputs, { groups, eps, plus, activation, slope, order }: Attrs): Tensor {
  const [n, c, h, w] = x!.shape as [number, number, number, number];
  const [gamma, beta, alpha] = affineNames.map((name, i) => {
    if (!order) return given[i];
    return order.includes(name) ? narrow(given[0]!, 1, order.indexOf(name) * c, c) : undefined;
  });
  const grouped = reshape(x!, [n, groups, (c / groups) * h * w]);
  const centred = sub(grouped, mean(grouped, { axis: 2, keepDims: true }));
  const variance = mean(square(centred), { axis: 2, keepDims: true });
  let z = reshape(mul(centred, rsqrt(add(variance, eps))), x!.shape);
  const each = (t: Tensor) => reshape(t, [t.rank === 2 ? n : 1, c, 1, 1]);
  if (plus && c > 1) {
    const mu = mean(x!, { axis: [2, 3], keepDims: true });
    const off = sub(mu, mean(mu, { axis: 1, keepDims: true }));
    const spread = div(sum(square(off), { axis: 1, keepDims: true }), c - 1);
    const u = div(off, sqrt(add(spread, eps)));
    z = add(z, alpha ? mul(u, each(alpha)) : u);
  }
  if (gamma) z = mul(z, each(gamma));
  if (beta) z = add(z, each(beta));
  return activate(z, activation, slope);
}

/** An activation by its name. */
export function activate(z: Tensor, activation: NormActivation, slope = 0.01): Tensor {
  switch (activation) {
    case "none":
      return z;
    case "elu":
      return elu(z);
    case "silu":
      return silu(z);
    case "relu":
      return relu(z);
    case "leakyRelu":
      return leakyRelu(z, slope);
  }
}

/** The derivative of a fused op as the derivative of its definition in plain ops. */
export function throughComposite<A>(
  { inputs, attrs, dy, wants }: VjpContext<A>,
  definition: (inputs: Inputs, attrs: A) => Tensor,
): (Tensor | undefined)[] {
  // Nodes of their own, where the inner grad stops: inputs may be one tensor, or made from each other.
  const own = inputs.map((t) => t && identity(t));
  const wanted = own.filter((t, i): t is Tensor => t !== undefined && wants[i] === true);
  const grads = grad(definition(own, attrs), wanted, { cotangent: dy, createGraph: true });
  return own.map((t, i) => (wants[i] ? grads[wanted.indexOf(t!)] : undefined));
}

/** What follows a normalisation of x [n,c,h,w], in its kernel. */
export interface NormOptions {
  /** Scale [c], or [n, c] for each sample. */
  gamma?: Tensor;
  /** Shift, like gamma. */
  beta?: Tensor;
  /** In place of these each sample's parameters side by side, [n, parts c], in the order named. */
  rows?: { readonly values: Tensor; readonly order: readonly AffineName[] };
  eps?: number;
  /** Applied to the result in the same kernel. */
  activation?: NormActivation;
  /** LeakyReLU's slope. */
  slope?: number;
}

function norm(
  who: string,
  x: Tensor,
  groups: number,
  plus: boolean,
  options: NormOptions & { alpha?: Tensor },
): Tensor {
  const { gamma, beta, alpha, rows, eps = 1e-5, activation = "none", slope = 0.01 } = options;
  requireFloat(who, x);
  if (x.rank !== 4) throw new UsageError(`${who}: got x ${showShape(x.shape)}, expected [n,c,h,w]`);
  const [n, c] = x.shape as [number, number];
  if (!Number.isInteger(groups) || groups < 1 || c % groups !== 0)
    throw new UsageError(`${who}: got ${groups} groups for ${c} channels, expected a divisor of ${c}`);
  if (!(eps > 0)) throw new UsageError(`${who}: got eps ${eps}, expected a positive number`);
  if (!normActivations.includes(activation)) {
    const meant = nearest(activation, normActivations);
    throw new UsageError(
      `${who}: got activation ${activation}, expected one of ${normActivations.join(", ")}${meant ? `; did you mean ${meant}?` : ""}`,
    );
  }
  const affines = [gamma, beta, alpha].filter((t) => t !== undefined);
  for (const t of affines) {
    requireFloat(who, t);
    if (t.dim(-1) !== c || t.rank > 2 || (t.rank === 2 && t.dim(0) !== n) || t.rank !== affines[0]!.rank)
      throw new UsageError(
        `${who}: got a parameter ${showShape(t.shape)} for x ${showShape(x.shape)}, expected all [${c}] or all [${n},${c}]`,
      );
  }
  const attrs = { groups, eps, plus, activation, slope };
  if (!rows) return op(x.engine, [x, gamma, beta, alpha], attrs);
  const { values, order } = rows;
  requireFloat(who, values);
  if (affines.length > 0) throw new UsageError(`${who}: got rows beside single parameters, expected either`);
  const known = affineNames.filter((name) => plus || name !== "alpha");
  if (new Set(order).size !== order.length || !order.every((name) => known.includes(name)))
    throw new UsageError(
      `${who}: got rows of ${order.join(", ")}, expected each of ${known.join(", ")} at most once`,
    );
  if (values.rank !== 2 || values.dim(0) !== n || values.dim(1) !== order.length * c)
    throw new UsageError(
      `${who}: got rows ${showShape(values.shape)} of ${order.join(", ")} for x ${showShape(x.shape)}, expected [${n},${order.length * c}]`,
    );
  return op(x.engine, [x, values], { ...attrs, order });
}

/**
 * Each map of x [n,c,h,w] to mean 0 and (biased) variance 1, then gamma x + beta -> [n,c,h,w]. Ulyanov et al. 2016. Throws
 * UsageError for another rank, parameters of other shapes, and eps not above 0.
 */
export const instanceNorm = (x: Tensor, options: NormOptions = {}): Tensor =>
  norm("instanceNorm", x, x.dim(1), false, options);

/**
 * Instance norm that keeps the maps' means apart: gamma (xhat + alpha u) + beta, u the means normalised over the
 * channels of an image with the unbiased variance. Song & Ermon 2019, appendix A; eps serves both roots.
 * x [n,c,h,w] -> [n,c,h,w]. Throws UsageError as instanceNorm does.
 */
export const instanceNormPlus = (x: Tensor, options: NormOptions & { alpha?: Tensor } = {}): Tensor =>
  norm("instanceNormPlus", x, x.dim(1), true, options);

/**
 * Groups of c / groups neighbouring channels of x [n,c,h,w] to mean 0 and (biased) variance 1, then gamma x + beta ->
 * [n,c,h,w]. Wu & He 2018. Throws UsageError as instanceNorm does, and for groups that do not divide c.
 */
export const groupNorm = (x: Tensor, groups: number, options: NormOptions = {}): Tensor =>
  norm("groupNorm", x, groups, false, options);
