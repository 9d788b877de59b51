import {
  resizeBilinear as bilinearKernel,
  resizeNearest as nearestKernel,
  resizeBilinearGrad,
} from "../../kernels/resize.ts";
import {
  bilinearStrips,
  bilinearStripsGrad,
  stripGradVariant,
  stripRows,
} from "../../kernels/resize-strips.ts";
import { runLength } from "../../kernels/runs.ts";
import type { Engine } from "../engine.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Inputs, type Op, type VjpContext } from "../op.ts";
import { type Array64, withResidual } from "../oracle/array.ts";
import * as oracle from "../oracle/resize.ts";
import { sameShape, showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import { launchBlocks, wholeBlocks } from "./blocks.ts";
import { type Pair, requireLengths } from "./conv-shapes.ts";
import { requireFloat } from "./require.ts";

// Resizing is linear: the gradient is the adjoint, whose gradient is the resize again. To whole blocks both add a residual.

interface Attrs {
  readonly mode: "bilinear" | "corners" | "nearest";
  readonly from: Pair;
  readonly to: Pair;
}

const step = (mode: Attrs["mode"], from: number, to: number): number =>
  mode === "corners" ? (to > 1 ? (from - 1) / (to - 1) : 0) : from / to;

const blocksOf = (engine: Engine, { mode, from, to }: Attrs): Pair | undefined =>
  mode === "nearest" ? wholeBlocks(engine, from, to, [to[0] / from[0], to[1] / from[1]]) : undefined;

/** What is added in the kernel, where it can: the sum of the gradients before. */
const taken = ({ engine, attrs, take }: VjpContext<Attrs>): Tensor | undefined =>
  blocksOf(engine, attrs) && take(0);

function launch(engine: Engine, [given, residual]: Inputs, attrs: Attrs, adjoint: boolean): Tensor {
  const { mode, from, to } = attrs;
  const x = given!;
  const y = engine.empty([x.dim(0), x.dim(1), ...(adjoint ? from : to)]);
  const run = runLength(engine.hardware);
  const sizes = { planes: x.dim(0) * x.dim(1), height: from[0], width: from[1], oh: to[0], ow: to[1] };
  const blocks = blocksOf(engine, attrs);
  if (blocks) {
    launchBlocks(engine, { x, residual, y }, blocks, { sum: adjoint });
    return y;
  }
  if (mode === "nearest") {
    engine.launch(nearestKernel, { adjoint, run }, { x, y }, sizes);
    return y;
  }
  const corners = mode === "corners";
  const params = { ...sizes, scaleY: step(mode, from[0], to[0]), scaleX: step(mode, from[1], to[1]) };
  const strips = adjoint && stripGradVariant(engine.hardware, corners, from, to);
  if (strips) engine.launch(bilinearStripsGrad, strips, { dy: x, dx: y }, params);
  else if (adjoint)
    engine.launch(
      resizeBilinearGrad,
      { corners, by: engine.hardware.kind === "gpu" ? "place" : "line" },
      { dy: x, dx: y },
      params,
    );
  else if (to[1] % 4 === 0)
    engine.launch(bilinearStrips, { corners, rows: stripRows(engine.hardware, false) }, { x, y }, params);
  else engine.launch(bilinearKernel, { corners, run }, { x, y }, params);
  return y;
}

const op: Op<Attrs> = defineOp({
  name: "resize",
  forward: (engine, inputs, attrs) => launch(engine, inputs, attrs, false),
  vjp: (c) => [
    c.wants[0] ? gradOp(c.engine, [c.dy, taken(c)], c.attrs) : undefined,
    c.wants[1] ? c.dy : undefined,
  ],
  oracle: ([x, residual], { mode, to: size }) =>
    mode === "nearest"
      ? withResidual(oracle.resizeNearest(x!, { size }), residual)
      : oracle.resizeBilinear(x!, { size, alignCorners: mode === "corners" }),
});

const gradOp: Op<Attrs> = defineOp({
  name: "resize_grad",
  forward: (engine, inputs, attrs) => launch(engine, inputs, attrs, true),
  vjp: (c) => [
    c.wants[0] ? op(c.engine, [c.dy, taken(c)], c.attrs) : undefined,
    c.wants[1] ? c.dy : undefined,
  ],
  oracle: ([dy, residual], { mode, from: inputSize, to: size }): Array64 =>
    mode === "nearest"
      ? withResidual(oracle.resizeNearestGrad(dy!, { inputSize }), residual)
      : oracle.resizeBilinearGrad(dy!, { size, alignCorners: mode === "corners", inputSize }),
});

function apply(who: string, x: Tensor, to: Pair, mode: Attrs["mode"], residual?: Tensor): Tensor {
  requireFloat(who, x);
  if (x.rank !== 4) throw new UsageError(`${who}: got x ${showShape(x.shape)}, expected [n,c,h,w]`);
  requireLengths(who, { size: to });
  const attrs: Attrs = { mode, from: [x.dim(2), x.dim(3)], to };
  if (!residual) return op(x.engine, [x], attrs);
  requireFloat(who, residual);
  const shape = [x.dim(0), x.dim(1), ...to];
  if (!sameShape(residual.shape, shape))
    throw new UsageError(
      `${who}: got residual ${showShape(residual.shape)}, expected the output's shape ${showShape(shape)}`,
    );
  if (blocksOf(x.engine, attrs)) return op(x.engine, [x, residual], attrs);
  return add(residual, op(x.engine, [x], attrs));
}

/**
 * x [n,c,h,w] -> [n,c,...size], bilinear as torch's interpolate. Throws UsageError for another rank and for sizes that
 * are no whole numbers from 1.
 */
export const resizeBilinear = (x: Tensor, size: Pair, { alignCorners = false } = {}): Tensor =>
  apply("resizeBilinear", x, size, alignCorners ? "corners" : "bilinear");

/**
 * x [n,c,h,w] -> [n,c,...size], the input at floor(i in / out). With a `residual` of that shape: residual + the same, in one
 * kernel where the factors are small whole numbers. Throws UsageError as resizeBilinear does, and for a residual of another
 * shape.
 */
export const resizeNearest = (x: Tensor, size: Pair, { residual }: { residual?: Tensor } = {}): Tensor =>
  apply("resizeNearest", x, size, "nearest", residual);
