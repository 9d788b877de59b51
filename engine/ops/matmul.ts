import { broadcasts } from "../../kernels/broadcast.ts";
import { heldAtOnce, up4 } from "../../kernels/conv-copies.ts";
import { type MatrixWay, matrixHeld, matrixWays } from "../../kernels/conv-matrix.ts";
import { type Hardware, range } from "../../kernels/kernel.ts";
import {
  type BiasAlong,
  type MatmulWay,
  matmulRegister,
  matmulShared,
  matmulWay,
  matmulWays,
} from "../../kernels/matmul.ts";
import { pack } from "../../kernels/pack.ts";
import type { Tile } from "../../kernels/tile.ts";
import { FILLED, type ProductShape, usualTile } from "../../kernels/tile-choice.ts";
import { bucket, chosen, type Tunable } from "../choices.ts";
import type { Engine } from "../engine.ts";
import { invariant, UsageError } from "../errors.ts";
import { defineOp, type Inputs } from "../op.ts";
import * as oracle from "../oracle/matmul.ts";
import { broadcastShapes, sameShape, shapeSize, showShape } from "../shapes.ts";
import { bytesOf, type Shape, type Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import { byMatrix } from "./conv-matrix.ts";
import { broadcastTo, reshape, sum, sumTo } from "./reduce.ts";
import { requireFloat } from "./require.ts";
import { narrow } from "./shape.ts";

/** How the operands are read, and what is added to their product. */
export interface MatmulOptions {
  /** Read with its last two axes swapped; not unless told. */
  transposeA?: boolean;
  transposeB?: boolean;
  /** Added in the product's kernel: a number for each column, [n], or row, [m]; [..., n] or [..., m] where each product has its own. */
  bias?: Tensor | undefined;
  /** What the bias has a number for each of; "columns", as a linear layer's, unless told. */
  biasAlong?: "rows" | "columns";
}

type Transposed = Pick<MatmulOptions, "transposeA" | "transposeB">;

interface Attrs extends Required<Transposed> {
  readonly biasAlong: BiasAlong;
}

/** A batch of matrices inside a tensor: strides in elements; a batch stride of 0 is one matrix for all. */
interface Matrices {
  t: Tensor;
  batch: number;
  row: number;
  column: number;
}

const op = defineOp<Attrs>({
  name: "matmul",
  forward: (engine, inputs, attrs) => chosen(engine, product, inputs, problemOf(inputs, attrs)),
  // dA = dY B^T and dB = A^T dY, each transposed once more where the operand was given transposed.
  vjp: ({ inputs: [a, b], dy, shapes, wants, attrs: { transposeA, transposeB, biasAlong } }) => [
    wants[0]
      ? transposeA
        ? summedProduct(shapes[0]!, b!, dy, { transposeA: transposeB, transposeB: true })
        : summedProduct(shapes[0]!, dy, b!, { transposeB: !transposeB })
      : undefined,
    wants[1]
      ? transposeB
        ? summedProduct(shapes[1]!, dy, a!, { transposeA: true, transposeB: transposeA })
        : summedProduct(shapes[1]!, a!, dy, { transposeA: !transposeA })
      : undefined,
    wants[2] ? biasGradient(dy, shapes[2]!, biasAlong) : undefined,
  ],
  saves: { inputs: "crosswise" },
  oracle: ([a, b, bias], { biasAlong, ...attrs }) => {
    const y = oracle.matmul(a!, b!, attrs);
    return bias ? oracle.addBias(y, bias, biasAlong) : y;
  },
});

/** dy [..., m, n] summed over the axes that a bias lacks. */
function biasGradient(dy: Tensor, shape: Shape, along: BiasAlong): Tensor {
  const stays = along === "rows" ? dy.rank - 2 : dy.rank - 1;
  const own = shape.length > 1;
  return sum(dy, { axis: range(dy.rank).filter((axis) => axis !== stays && !(own && axis < dy.rank - 2)) });
}

/**
 * The gradient of an operand: a product, summed over the batch where the operand is one matrix for all of it. A binding
 * may hold the matrices of some of the batch only: then the sums of these are added up.
 */
function summedProduct(shape: Shape, a: Tensor, b: Tensor, options: Transposed): Tensor {
  const batch = shapeSize(a.shape.slice(0, -2));
  if (batch === 1) return reshape(matmul(a, b, options), shape);
  const atOnce = heldAtOnce(a.engine.hardware, 4 * shapeSize(shape.slice(-2)));
  if (shape.length > 2 || atOnce >= batch) return sumTo(matmul(a, b, options), shape);
  const [as, bs] = [a, b].map((t) => reshape(t, [batch, ...t.shape.slice(-2)])) as [Tensor, Tensor];
  const sumOf = (from: number) => {
    const count = Math.min(atOnce, batch - from);
    return sumTo(matmul(narrow(as, 0, from, count), narrow(bs, 0, from, count), options), shape);
  };
  return range(Math.ceil(batch / atOnce))
    .map((turn) => sumOf(turn * atOnce))
    .reduce((total, part) => add(total, part));
}

const sides = (t: Tensor, transposed: boolean): [number, number] =>
  transposed ? [t.dim(-1), t.dim(-2)] : [t.dim(-2), t.dim(-1)];

function matrices(t: Tensor, transposed: boolean): Matrices {
  const width = t.dim(-1);
  return {
    t,
    batch: t.rank > 2 ? t.dim(-2) * width : 0,
    row: transposed ? 1 : width,
    column: transposed ? width : 1,
  };
}

/** C [batch, m, n] = A B with k terms. */
interface Sizes extends ProductShape {
  readonly k: number;
}

interface Problem extends Sizes, Attrs {
  /** A is one matrix for all of the batch. */
  readonly shared: boolean;
  /** One matrix of weights by activations [batch, k, n] stored as f16: a convolution 1x1, which rounds weights too. */
  readonly half: boolean;
}

type ProductWay = MatmulWay | MatrixWay;

/** Ways on matrix units, the usual first: those of a class are the same, where a sample's rows of channels can be bound. */
const unitWays = (hw: Hardware, { half, batch, m, n, k }: Problem): MatrixWay[] =>
  half && Math.min(m, k) >= FILLED && matrixHeld(hw, { ci: k, co: bucket(m), taps: 1, pixels: n })
    ? matrixWays(hw, { ci: k, m, n: batch * n })
    : [];

function problemOf([a, b, bias]: Inputs, attrs: Attrs): Problem {
  const { transposeA, transposeB, biasAlong } = attrs;
  const [m, k] = sides(a!, transposeA);
  const [, n] = sides(b!, transposeB);
  const batch = Math.max(...[a!, b!].map((t) => shapeSize(t.shape.slice(0, -2))));
  const plain = !transposeA && !transposeB && !(bias && biasAlong === "columns");
  const half = b!.dtype === "f16" && a!.rank === 2 && b!.rank === 3 && plain;
  return { batch, m, n, k, ...attrs, shared: a!.rank === 2, half };
}

const product: Tunable<Problem, ProductWay> = {
  family: "matmul",
  classOf: ({ batch, m, n, k, transposeA, transposeB, half }) =>
    `${bucket(batch)} ${bucket(m)}x${k}${transposeA ? "t" : ""} ${k}x${n}${transposeB ? "t" : ""}${half ? " weights" : ""}`,
  heuristic: (hw, p) =>
    unitWays(hw, p)[0] ?? matmulWay(hw, { ...p, alongM: p.transposeA || (p.shared && isLarge(p)) }),
  ways: (hw, p) => [...matmulWays(hw, p), ...unitWays(hw, p)],
  run: (engine, [a, b, bias], problem, way) => {
    if (way.kernel === "matrix") return byUnits(engine, [a!, b!, bias], problem, way);
    const lead = a!.rank >= b!.rank ? a! : b!;
    const y = engine.empty([...lead.shape.slice(0, -2), problem.m, problem.n]);
    const { transposeA, transposeB, biasAlong: along } = problem;
    const added = bias && { t: bias, along };
    multiply(engine, matrices(a!, transposeA), matrices(b!, transposeB), y, problem, way, added);
    return y;
  },
};

/** Weights [m, k] by activations [batch, k, n] and a bias along m, as the convolution 1x1 that it is. */
function byUnits(
  engine: Engine,
  [a, b, bias]: readonly [Tensor, Tensor, Tensor | undefined],
  { batch, m, n, k }: Problem,
  way: MatrixWay,
): Tensor {
  const one = [1, 1] as const;
  const y = byMatrix(
    engine,
    [b.alias([batch, k, 1, n]), a.alias([m, k, 1, 1]), bias],
    {
      ...{
        n: batch,
        ci: k,
        co: m,
        oh: 1,
        ow: n,
        kernel: one,
        stuffing: one,
        flip: false,
        half: true,
        rescale: 1,
      },
      attrs: { stride: one, dilation: one, padding: [0, 0, 0, 0] },
    },
    way,
  );
  return y.alias([batch, m, n]);
}

/** y = a b, the operands perhaps transposed, the way chosen for it: for ops that are products inside. */
export function multiplyInto(
  y: Tensor,
  a: Tensor,
  b: Tensor,
  { transposeA = false, transposeB = false }: Transposed = {},
): void {
  const { engine } = y;
  const problem = problemOf([a, b], { transposeA, transposeB, biasAlong: "columns" });
  const way = engine.choose(product, problem, [a, b]);
  invariant(way.kernel !== "matrix", "matmul: a product on matrix units has an output of its own");
  multiply(engine, matrices(a, transposeA), matrices(b, transposeB), y, problem, way);
}

/** What is added to a product's sums: [m] or [n], or [..., m] or [..., n]. */
interface Bias {
  readonly t: Tensor;
  readonly along: BiasAlong;
}

/** Multiplies matrices that lie inside tensors; by shared tiles, which read any layout, where a binding holds no packed copy. */
export function multiply(
  engine: Engine,
  a: Matrices,
  b: Matrices,
  c: Tensor,
  sizes: Sizes,
  way: MatmulWay,
  bias?: Bias,
): void {
  const { batch, m, n, k } = sizes;
  const left: Packing = { of: a, batch, rows: k, columns: m, rowStride: a.column, columnStride: a.row };
  const right: Packing = { of: b, batch, rows: k, columns: n, rowStride: b.row, columnStride: b.column };
  const { hardware } = engine;
  const held = [left, right].every((p) => isPacked(p) || packedBytes(p) <= hardware.maxBinding);
  if (way.kernel === "shared") byShared(engine, turned(engine, a, left, sizes), b, c, sizes, way, bias);
  else if (!held) byShared(engine, a, b, c, sizes, usualTile(hardware, sizes), bias);
  else {
    const { rows, columns } = way;
    const [aVecs, bVecs] = [Math.ceil(m / 4), Math.ceil(n / 4)];
    engine.launch(
      matmulRegister,
      { rows, columns, broadcast: broadcasts(hardware), bias: bias?.along ?? "none" },
      { a: packed(engine, left), b: packed(engine, right), bias: bias?.t ?? b.t, c },
      {
        ...{ batch, m, n, k, aVecs, bVecs },
        ...{ aBatch: a.batch ? k * aVecs : 0, bBatch: b.batch ? k * bVecs : 0, biasPitch: pitchOf(bias) },
      },
    );
  }
}

/** Multiply-adds from which on a GPU gains more by an A that lies along m than it takes to turn one matrix. */
const LARGE = 2 ** 30;
const isLarge = ({ batch, m, n, k }: Sizes): boolean => batch * m * n * k >= LARGE;

/**
 * A turned around, where it is one matrix for all of a large batch and lies along k: on an H200 64 products of 256x512 by
 * 512x256 take 0.107 ms for 0.134.
 */
function turned(engine: Engine, a: Matrices, packing: Packing, sizes: Sizes): Matrices {
  const gains =
    a.batch === 0 && a.row !== 1 && isLarge(sizes) && packedBytes(packing) <= engine.hardware.maxBinding;
  return gains ? { t: packed(engine, packing), batch: 0, row: 1, column: up4(sizes.m) } : a;
}

/** From one product's bias to the next one's: 0 where all have the same. */
const pitchOf = (bias: Bias | undefined): number => (bias && bias.t.rank > 1 ? bias.t.dim(-1) : 0);

function byShared(
  engine: Engine,
  a: Matrices,
  b: Matrices,
  c: Tensor,
  { batch, m, n, k }: Sizes,
  { rows, columns, slab, eachRows, eachColumns, written }: Tile,
  bias?: Bias,
): void {
  const [aAlongK, bAlongK] = [a.row !== 1, b.column !== 1];
  const fours = [
    n,
    aAlongK ? k : m,
    bAlongK ? k : n,
    a.batch,
    b.batch,
    aAlongK ? a.row : a.column,
    bAlongK ? b.column : b.row,
  ];
  engine.launch(
    matmulShared,
    {
      ...{ rows, columns, slab, eachRows, eachColumns, written },
      ...{ aAlongK, bAlongK, vec: fours.every((length) => length % 4 === 0) },
      bias: bias?.along ?? "none",
    },
    { a: a.t, b: b.t, bias: bias?.t ?? b.t, c },
    {
      ...{ batch, m, n, k },
      ...{
        aBatch: a.batch,
        aRow: a.row,
        aColumn: a.column,
        bBatch: b.batch,
        bRow: b.row,
        bColumn: b.column,
      },
      biasPitch: pitchOf(bias),
    },
  );
}

/** Matrices as a register kernel reads them, [batch, rows, columns in vec4s], rows along the sum. */
interface Packing {
  readonly of: Matrices;
  readonly batch: number;
  readonly rows: number;
  readonly columns: number;
  readonly rowStride: number;
  readonly columnStride: number;
}

/** Whether they lie so already. */
const isPacked = ({ columns, rowStride, columnStride }: Packing): boolean =>
  columnStride === 1 && rowStride === columns && columns % 4 === 0;

/** One matrix for all is packed once. */
const packedShape = ({ of, batch, rows, columns }: Packing) =>
  [of.batch === 0 ? 1 : batch, rows, up4(columns)] as const;

const packedBytes = (p: Packing): number => bytesOf(p.of.t.dtype) * shapeSize(packedShape(p));

/** The tensor itself where it lies so, else a copy. */
function packed(engine: Engine, p: Packing): Tensor {
  const { of, rows, columns, rowStride, columnStride } = p;
  if (isPacked(p)) return of.t;
  const shape = packedShape(p);
  const y = engine.empty(shape, of.t.dtype); // rounds nothing
  const turned = rowStride === 1 && [rows, columnStride, of.batch].every((length) => length % 4 === 0);
  engine.launch(
    pack,
    { turned },
    { x: of.t, y },
    { batch: shape[0], rows, columns, batchStride: of.batch, rowStride, columnStride },
  );
  return y;
}

/**
 * Matrix products of the last two axes: [..., m, k] [..., k, n] -> [..., m, n], leading axes broadcast as in
 * NumPy; the options read an operand's last two axes swapped and add a bias. Throws UsageError when k differs, a rank is
 * below 2, or the bias has another shape.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false, bias, biasAlong = "columns" } = options;
  requireFloat("matmul", a);
  requireFloat("matmul", b);
  if (a.rank < 2 || b.rank < 2)
    throw new UsageError(
      `matmul: got ${showShape(a.shape)} and ${showShape(b.shape)}, expected rank 2 or more; reshape first`,
    );
  if (biasAlong !== "columns" && biasAlong !== "rows")
    throw new UsageError(`matmul: got biasAlong ${biasAlong}, expected "columns" or "rows"`);
  const [m, ka] = sides(a, transposeA);
  const [kb, n] = sides(b, transposeB);
  if (ka !== kb)
    throw new UsageError(
      `matmul: got ${showShape(a.shape)}${transposeA ? " transposed" : ""} and ${showShape(b.shape)}` +
        `${transposeB ? " transposed" : ""}, inner lengths ${ka} and ${kb} differ`,
    );
  const lead = broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2));
  if (bias) requireBias(bias, lead, biasAlong === "rows" ? m : n);
  const spread = (t: Tensor): Tensor => {
    const own = t.shape.slice(0, -2);
    if (sameShape(own, lead)) return t;
    if (shapeSize(own) === 1) return t.rank > 2 ? reshape(t, t.shape.slice(-2)) : t;
    return broadcastTo(t, [...lead, ...t.shape.slice(-2)]);
  };
  return op(a.engine, [spread(a), spread(b), bias], { transposeA, transposeB, biasAlong });
}

function requireBias(bias: Tensor, lead: Shape, length: number): void {
  requireFloat("matmul", bias);
  const [shared, own] = [[length], [...lead, length]];
  if (sameShape(bias.shape, shared) || sameShape(bias.shape, own)) return;
  const expected = lead.length > 0 ? `${showShape(shared)} or ${showShape(own)}` : showShape(shared);
  throw new UsageError(`matmul: got bias ${showShape(bias.shape)}, expected ${expected}`);
}
