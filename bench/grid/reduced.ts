import type { Shape } from "../../engine/tensor.ts";

/** What the float64 loops can bear of an op: the same op, at shapes that keep what its kernels turn on. */
interface Reduced {
  readonly shapes: readonly (Shape | undefined)[];
  readonly attrs: unknown;
}

type Reduce = (shapes: readonly (Shape | undefined)[], attrs: never) => Reduced;

const capped =
  (most: number): Reduce =>
  (shapes, attrs) => ({ shapes: shapes.map((s) => s?.map((d) => Math.min(d, most))), attrs });

const conv2d: Reduce = ([x, w, bias, residual], attrs) => {
  const [channels, outputs, n] = [Math.min(x![1]!, 12), Math.min(w![0]!, 16), Math.min(x![0]!, 2)];
  const [height, width] = [Math.min(x![2]!, 20), Math.min(x![3]!, 20)];
  // Residuals follow a convolution that keeps the size or halves it.
  const scale = residual ? residual[3]! / x![3]! : 1;
  return {
    shapes: [
      [n, channels, height, width],
      [outputs, channels, w![2]!, w![3]!],
      bias && (bias.length === 2 ? [n, outputs] : [outputs]),
      residual && [n, outputs, height * scale, width * scale],
    ],
    attrs,
  };
};

const matmul: Reduce = ([a, b], attrs: { transposeA: boolean; transposeB: boolean }) => {
  const [m, n, k] = [37, 45, 67];
  const lead = (s: Shape) => s.slice(0, -2).map((d) => Math.min(d, 2));
  return {
    shapes: [
      [...lead(a!), ...(attrs.transposeA ? [k, m] : [m, k])],
      [...lead(b!), ...(attrs.transposeB ? [n, k] : [k, n])],
    ],
    attrs,
  };
};

const norm: Reduce = ([x, ...parameters], attrs: { groups: number; order?: readonly string[] }) => {
  const [n, c] = [Math.min(x![0]!, 2), x![1]!];
  const groups = Math.min(attrs.groups, 4);
  const channels = groups * Math.min(c / attrs.groups, 4);
  const width = attrs.order ? attrs.order.length * channels : channels;
  const side = (d: number) => Math.min(d, 12);
  return {
    shapes: [
      [n, channels, side(x![2]!), side(x![3]!)],
      ...parameters.map((s) => s && (s.length === 2 ? [n, width] : [width])),
    ],
    attrs: { ...attrs, groups },
  };
};

/** The kernel is compiled for its channels, so they stay. */
const attention: Reduce = (shapes, attrs) => ({
  shapes: shapes.map((s) => [Math.min(s![0]!, 2), s![1]!, Math.min(s![2]!, 20)]),
  attrs,
});

/** Planes, and sides that stay even. */
const planes = (s: Shape): Shape => [
  Math.min(s[0]!, 2),
  Math.min(s[1]!, 3),
  Math.min(s[2]!, 10),
  Math.min(s[3]!, 12),
];
const windowed: Reduce = ([x, ...rest], attrs) => ({ shapes: [planes(x!), ...rest], attrs });

const lanewise = ["add", "sub", "mul", "div", "combine", "elu", "relu", "leakyRelu", "silu", "sigmoid"];

const reductions: Readonly<Record<string, Reduce>> = {
  conv2d,
  matmul,
  norm,
  attention,
  upfirdn2d: windowed,
  avg_pool2d: windowed,
  max_pool2d: windowed,
  concat: capped(5),
  ...Object.fromEntries(
    lanewise.flatMap((name) => [name, `${name}_scalar`]).map((name) => [name, capped(7)]),
  ),
};

/** The op at a size to check it at; undefined for one that has none. */
export const reduced = (
  name: string,
  shapes: readonly (Shape | undefined)[],
  attrs: unknown,
): Reduced | undefined => reductions[name]?.(shapes, attrs as never);
