import { broadcasts, LANES } from "../../kernels/broadcast.ts";
import { upfirdn2d as kernel, upfirdn2dTile as tile } from "../../kernels/upfirdn2d.ts";
import { chosen, type Tunable } from "../choices.ts";
import { UsageError } from "../errors.ts";
import { defineOp, type Op } from "../op.ts";
import { flip as flipArray } from "../oracle/shape.ts";
import * as oracle from "../oracle/upfirdn2d.ts";
import { showShape } from "../shapes.ts";
import type { Tensor } from "../tensor.ts";
import { fourPads, type Padding, type Pair, pair, requireLengths } from "./conv-shapes.ts";
import { requireFloat } from "./require.ts";

interface Attrs {
  readonly up: Pair;
  readonly down: Pair;
  readonly pad: Padding;
  readonly flip: boolean;
}

const outSize = ([h, w]: Pair, [kh, kw]: Pair, { up, down, pad: [t, b, l, r] }: Attrs): Pair => [
  Math.floor((h * up[0] + t + b - kh) / down[0]) + 1,
  Math.floor((w * up[1] + l + r - kw) / down[1]) + 1,
];

/** Filters and factors beyond these are not unrolled. */
const MAX_TAPS = 8;
const MAX_FACTOR = 2;

const modulo = (a: number, n: number): number => ((a % n) + n) % n;
const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
/** The first number from `least` after which outputs meet the same taps again. */
const multiple = (least: number, up: number, down: number): number => {
  const unit = up / gcd(up, down);
  return Math.ceil(least / unit) * unit;
};

/** The kernel of a thread for each output, or of tiles. */
type Way =
  | { readonly kernel: "plain" }
  | {
      readonly kernel: "tile";
      readonly rows: number;
      readonly columns: number;
      /** Lines are written and read by vec4s. */
      readonly vec: boolean;
      readonly wide: boolean;
    };

interface Problem extends Attrs {
  readonly filter: Pair;
  /** Height and width of an output. */
  readonly out: Pair;
  /** Width of an input. */
  readonly width: number;
}

const fits = ({ filter, up, down }: Problem): boolean =>
  filter[1] <= MAX_TAPS && Math.max(...up, ...down) <= MAX_FACTOR;

const tileWay = ({ up, down, width }: Problem, rows: number, columns: number, vec: boolean): Way => ({
  kernel: "tile",
  rows: multiple(rows, up[0], down[0]),
  columns: multiple(columns, up[1], down[1]),
  vec,
  wide: vec && up[1] === 1 && width % 4 === 0,
});

/** The ways add in different orders, so the number of planes does not count. */
const filtered: Tunable<Problem, Way> = {
  family: "upfirdn2d",
  classOf: ({ filter, out, up, down, pad, flip }) =>
    `to ${out.join("x")} by ${filter.join("x")} up ${up} down ${down} pad ${pad}${flip ? " flipped" : ""}`,
  heuristic: ({ kind }, problem) => {
    if (!fits(problem)) return { kernel: "plain" };
    const fours = problem.out[1] % 4 === 0;
    if (kind === "cpu") return tileWay(problem, 4, 8, fours);
    if (!fours) return { kernel: "plain" };
    // Small images leave a GPU idle; on an H200 reduced ones are fastest row by row.
    const rows = problem.up[0] < problem.down[0] ? 1 : problem.out[0] >= 16 ? 4 : 2;
    return tileWay(problem, rows, 4, true);
  },
  ways: ({ kind }, problem) => {
    const plain: Way = { kernel: "plain" };
    if (!fits(problem)) return [plain];
    const fours = problem.out[1] % 4 === 0;
    if (kind === "cpu") return [plain, ...[2, 4].map((rows) => tileWay(problem, rows, 8, fours))];
    if (!fours) return [plain, tileWay(problem, 2, 8, false)];
    const sizes = [1, 2, 4].flatMap((rows) => [4, 8].map((columns) => [rows, columns] as const));
    return [plain, ...sizes.map(([rows, columns]) => tileWay(problem, rows, columns, true))];
  },
  run: (engine, [x, filter], { up, down, pad, flip, out: [oh, ow] }, way) => {
    const [n, c, height, width] = x!.shape as [number, number, number, number];
    const [kh, kw] = filter!.shape as [number, number];
    const y = engine.empty([n, c, oh, ow]);
    const tensors = { x: x!, filter_: filter!, y };
    const shared = {
      planes: n * c,
      height,
      width,
      oh,
      ow,
      kh,
      upY: up[0],
      downY: down[0],
      flip: flip ? 1 : 0,
    };
    const [top, left] = [pad[0], pad[2]];
    if (way.kernel === "plain")
      engine.launch(kernel, {}, tensors, { ...shared, kw, upX: up[1], downX: down[1], top, left });
    else {
      const { rows, columns, vec, wide } = way;
      const lead = wide ? modulo(-left, 4) : -1;
      const broadcast = broadcasts(engine.hardware) && kw <= LANES;
      engine.launch(
        tile,
        {
          up: up[1],
          down: down[1],
          taps: kw,
          phase: modulo(-left, up[1]),
          rows,
          columns,
          vec,
          lead,
          broadcast,
        },
        tensors,
        {
          ...shared,
          phaseY: modulo(-top, up[0]),
          top: Math.floor(-top / up[0]),
          left: Math.floor(-left / up[1]),
        },
      );
    }
    return y;
  },
};

const op: Op<Attrs> = defineOp({
  name: "upfirdn2d",
  forward: (engine, [x, filter], attrs) => {
    const size = filter!.shape as unknown as Pair;
    const out = outSize([x!.dim(2), x!.dim(3)], size, attrs);
    return chosen(engine, filtered, [x, filter], { ...attrs, filter: size, out, width: x!.dim(3) });
  },
  // The adjoint swaps up and down, reverses the filter once more and pads so that the input's size comes back.
  vjp: ({
    inputs: [, filter],
    dy,
    shapes,
    attrs: {
      up,
      down,
      pad: [top, , left],
      flip,
    },
  }) => {
    const [, , h, w] = shapes[0] as [number, number, number, number];
    const [kh, kw] = shapes[1] as [number, number];
    const after = (size: number, out: number, u: number, d: number, p: number) =>
      size * u - out * d + p - u + 1;
    const pad: Padding = [
      kh - 1 - top,
      after(h, dy.dim(2), up[0], down[0], top),
      kw - 1 - left,
      after(w, dy.dim(3), up[1], down[1], left),
    ];
    return [op(dy.engine, [dy, filter!], { up: down, down: up, pad, flip: !flip })];
  },
  saves: { inputs: [1] },
  oracle: ([x, filter], { up, down, pad, flip }) =>
    oracle.upfirdn2d(x!, flip ? filter! : flipArray(filter!, [0, 1]), { up, down, pad }),
});

/** How an image is resampled. One number stands for both axes. */
export interface Upfirdn2dOptions {
  /** Each pixel becomes so many, all but the first 0; 1 unless told. */
  up?: number | Pair;
  /** Of so many pixels the first is kept; 1 unless told. */
  down?: number | Pair;
  /** [before, after] on both axes, or [top, bottom, left, right]; negative crops. */
  pad?: Pair | Padding;
}

/**
 * Upsample by zeros, pad, convolve with filter [kh,kw] (flipped: a true convolution), downsample: x [n,c,h,w] ->
 * [n,c,oh,ow], oh = floor((h up + top + bottom - kh) / down) + 1, and ow likewise. Karras et al. 2020 (StyleGAN2). No
 * gradient for the filter. Throws UsageError for another rank, integers, a filter that wants a gradient, numbers out of range,
 * and when the output is empty.
 */
export function upfirdn2d(
  x: Tensor,
  filter: Tensor,
  { up = 1, down = 1, pad = [0, 0] }: Upfirdn2dOptions = {},
): Tensor {
  requireFloat("upfirdn2d", x);
  requireFloat("upfirdn2d", filter);
  if (filter.requiresGrad) throw new UsageError("upfirdn2d: the filter has no gradient; pass a plain tensor");
  if (x.rank !== 4 || filter.rank !== 2)
    throw new UsageError(
      `upfirdn2d: got x ${showShape(x.shape)}, filter ${showShape(filter.shape)}, expected [n,c,h,w] and [kh,kw]`,
    );
  const sides: Padding = pad.length === 2 ? [pad[0], pad[1], pad[0], pad[1]] : fourPads(pad);
  const attrs: Attrs = { up: pair(up), down: pair(down), pad: sides, flip: true };
  requireLengths("upfirdn2d", { up: attrs.up, down: attrs.down });
  if (!Array.isArray(sides) || sides.length !== 4 || !sides.every(Number.isInteger))
    throw new UsageError(
      `upfirdn2d: got pad [${pad}], expected [before,after] or [top,bottom,left,right] of whole numbers`,
    );
  const size = outSize([x.dim(2), x.dim(3)], [filter.dim(0), filter.dim(1)], attrs);
  if (size[0] < 1 || size[1] < 1)
    throw new UsageError(`upfirdn2d: got x ${showShape(x.shape)}, smaller than the filter; pad more`);
  return op(x.engine, [x, filter], attrs);
}
