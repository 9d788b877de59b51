/** The oracle itself against the published code, as recorded in the reference data. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import {
  type Array64,
  array,
  attention,
  conv2d,
  embedding,
  matmul,
  norm,
  pool,
  reduce,
  resize,
  shape,
  softmax,
  unary,
  updates,
  upfirdn2d,
} from "../../engine/oracle/index.ts";
import * as gradients from "./gradients.ts";
import { add, dot, expectNear, mul } from "./measure.ts";
import { normGrad } from "./norm-gradients.ts";

const { array64, map, sizeOf, zeros } = array;

interface Case {
  readonly name: string;
  readonly kind: string;
  readonly file: string;
  // biome-ignore lint/suspicious/noExplicitAny: attributes differ from case to case
  readonly attrs: any;
}

type Tensors = Record<string, Array64>;
type Values = Record<string, Array64 | null>;

const root = new URL("../../../shared/reference/", import.meta.url);
const cases: Case[] = JSON.parse(readFileSync(new URL("index.json", root), "utf8")).cases;

function load(file: string): Tensors {
  const bytes = new Uint8Array(readFileSync(new URL(file, root)));
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  const tensors: Tensors = {};
  for (const [name, entry] of Object.entries(header)) {
    const { dtype, shape, data_offsets } = entry as {
      dtype: string;
      shape: number[];
      data_offsets: number[];
    };
    const raw = bytes.slice(start + data_offsets[0]!, start + data_offsets[1]!).buffer;
    tensors[name] = array64(shape, dtype === "I32" ? new Int32Array(raw) : new Float32Array(raw));
  }
  return tensors;
}

const square = (size: number) => [size, size] as const;
const around = (size: number) => [size, size, size, size] as const;
const sizeOfImage = (x: Array64) => [x.shape[2]!, x.shape[3]!] as const;
const perChannel = (x: Array64) => shape.reshape(x, [x.data.length, 1, 1]);

/** Gradient of a broadcast operand: sum over the axes that were stretched. */
function unbroadcast(x: Array64, dims: readonly number[]): Array64 {
  const lead = x.shape.length - dims.length;
  const axes = x.shape.map((_, axis) => axis).filter((axis) => axis < lead || dims[axis - lead] === 1);
  return shape.reshape(reduce.sum(x, axes), dims);
}

/** Convolution, its three gradients. */
function convolution(t: Tensors, attrs: conv2d.Conv2dAttrs): Values {
  const [x, w, gy] = [t["in.x"]!, t["in.weight"]!, t["in.gy"]!];
  return {
    "out.y": conv2d.conv2d(x, w, t["in.bias"] ?? null, attrs),
    "grad.in.x": conv2d.conv2dInputGrad(gy, w, { ...attrs, inputSize: sizeOfImage(x) }),
    "grad.in.weight": conv2d.conv2dWeightGrad(gy, x, { ...attrs, kernelSize: sizeOfImage(w) }),
    "grad.in.bias": t["in.bias"] ? reduce.sum(gy, [0, 2, 3]) : null,
  };
}

function activation(name: gradients.UnaryGradName) {
  return (t: Tensors, { negative_slope }: { negative_slope: number | null }): Values => {
    const attrs = { slope: negative_slope ?? undefined };
    return {
      "out.y": unary.applyUnary(name, t["in.x"]!, attrs),
      "grad.in.x": mul(t["in.gy"]!, gradients.applyUnaryGrad(name, t["in.x"]!, attrs)),
    };
  };
}

const plainNorm = { eps: 1e-5, activation: "none", plus: false } as const;

/** A norm with parameters of its own, under the names a case gives them. */
function normalisation(
  t: Tensors,
  attrs: norm.NormAttrs,
  names: { gamma?: string; beta?: string; alpha?: string },
): Values {
  const [gamma = null, beta = null, alpha = null] = [names.gamma, names.beta, names.alpha].map(
    (name) => (name && t[name]) || null,
  );
  const grads = normGrad(t["in.x"]!, t["in.gy"]!, attrs, gamma, beta, alpha);
  return {
    "out.y": norm.norm(t["in.x"]!, attrs, gamma, beta, alpha),
    "grad.in.x": grads.dx,
    [`grad.${names.gamma}`]: grads.dgamma,
    [`grad.${names.beta}`]: grads.dbeta,
    [`grad.${names.alpha}`]: grads.dalpha,
  };
}

/** A norm whose parameters are parts of an embedded label, in the order given. */
function conditional(attrs: Partial<norm.NormAttrs>, order: readonly ("gamma" | "alpha" | "beta")[]) {
  return (t: Tensors, { bias }: { bias: boolean }): Values => {
    const parts = order.filter((part) => part !== "beta" || bias);
    const full = { ...plainNorm, groups: t["in.x"]!.shape[1]!, ...attrs };
    const [N, C] = t["in.x"]!.shape as [number, number];
    const rows = embedding.embedding(t["param.embed.weight"]!, t["in.labels"]!);
    const of = (part: (typeof order)[number]) => {
      const position = parts.indexOf(part);
      return position < 0 ? null : shape.slice(rows, [0, position * C], [N, C]);
    };
    const { dx, ...grads } = normGrad(t["in.x"]!, t["in.gy"]!, full, of("gamma"), of("beta"), of("alpha"));
    const drows = shape.concat(
      parts.map((part) => grads[`d${part}`] as Array64),
      1,
    );
    return {
      "out.y": norm.norm(t["in.x"]!, full, of("gamma"), of("beta"), of("alpha")),
      "grad.in.x": dx,
      "grad.param.embed.weight": embedding.embeddingGrad(
        drows,
        t["in.labels"]!,
        t["param.embed.weight"]!.shape[0]!,
      ),
    };
  };
}

/** 1x1 convolution of score SDE: W [in,out] over the channels of x [N,in,H,W] or [N,in,T]. */
function nin(x: Array64, W: Array64, b: Array64): Array64 {
  const [N, C, ...rest] = x.shape as [number, number, ...number[]];
  const flat = shape.reshape(x, [N, C, sizeOf(rest)]);
  const y = add(matmul.matmul(W, flat, { transposeA: true }), shape.reshape(b, [b.data.length, 1]));
  return shape.reshape(y, [N, W.shape[1]!, ...rest]);
}

function attentionBlock(t: Tensors, a: { groups: number; eps: number; skip_rescale?: boolean }): Values {
  const [N, C, H, W] = t["in.x"]!.shape as [number, number, number, number];
  const attrs = { ...plainNorm, groups: a.groups, eps: a.eps };
  const [gamma, beta] = [t["param.GroupNorm_0.weight"]!, t["param.GroupNorm_0.bias"]!];
  const weight = (i: number) => t[`param.NIN_${i}.W`]!;
  const layer = (i: number, x: Array64) => nin(x, weight(i), t[`param.NIN_${i}.b`]!);
  const layerGrad = (i: number, dy: Array64) => matmul.matmul(weight(i), dy);
  const rescaled = (x: Array64) => map(x, (value) => (a.skip_rescale ? value / Math.SQRT2 : value));

  const h = shape.reshape(norm.norm(t["in.x"]!, attrs, gamma, beta, null), [N, C, H * W]);
  const [q, k, v] = [0, 1, 2].map((i) => layer(i, h)) as [Array64, Array64, Array64];
  const out = layer(3, attention.attention(q, k, v, C ** -0.5));

  const gy = rescaled(t["in.gy"]!);
  const dout = layerGrad(3, shape.reshape(gy, [N, C, H * W]));
  const { dq, dk, dv } = gradients.attentionGrad(q, k, v, dout, C ** -0.5);
  const dh = add(add(layerGrad(0, dq), layerGrad(1, dk)), layerGrad(2, dv));
  const { dx } = normGrad(t["in.x"]!, shape.reshape(dh, [N, C, H, W]), attrs, gamma, beta, null);
  return { "out.y": rescaled(add(t["in.x"]!, shape.reshape(out, [N, C, H, W]))), "grad.in.x": add(gy, dx) };
}

/** FIR resampling of score SDE by a separable kernel k / sum(k), times factor^2 going up. */
function firResample(t: Tensors, { k, factor }: { k: number[]; factor: number }, upwards: boolean): Values {
  const total = k.reduce((sum, value) => sum + value, 0);
  const taps = array64(
    [k.length],
    k.map((value) => ((upwards ? factor : 1) * value) / total),
  );
  const kernel = mul(shape.reshape(taps, [k.length, 1]), taps);
  const spare = k.length - factor;
  const before = Math.floor((spare + 1) / 2) + (upwards ? factor - 1 : 0);
  const after = Math.floor(spare / 2);
  const pad = [before, after, before, after] as const;
  const attrs = { up: square(upwards ? factor : 1), down: square(upwards ? 1 : factor), pad };
  return {
    "out.y": upfirdn2d.upfirdn2d(t["in.x"]!, kernel, attrs),
    "grad.in.x": gradients.upfirdn2dGrad(t["in.gy"]!, kernel, {
      ...attrs,
      inputSize: sizeOfImage(t["in.x"]!),
    }),
  };
}

function averagePool(t: Tensors, kernel: number, stride: number, padding: number): Values {
  const attrs = {
    kernel: square(kernel),
    stride: square(stride),
    padding: around(padding),
    countIncludePad: true,
  };
  return {
    "out.y": pool.avgPool2d(t["in.x"]!, attrs),
    "grad.in.x": pool.avgPool2dGrad(t["in.gy"]!, { ...attrs, inputSize: sizeOfImage(t["in.x"]!) }),
  };
}

function nearest(t: Tensors): Values {
  return {
    "out.y": resize.resizeNearest(t["in.x"]!, { size: sizeOfImage(t["in.gy"]!) }),
    "grad.in.x": resize.resizeNearestGrad(t["in.gy"]!, { inputSize: sizeOfImage(t["in.x"]!) }),
  };
}

/** What each published op computes, put together from the oracle. */
const ops: Record<string, (t: Tensors, attrs: Case["attrs"]) => Values> = {
  conv2d: (t, a) =>
    convolution(t, { stride: square(a.stride), padding: around(a.padding), dilation: square(a.dilation) }),
  "pad(0,1,0,1) then conv2d": (t, a) =>
    convolution(t, { stride: square(a.stride), padding: [0, 1, 0, 1], dilation: [1, 1] }),
  conv_transpose2d: (t, a) => {
    const attrs = { stride: square(a.stride), padding: around(a.padding), dilation: square(1) };
    const [x, w, gy] = [t["in.x"]!, t["in.weight"]!, t["in.gy"]!];
    return {
      "out.y": add(
        conv2d.conv2dInputGrad(x, w, { ...attrs, inputSize: sizeOfImage(gy) }),
        perChannel(t["in.bias"]!),
      ),
      "grad.in.x": conv2d.conv2d(gy, w, null, attrs),
      "grad.in.weight": conv2d.conv2dWeightGrad(x, gy, { ...attrs, kernelSize: sizeOfImage(w) }),
      "grad.in.bias": reduce.sum(gy, [0, 2, 3]),
    };
  },
  linear: (t) => ({
    "out.y": add(matmul.matmul(t["in.x"]!, t["in.weight"]!, { transposeB: true }), t["in.bias"]!),
    "grad.in.x": matmul.matmul(t["in.gy"]!, t["in.weight"]!),
    "grad.in.weight": matmul.matmul(t["in.gy"]!, t["in.x"]!, { transposeA: true }),
    "grad.in.bias": reduce.sum(t["in.gy"]!, [0]),
  }),
  matmul: (t) => ({
    "out.y": matmul.matmul(t["in.a"]!, t["in.b"]!),
    "grad.in.a": unbroadcast(matmul.matmul(t["in.gy"]!, t["in.b"]!, { transposeB: true }), t["in.a"]!.shape),
    "grad.in.b": unbroadcast(matmul.matmul(t["in.a"]!, t["in.gy"]!, { transposeA: true }), t["in.b"]!.shape),
  }),
  elu: activation("elu"),
  silu: activation("silu"),
  relu: activation("relu"),
  leaky_relu: activation("leakyRelu"),
  softplus: activation("softplus"),
  sigmoid: activation("sigmoid"),
  tanh: activation("tanh"),
  softmax: (t) => {
    const y = softmax.softmax(t["in.x"]!);
    return { "out.y": y, "grad.in.x": gradients.softmaxGrad(y, t["in.gy"]!) };
  },
  logsumexp: (t) => ({
    "out.y": reduce.logsumexp(t["in.x"]!, [-1]),
    "grad.in.x": mul(softmax.softmax(t["in.x"]!), shape.reshape(t["in.gy"]!, [...t["in.gy"]!.shape, 1])),
  }),
  cross_entropy: (t) => ({
    "out.y": softmax.crossEntropy(t["in.x"]!, t["in.labels"]!),
    "grad.in.x": gradients.crossEntropyGrad(t["in.x"]!, t["in.labels"]!),
  }),
  instance_norm: (t) => normalisation(t, { ...plainNorm, groups: t["in.x"]!.shape[1]! }, {}),
  group_norm: (t, { groups, eps }) =>
    normalisation(t, { ...plainNorm, groups, eps }, { gamma: "in.weight", beta: "in.bias" }),
  layer_norm: (t) => {
    const image = (x: Array64) => shape.reshape(x, [...x.shape, 1, 1]);
    const images = { ...t, "in.x": image(t["in.x"]!), "in.gy": image(t["in.gy"]!) };
    const values = normalisation(
      images,
      { ...plainNorm, groups: 1 },
      { gamma: "in.weight", beta: "in.bias" },
    );
    const flat = (name: string) => shape.reshape(values[name] as Array64, t["in.x"]!.shape);
    return { ...values, "out.y": flat("out.y"), "grad.in.x": flat("grad.in.x") };
  },
  InstanceNorm2dPlus: (t) =>
    normalisation(
      t,
      { ...plainNorm, groups: 6, plus: true },
      { gamma: "param.gamma", beta: "param.beta", alpha: "param.alpha" },
    ),
  VarianceNorm2d: (t) =>
    normalisation(
      t,
      { ...plainNorm, groups: 6, meanSubtract: false, unbiased: true },
      { gamma: "param.alpha" },
    ),
  ConditionalInstanceNorm2d: conditional({}, ["gamma", "beta"]),
  ConditionalInstanceNorm2dPlus: conditional({ plus: true }, ["gamma", "alpha", "beta"]),
  ConditionalVarianceNorm2d: conditional({ meanSubtract: false, unbiased: true }, ["gamma", "beta"]),
  avg_pool2d: (t, a) => averagePool(t, a.kernel, a.stride, a.padding),
  naive_downsample_2d: (t) => averagePool(t, 2, 2, 0),
  max_pool2d: (t, a) => {
    const attrs = { kernel: square(a.kernel), stride: square(a.stride), padding: around(a.padding) };
    const { y, index } = pool.maxPool2d(t["in.x"]!, attrs);
    return { "out.y": y, "grad.in.x": pool.maxPool2dGrad(t["in.gy"]!, index, sizeOfImage(t["in.x"]!)) };
  },
  interpolate: (t, a) => {
    if (a.mode === "nearest") return nearest(t);
    const attrs = { size: a.size, alignCorners: a.align_corners };
    return {
      "out.y": resize.resizeBilinear(t["in.x"]!, attrs),
      "grad.in.x": resize.resizeBilinearGrad(t["in.gy"]!, { ...attrs, inputSize: sizeOfImage(t["in.x"]!) }),
    };
  },
  naive_upsample_2d: nearest,
  upfirdn2d: (t, { up, down, pad_before_after: [before, after] }) => {
    const attrs = { up: square(up), down: square(down), pad: [before, after, before, after] as const };
    const inputSize = sizeOfImage(t["in.x"]!);
    return {
      "out.y": upfirdn2d.upfirdn2d(t["in.x"]!, t["in.kernel"]!, attrs),
      "grad.in.x": gradients.upfirdn2dGrad(t["in.gy"]!, t["in.kernel"]!, { ...attrs, inputSize }),
    };
  },
  upsample_2d: (t, a) => firResample(t, a, true),
  downsample_2d: (t, a) => firResample(t, a, false),
  NIN: (t) => {
    const [N, , H, W] = t["in.x"]!.shape as [number, number, number, number];
    const [x, gy] = [t["in.x"]!, t["in.gy"]!].map((image) =>
      shape.reshape(image, [N, image.shape[1]!, H * W]),
    ) as [Array64, Array64];
    return {
      "out.y": nin(t["in.x"]!, t["param.W"]!, t["param.b"]!),
      "grad.in.x": shape.reshape(matmul.matmul(t["param.W"]!, gy), t["in.x"]!.shape),
      "grad.param.W": reduce.sum(matmul.matmul(x, gy, { transposeB: true }), [0]),
      "grad.param.b": reduce.sum(gy, [0, 2]),
    };
  },
  AttnBlock: attentionBlock,
  AttnBlockpp: attentionBlock,
};

describe("the published code", () => {
  const known = cases.filter(({ kind, attrs }) => kind === "ops" && attrs.op in ops);

  test("every op of the oracle meets a case", () => {
    expect(new Set(known.map(({ attrs }) => attrs.op))).toEqual(new Set(Object.keys(ops)));
  });

  test.each(known)("$name", ({ file, attrs }) => {
    const t = load(file);
    const values = ops[attrs.op]!(t, attrs);
    const wanted = Object.keys(t).filter((name) => name.startsWith("out.") || name.startsWith("grad."));
    for (const name of wanted) {
      if (name.startsWith("grad.param.") && attrs.op.startsWith("AttnBlock")) continue;
      expectNear(values[name] as Array64, t[name]!, 1e-6);
    }
  });

  const adamCases = cases.filter(({ attrs }) => attrs.optimizer === "Adam" && attrs.rule);
  test.each(adamCases)("$name", ({ file, attrs }) => {
    const t = load(file);
    const names = Object.keys(t).flatMap((name) => (name.startsWith("param.") ? [name.slice(6)] : []));
    const state = new Map(
      names.map((name) => {
        const param = t[`param.${name}`]!;
        return [
          name,
          { param, m: zeros(param.shape), v: zeros(param.shape), ema: null } as updates.AdamState,
        ];
      }),
    );
    for (let i = 0; i < attrs.steps; i++) {
      const squares = names.map((name) => dot(t[`in.grad${i}.${name}`]!, t[`in.grad${i}.${name}`]!));
      const length = Math.sqrt(squares.reduce((total, value) => total + value, 0));
      for (const [name, old] of state) {
        const next = updates.adam(
          { ...old, grad: t[`in.grad${i}.${name}`]! },
          {
            lr: attrs.lr * (attrs.warmup > 0 ? Math.min(i / attrs.warmup, 1) : 1),
            beta1: attrs.betas[0],
            beta2: attrs.betas[1],
            eps: attrs.eps,
            weightDecay: attrs.weight_decay,
            step: i + 1,
            emaDecay: 0,
            clipScale: attrs.grad_clip >= 0 ? Math.min(1, attrs.grad_clip / (length + 1e-6)) : 1,
          },
        );
        state.set(name, next);
        expectNear(next.param, t[`out.step${i}.${name}`]!, 1e-6);
      }
    }
    for (const [name, { m, v }] of state) {
      expectNear(m, t[`out.exp_avg.${name}`]!, 1e-6);
      expectNear(v, t[`out.exp_avg_sq.${name}`]!, 1e-6);
    }
  });

  const averages = cases.filter(({ attrs }) => attrs.average === "ExponentialMovingAverage");
  test.each(averages)("$name", ({ file, attrs }) => {
    const t = load(file);
    const still = { lr: 0, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0, step: 1, clipScale: 1 };
    let ema = t["param.a.weight"]!;
    for (let i = 0; i < attrs.steps; i++) {
      const param = t[`in.step${i}.a.weight`]!;
      const nothing = zeros(param.shape);
      const emaDecay = attrs.use_num_updates ? Math.min(attrs.decay, (2 + i) / (11 + i)) : attrs.decay;
      const next = updates.adam(
        { param, grad: nothing, m: nothing, v: nothing, ema },
        { ...still, emaDecay },
      );
      ema = next.ema as Array64;
      expectNear(ema, t[`out.step${i}.a.weight`]!, 1e-6);
    }
  });

  test.each(cases.filter(({ name }) => /^anneal_dsm_power/.test(name)))("$name", ({ file, attrs }) => {
    const t = load(file);
    const z = t["noise.000.randn_like"]!;
    const sigma = embedding.embedding(shape.reshape(t["in.sigmas"]!, [6, 1]), t["in.labels"]!);
    const same = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
    const label = map(shape.reshape(t["in.labels"]!, [3, 1]), (value) => attrs.label_scale * value);
    const cond = add(
      matmul.matmul(label, t["param.cond.weight"]!, { transposeB: true }),
      t["param.cond.bias"]!,
    );

    const noisy = updates.dsmPerturb(t["in.x"]!, sigma, z);
    const hidden = conv2d.conv2d(noisy, t["param.conv1.weight"]!, t["param.conv1.bias"]!, same);
    const active = unary.applyUnary("silu", add(hidden, shape.reshape(cond, [3, 8, 1, 1])));
    const score = conv2d.conv2d(active, t["param.conv2.weight"]!, t["param.conv2.bias"]!, same);
    expectNear(updates.dsmLoss(score, z, sigma, { annealPower: attrs.anneal_power }), t["out.loss"]!, 1e-6);

    const dscore = gradients.dsmLossGrad(score, z, sigma, { annealPower: attrs.anneal_power });
    const dweight = conv2d.conv2dWeightGrad(dscore, active, { ...same, kernelSize: [3, 3] });
    expectNear(dweight, t["grad.param.conv2.weight"]!, 1e-6);
  });
});
