import { UsageError } from "../../../engine/errors.ts";
import * as op from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import type { OpContext, OpRunner } from "../op-context.ts";

/** Ops of the engine, straight. */
export const primitives: Readonly<Record<string, OpRunner>> = {
  elu: (c) => op.elu(c.in("x"), c.attrs.number("alpha", 1)),
  silu: (c) => op.silu(c.in("x")),
  relu: (c) => op.relu(c.in("x")),
  leaky_relu: (c) => op.leakyRelu(c.in("x"), c.attrs.number("negative_slope", 0.01)),
  softplus: (c) => op.softplus(c.in("x")),
  sigmoid: (c) => op.sigmoid(c.in("x")),
  tanh: (c) => op.tanh(c.in("x")),

  matmul: (c) => op.matmul(c.in("a"), c.in("b")),
  linear(c) {
    const y = op.matmul(c.in("x"), c.in("weight"), { transposeB: true });
    const bias = c.optional("bias");
    return bias ? op.add(y, bias) : y;
  },

  softmax: (c) => overAxis(c, op.softmax),
  log_softmax: (c) => overAxis(c, op.logSoftmax),
  logsumexp: (c) => overAxis(c, op.logsumexp),
  cross_entropy(c) {
    const mean = op.crossEntropy(c.in("x"), c.in("labels"));
    const reduction = c.attrs.string("reduction", "mean");
    if (reduction === "mean") return mean;
    if (reduction === "sum") return op.mul(mean, c.in("x").dim(0));
    throw new UsageError(`cross_entropy: unknown reduction ${reduction}`);
  },

  conv2d(c) {
    const [py, px] = c.attrs.pair("padding", 0);
    const [left, right, top, bottom] = c.attrs.numbers("pad_left_right_top_bottom", [0, 0, 0, 0]) as Four;
    return op.conv2d(c.in("x"), c.in("weight"), c.optional("bias"), {
      stride: c.attrs.pair("stride", 1),
      dilation: c.attrs.pair("dilation", 1),
      padding: [py + top, py + bottom, px + left, px + right],
    });
  },
  conv_transpose2d: (c) =>
    op.convTranspose2d(c.in("x"), c.in("weight"), c.optional("bias"), {
      stride: c.attrs.pair("stride", 1),
      padding: c.attrs.pair("padding", 0),
      dilation: c.attrs.pair("dilation", 1),
      outputPadding: c.attrs.pair("output_padding", 0),
    }),

  avg_pool2d: (c) =>
    op.avgPool2d(c.in("x"), { ...window(c), countIncludePad: c.attrs.boolean("count_include_pad", true) }),
  max_pool2d: (c) => op.maxPool2d(c.in("x"), window(c)),
  interpolate,
  upfirdn2d: (c) =>
    op.upfirdn2d(c.in("x"), c.in("kernel"), {
      up: c.attrs.pair("up", 1),
      down: c.attrs.pair("down", 1),
      pad: c.attrs.numbers("pad_before_after", [0, 0]) as [number, number],
    }),
};

type Four = readonly [number, number, number, number];

/** f works on the last axis; the attribute dim may name another. */
function overAxis(c: OpContext, f: (x: Tensor) => Tensor): Tensor {
  const x = c.in("x");
  const dim = c.attrs.number("dim", -1);
  const axis = dim < 0 ? dim + x.rank : dim;
  if (axis === x.rank - 1) return f(x);
  const order = [...x.shape.keys()].filter((a) => a !== axis);
  const y = f(op.permute(x, [...order, axis]));
  if (y.rank < x.rank) return y; // the axis is gone
  return op.permute(
    y,
    x.shape.map((_, a) => (a === axis ? x.rank - 1 : order.indexOf(a))),
  );
}

const window = ({ attrs }: OpContext): op.PoolOptions => ({
  kernel: attrs.pair("kernel"),
  stride: attrs.has("stride") ? attrs.pair("stride") : undefined,
  padding: attrs.pair("padding", 0),
});

function interpolate(c: OpContext): Tensor {
  const x = c.in("x");
  const [fy, fx] = c.attrs.pair("factor", 1);
  const size = c.attrs.has("size") ? c.attrs.pair("size") : ([x.dim(2) * fy, x.dim(3) * fx] as const);
  const mode = c.attrs.string("mode");
  if (mode === "nearest") return op.resizeNearest(x, size);
  if (mode !== "bilinear") throw new UsageError(`interpolate: unknown mode ${mode}`);
  return op.resizeBilinear(x, size, { alignCorners: c.attrs.boolean("align_corners", false) });
}
