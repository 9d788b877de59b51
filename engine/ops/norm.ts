import { type NormActivation, normActivations } from "../../kernels/norm.ts";
import { normsImages } from "../../kernels/norm-image.ts";
import { gradOfInputs } from "../autograd.ts";
import { chosen } from "../choices.ts";
import { expectedOneOf, UsageError } from "../errors.ts";
import { defineOp, type Inputs, type VjpContext } from "../op.ts";
import * as oracleRows from "../oracle/embedding.ts";
import * as oracle from "../oracle/norm.ts";
import * as oracleShape from "../oracle/shape.ts";
import { shapeSize, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { add, div, mul, sub } from "./binary.ts";
import { embedding, embeddingGrad } from "./embedding.ts";
import {
  factorsOf,
  type LookUp,
  type NormProblem,
  normed,
  normedBack,
  normedImages,
  normedImagesBack,
} from "./norm-ways.ts";
import { identity, mean, reshape, sum } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { narrow } from "./shape.ts";
import { elu, leakyRelu, relu, rsqrt, silu, sqrt, square } from "./unary.ts";

/** Parameters of a norm. */
export type AffineName = "gamma" | "beta" | "alpha";
const affineNames: readonly AffineName[] = ["gamma", "beta", "alpha"];

interface Attrs {
  readonly groups: number;
  readonly eps: number;
  readonly plus: boolean;
  readonly activation: NormActivation;
  readonly slope: number;
  /**
   * The second input holds these side by side, a row for each sample, or for each label that a third names; else one input
   * for each of `affineNames`.
   */
  readonly order?: readonly AffineName[];
}

const op = defineOp<Attrs>({
  name: "norm",
  forward: (engine, inputs, attrs) => {
    const x = inputs[0]!;
    const { maps } = geometry(x, attrs);
    const statistics = engine.empty([maps, 4]);
    const { tensors, problem } = problemOf(inputs, x, attrs);
    const { gamma, beta, alpha } = tensors;
    const found = lookUpOf(inputs, attrs);
    const all = [x, gamma, beta, alpha, statistics];
    const y = found ? normedImages(engine, all, problem, found) : chosen(engine, normed, all, problem);
    return { y, extras: [statistics] };
  },
  vjp: (c) => throughComposite(c, composite),
  fusedVjp: ({ engine, inputs, dy, attrs, extras, wants, shapes, take }) => {
    const x = inputs[0]!;
    const statistics = extras[0]!;
    const { maps, channels } = geometry(x, attrs);
    const { tensors, parts, problem } = problemOf(inputs, statistics, attrs);
    const width = parts.length * channels;
    const rows = engine.empty([maps / channels, Math.max(width, 1)]); // of the parameters' gradients
    const start = (name: AffineName) => Math.max(parts.indexOf(name), 0) * channels;
    const places = { width, dGammaAt: start("gamma"), dBetaAt: start("beta"), dAlphaAt: start("alpha") };
    const found = lookUpOf(inputs, attrs);
    const alphaApart = problem.params.useAlpha === 1 && tensors.alpha !== tensors.gamma;
    const before = alphaApart ? undefined : take(0); // see affineBeside of kernels/norm.ts
    const all = [x, dy, statistics, tensors.gamma, tensors.beta, tensors.alpha, rows, before];
    if (found) {
      const dx = normedImagesBack(engine, all, { ...problem, places }, found);
      return [dx, wants[1] ? embeddingGrad(rows, found.labels, found.table.dim(0)) : undefined];
    }
    const dx = wants[0] ? chosen(engine, normedBack, all, { ...problem, places }) : undefined;
    if (!dx) factorsOf(engine, all, { ...problem, places });
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
    const [table, labels] = given;
    const rows = attrs.order && labels ? oracleRows.embedding(table!, labels) : table;
    const [gamma, beta, alpha] = affineNames.map((name, i) => {
      if (!attrs.order) return given[i] ?? null;
      const at = attrs.order.indexOf(name);
      return at < 0 ? null : oracleShape.slice(rows!, [0, at * c], [x!.shape[0]!, c]);
    });
    return oracle.norm(x!, attrs, gamma!, beta!, alpha!);
  },
});

/** Where parameters are looked up: labels stand where, without an order, beta would. */
function lookUpOf([, table, labels]: Inputs, { order }: Attrs): LookUp | undefined {
  return order && labels ? { table: table!, labels } : undefined;
}

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
  const problem: NormProblem = { rows: maps, columns: hw, act, params: all, groupSize, eps, plus };
  return { tensors, parts, problem };
}

/** The same norm in plain ops, for derivatives of derivatives. */
function composite([x, ...given]: Inputs, { groups, eps, plus, activation, slope, order }: Attrs): Tensor {
  const [n, c, h, w] = x!.shape as [number, number, number, number];
  const [table, labels] = given;
  const rows = order && labels ? embedding(table!, labels) : table;
  const [gamma, beta, alpha] = affineNames.map((name, i) => {
    if (!order) return given[i];
    return order.includes(name) ? narrow(rows!, 1, order.indexOf(name) * c, c) : undefined;
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

function requireActivation(who: string, activation: NormActivation): void {
  if (normActivations.includes(activation)) return;
  throw new UsageError(`${who}: got activation ${activation}, ${expectedOneOf(activation, normActivations)}`);
}

/** An activation by its name. Throws UsageError for another name. */
export function activate(z: Tensor, activation: NormActivation, slope = 0.01): Tensor {
  requireActivation("activate", activation);
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
  context: VjpContext<A>,
  definition: (inputs: Inputs, attrs: A) => Tensor,
): (Tensor | undefined)[] {
  const { inputs, attrs } = context;
  const own = inputs.map((t) => t && identity(t)); // nodes of their own: inputs may be one tensor
  return gradOfInputs(definition(own, attrs), own, context, true);
}

/** What follows a normalisation of x [n,c,...], in its kernel. */
export interface NormOptions {
  /** Scale [c], or [n, c] for each sample. */
  gamma?: Tensor;
  /** Shift, like gamma. */
  beta?: Tensor;
  /**
   * In place of these each sample's parameters side by side, [n, parts c], in the order named; with labels [n] (i32) rows
   * of a table [rows, parts c], as `embedding` looks them up.
   */
  rows?: {
    readonly values: Tensor;
    readonly order: readonly AffineName[];
    readonly labels?: Tensor;
  };
  /** Added to the variance; 1e-5 unless told. */
  eps?: number;
  /** Applied to the result in the same kernel; none unless told. */
  activation?: NormActivation;
  /** LeakyReLU's, 0.01 unless told. */
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
  if (x.rank < 2) throw new UsageError(`${who}: got x ${showShape(x.shape)}, expected [n,c,...]`);
  const [n, c, ...rest] = x.shape as [number, number, ...number[]];
  if (rest.length !== 2) {
    const images = reshape(x, [n, c, 1, shapeSize(rest)]);
    return reshape(norm(who, images, groups, plus, options), x.shape);
  }
  if (!Number.isInteger(groups) || groups < 1 || c % groups !== 0)
    throw new UsageError(`${who}: got ${groups} groups for ${c} channels, expected a divisor of ${c}`);
  if (!(eps > 0)) throw new UsageError(`${who}: got eps ${eps}, expected a positive number`);
  requireActivation(who, activation);
  if (alpha && !plus) throw new UsageError(`${who}: got alpha, which only instanceNormPlus takes`);
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
  const { values, order, labels } = rows;
  requireFloat(who, values);
  if (affines.length > 0) throw new UsageError(`${who}: got rows beside single parameters, expected either`);
  const known = affineNames.filter((name) => plus || name !== "alpha");
  if (new Set(order).size !== order.length || !order.every((name) => known.includes(name)))
    throw new UsageError(
      `${who}: got rows of ${order.join(", ")}, expected each of ${known.join(", ")} at most once`,
    );
  const width = order.length * c;
  if (values.rank !== 2 || values.dim(1) !== width || (!labels && values.dim(0) !== n))
    throw new UsageError(
      `${who}: got rows ${showShape(values.shape)} of ${order.join(", ")} for x ${showShape(x.shape)}, expected [${labels ? "rows" : n},${width}]`,
    );
  if (labels && (labels.dtype !== "i32" || labels.rank !== 1 || labels.size !== n))
    throw new UsageError(
      `${who}: got labels ${labels.dtype} ${showShape(labels.shape)} for x ${showShape(x.shape)}, expected i32 [${n}]`,
    );
  const { hardware } = x.engine;
  const inKernel = groups === c && values.dtype === "f32" && normsImages(hardware, c, x.dim(2) * x.dim(3));
  const inputs = labels && inKernel ? [x, values, labels] : [x, labels ? embedding(values, labels) : values];
  return op(x.engine, inputs, { ...attrs, order });
}

/**
 * Each map of x [n,c,...], such as [n,c,h,w], to mean 0 and (biased) variance 1, then gamma x + beta -> x's shape. Ulyanov
 * et al. 2016. Throws UsageError for a rank below 2, parameters of other shapes, and eps not above 0.
 */
export const instanceNorm = (x: Tensor, options: NormOptions = {}): Tensor =>
  norm("instanceNorm", x, x.dim(1), false, options);

/**
 * Instance norm that keeps the maps' means apart: gamma (xhat + alpha u) + beta, u the means normalised over the
 * channels of an image with the unbiased variance. Song & Ermon 2019, appendix A; eps serves both roots.
 * x [n,c,...] -> x's shape. Throws UsageError as instanceNorm does.
 */
export const instanceNormPlus = (x: Tensor, options: NormOptions & { alpha?: Tensor } = {}): Tensor =>
  norm("instanceNormPlus", x, x.dim(1), true, options);

/**
 * Groups of c / groups neighbouring channels of x [n,c,...] to mean 0 and (biased) variance 1, then gamma x + beta -> x's
 * shape. Wu & He 2018. Throws UsageError as instanceNorm does, and for groups that do not divide c.
 */
export const groupNorm = (x: Tensor, groups: number, options: NormOptions = {}): Tensor =>
  norm("groupNorm", x, groups, false, options);
