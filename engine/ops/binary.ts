import type { Tensor } from "../tensor.ts";
import type { ByNumberSpec } from "./by-number.ts";
import { type BinarySpec, elementwise } from "./elementwise.ts";
import { scale, scaling } from "./scale.ts";

const addSpec: BinarySpec = {
  rule: ({ dz }) => [() => dz, () => dz],
  byNumber: { rule: ({ dz }) => dz },
};
const subSpec: BinarySpec = {
  rule: ({ dz }) => [() => dz, () => scale(dz, -1)],
  byNumber: { rule: ({ dz }) => dz },
};
/** s - x. */
const fromNumber: ByNumberSpec = { rule: ({ dz }) => scale(dz, -1) };
const mulSpec: BinarySpec = {
  rule: ({ x, y, dz }) => [() => mul(dz, y), () => mul(dz, x)],
  saves: { inputs: "crosswise" },
  byNumber: scaling,
};
const divSpec: BinarySpec = {
  rule: ({ y, z, dz }) => [() => div(dz, y), () => scale(div(mul(dz, z), y), -1)],
  saves: { inputs: [1], output: true },
  byNumber: { rule: ({ dz, s }) => div(dz, s) },
};
/** s / x. */
const numberOver: ByNumberSpec = {
  rule: ({ x, z, dz }) => scale(div(mul(dz, z), x), -1),
  saves: { inputs: [0], output: true },
};
const maximumSpec: BinarySpec = {
  rule: ({ x, y, dz }) => [() => mul(dz, above(x, y)), () => mul(dz, above(y, x))],
  saves: { inputs: [0, 1] },
  byNumber: {
    rule: ({ x, s, dz }) => mul(dz, scale(add(greater(x, s), greaterEqual(x, s)), 0.5)),
    saves: { inputs: [0] },
  },
};
const minimumSpec: BinarySpec = {
  rule: ({ x, y, dz }) => [() => mul(dz, above(y, x)), () => mul(dz, above(x, y))],
  saves: { inputs: [0, 1] },
  byNumber: {
    rule: ({ x, s, dz }) => mul(dz, scale(add(less(x, s), lessEqual(x, s)), 0.5)),
    saves: { inputs: [0] },
  },
};
const flat: BinarySpec = {
  rule: () => undefined,
  byNumber: { rule: () => undefined },
};

/** 1 where x > y, 1/2 at ties: they share the gradient. */
const above = (x: Tensor, y: Tensor): Tensor => scale(add(greater(x, y), greaterEqual(x, y)), 0.5);

/**
 * x + y with broadcasting as in NumPy; either may be a number or a Scalar, as in all of these. They throw UsageError for
 * shapes that do not broadcast, for more than six alternating axes, and for integers.
 */
export const add = elementwise("add", addSpec);
/** x - y. */
export const sub = elementwise("sub", subSpec, "rsub", fromNumber);
/** x y, element by element. */
export const mul = elementwise("mul", mulSpec);
/** x / y. */
export const div = elementwise("div", divSpec, "rdiv", numberOver);
/** The larger of x and y; NaN if either is. Ties share the gradient. */
export const maximum = elementwise("maximum", maximumSpec);
/** The smaller of x and y; NaN if either is. Ties share the gradient. */
export const minimum = elementwise("minimum", minimumSpec);
/** 1 where x > y, else 0. No gradient. */
export const greater = elementwise("greater", flat, "less");
/** 1 where x >= y, else 0. No gradient. */
export const greaterEqual = elementwise("greaterEqual", flat, "lessEqual");
/** 1 where x < y, else 0. No gradient. */
export const less = elementwise("less", flat, "greater");
/** 1 where x <= y, else 0. No gradient. */
export const lessEqual = elementwise("lessEqual", flat, "greaterEqual");
/** 1 where x = y, else 0. No gradient. */
export const equal = elementwise("equal", flat);
