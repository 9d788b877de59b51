import { rowSpan } from "./conv-span.ts";
import type { Hardware } from "./kernel.ts";

/*
 * The padded copies that convolutions by rows read, of one image: what is larger than a binding allows, a kernel cannot
 * see. How many images there are does not count, for they can come in turns.
 */

type Pair = readonly [y: number, x: number];

interface Geometry {
  readonly stride: Pair;
  readonly dilation: Pair;
}

/** Rows and columns of a padded map. */
type Padded = readonly [lines: number, pitch: number];

export const up4 = (n: number): number => Math.ceil(n / 4) * 4;

/** What outputs of `size` read, in tiles of so many columns. */
export function paddedSize(
  size: Pair,
  [kh, kw]: Pair,
  { stride, dilation }: Geometry,
  columns: number,
): Padded {
  const lines = (size[0] - 1) * stride[0] + (kh - 1) * dilation[0] + 1;
  const tiles = Math.ceil(size[1] / columns);
  const last = { kw, strideX: stride[1], dilationX: dilation[1], columns };
  return [lines, up4((tiles - 1) * columns * stride[1] + up4(rowSpan(last)))];
}

/** Channels of x and of dy, and the sizes of dy and of the kernel. */
interface WeightGeometry extends Geometry {
  readonly ci: number;
  readonly co: number;
  readonly kh: number;
  readonly kw: number;
  readonly size: Pair;
}

/**
 * How a weight gradient reads x and dy. Columns dealt out by their place modulo the dilation, in so many phases, turn it
 * into neighbours, and dilated rows into farther ones.
 */
export function weightCopies({ kh, kw, size, stride, dilation }: WeightGeometry, columns: number) {
  const phases = stride[0] * stride[1] === 1 ? dilation[1] : 1;
  const across = Math.ceil(size[1] / phases);
  const near: Pair = [dilation[0], dilation[1] / phases];
  const [lines, pitch] = paddedSize([size[0], across], [kh, kw], { stride, dilation: near }, columns);
  const x: Padded = [lines * phases, pitch];
  const dy: Padded = [size[0] * phases, Math.ceil(across / columns) * columns];
  return { phases, dilation: near, x, dy };
}

/** Bytes of an image's copy for a convolution, its elements of so many bytes. */
export function rowsBytes(
  p: { ci: number; oh: number; ow: number; kernel: Pair; attrs: Geometry },
  columns: number,
  each: number,
): number {
  const [lines, pitch] = paddedSize([p.oh, p.ow], p.kernel, p.attrs, columns);
  return each * p.ci * lines * pitch;
}

/** Bytes of the larger of an image's two copies for a weight gradient, their elements of four bytes. */
export function weightRowsBytes(p: WeightGeometry, columns: number): number {
  const { x, dy } = weightCopies(p, columns);
  return 4 * Math.max(p.ci * x[0] * x[1], p.co * dy[0] * dy[1]);
}

/** How many arrays of so many bytes a kernel sees at once; one at least. */
export const heldAtOnce = ({ maxBinding }: Pick<Hardware, "maxBinding">, bytes: number): number =>
  Math.max(1, Math.floor(maxBinding / bytes));
