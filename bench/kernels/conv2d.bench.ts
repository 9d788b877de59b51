import type { Engine } from "../../engine/engine.ts";
import { add, cast, conv2d, conv2dWeightGrad, mul } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { matrixWays } from "../../kernels/conv-matrix.ts";
import { convTile, convWeightTile } from "../../kernels/conv-tiles.ts";
import type { ConvWay } from "../../kernels/conv-ways.ts";
import type { ConvWeightWay } from "../../kernels/conv-weight-ways.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { sharedTiles } from "../../kernels/tile-choice.ts";
import { agrees, backward, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, halves, kept, times, variable } from "../inputs.ts";
import { type ByKind, bySize, type SizedCases } from "../sizes.ts";

interface Layer {
  n: number;
  ci: number;
  co: number;
  size: number;
  kernel: number;
  dilation: number;
  /** 1 unless told. */
  stride?: number;
}

const inputShape = ({ n, ci, size }: Layer) => [n, ci, size, size];
const weightShape = ({ ci, co, kernel }: Layer) => [co, ci, kernel, kernel];
const convolve = (x: Tensor, w: Tensor, { kernel, dilation, stride = 1 }: Layer): Tensor =>
  conv2d(x, w, undefined, { padding: (dilation * (kernel - 1)) / 2, dilation, stride });

/** Outputs of a channel. */
const outputsOf = ({ size, stride = 1 }: Layer): number => Math.ceil(size / stride) ** 2;

/** Multiply-adds. */
const workOf = (l: Layer): number => l.n * l.co * l.ci * l.kernel ** 2 * outputsOf(l);

/** Fewer channels and images than the layer's own, which the float64 loops can bear, and its tiles. */
const reduced = (l: Layer): Layer => ({
  ...l,
  n: 2,
  ci: Math.min(l.ci, 12),
  co: 16,
  size: Math.min(l.size, 20),
});

/** Each pass alone, the gradients by what autograd takes for them. */
const passes = {
  forward: (full: Layer, small: Layer) =>
    sized(full, small, (engine, l) =>
      convolve(drawn(engine, inputShape(l), 1), drawn(engine, weightShape(l), 2), l),
    ),
  "input gradient": (full: Layer, small: Layer) =>
    backward(`${label(full)} to input`, {
      full,
      small,
      variables: (engine: Engine, l) => [variable(engine, inputShape(l), 1)],
      op: ([x], l) => convolve(x!, drawn(x!.engine, weightShape(l), 2), l),
    }),
  "weight gradient": (full: Layer, small: Layer) =>
    backward(`${label(full)} to weight`, {
      full,
      small,
      variables: (engine: Engine, l) => [variable(engine, weightShape(l), 2)],
      op: ([w], l) => convolve(drawn(w!.engine, inputShape(l), 1), w!, l),
    }),
};
export const convPasses = Object.keys(passes) as (keyof typeof passes)[];

const label = ({ ci, co, size, kernel, dilation, stride = 1 }: Layer) =>
  `conv ${times([kernel, kernel])} ${ci}->${co} ${times([size, size])}` +
  `${dilation > 1 ? ` dilation ${dilation}` : ""}${stride > 1 ? ` stride ${stride}` : ""}`;
export const convName = (layer: Layer, pass: keyof typeof passes): string => `${label(layer)} ${pass}`;

const casesOf = (layer: Layer): Case[] =>
  convPasses.map((pass) => {
    const { n, ci, co, size, kernel } = layer;
    return {
      name: convName(layer, pass),
      group: "conv2d",
      shape: times(inputShape(layer)),
      bound: "compute",
      bytes: 4 * (n * (ci * size * size + co * outputsOf(layer)) + co * ci * kernel * kernel),
      flops: 2 * workOf(layer),
      ...passes[pass](layer, reduced(layer)),
    };
  });

/** The layers of the project's targets: NCSN's residual blocks in small. */
export const residual: readonly Layer[] = [1, 2, 4].map((dilation) => ({
  n: 8,
  ci: 64,
  co: 64,
  size: 32,
  kernel: 3,
  dilation,
}));

const layers: readonly Layer[] = [
  ...residual,
  { n: 8, ci: 128, co: 128, size: 16, kernel: 3, dilation: 1 },
  { n: 32, ci: 16, co: 16, size: 28, kernel: 3, dilation: 1 },
  { n: 8, ci: 64, co: 64, size: 32, kernel: 1, dilation: 1 },
  { n: 8, ci: 64, co: 64, size: 32, kernel: 3, dilation: 1, stride: 2 },
];

/** Layers of NCSN++ for CIFAR-10 that fill a GPU. */
const sizes: ByKind<readonly Layer[]> = {
  cpu: [],
  gpu: [
    { n: 64, ci: 128, co: 128, size: 32, kernel: 3, dilation: 1 },
    { n: 64, ci: 256, co: 256, size: 16, kernel: 3, dilation: 1 },
    { n: 64, ci: 256, co: 256, size: 8, kernel: 3, dilation: 1 },
    { n: 64, ci: 256, co: 256, size: 16, kernel: 1, dilation: 1 },
    { n: 64, ci: 256, co: 256, size: 4, kernel: 3, dilation: 1 },
    { n: 64, ci: 512, co: 512, size: 4, kernel: 3, dilation: 1 },
    { n: 64, ci: 128, co: 128, size: 32, kernel: 3, dilation: 1, stride: 2 },
  ],
};

/** (conv + skip) / sqrt 2, the end of a residual block: in one kernel, and as the ops it replaces. */
const ends = {
  "with a residual, fused": (x: Tensor, w: Tensor) =>
    conv2d(x, w, undefined, { padding: 1, residual: x, rescale: Math.SQRT1_2 }),
  "with a residual, separate": (x: Tensor, w: Tensor) =>
    mul(add(conv2d(x, w, undefined, { padding: 1 }), x), Math.SQRT1_2),
};

const endCases = Object.entries(ends).map(([name, end]): Case => {
  const full = residual[0]!;
  const small = { ...reduced(full), ci: 16 };
  return {
    ...casesOf(full)[0]!,
    name: `${label(full)} ${name}`,
    ...sized(full, small, (engine, l) =>
      end(drawn(engine, inputShape(l), 1), drawn(engine, weightShape(l), 2)),
    ),
  };
});

/** The same convolution in each of its ways. */
const waysOf = (full: Layer): Case[] => {
  const small = { ...reduced(full), ci: 16 };
  const each = {
    "by rows": (hw: Hardware): ConvWay => ({
      kernel: "rows",
      ...convTile(hw, { ...full, ow: full.size, work: workOf(full) }),
    }),
    "as a matrix product": (): ConvWay => ({
      kernel: "gemm",
      ...sharedTiles.find(({ rows }) => rows === 64)!,
    }),
    "by Winograd 2x2": (): ConvWay => ({ kernel: "winograd", tile: 2 }),
    "by Winograd 4x4": (): ConvWay => ({ kernel: "winograd", tile: 4 }),
  };
  return Object.entries(each).map(([name, way]) => ({
    ...casesOf(full)[0]!,
    name: `${label(full)} ${name}`,
    ...sized(full, small, (engine, l) =>
      engine.choices.forcing("conv2d", way(engine.hardware), () =>
        convolve(drawn(engine, inputShape(l), 1), drawn(engine, weightShape(l), 2), l),
      ),
    ),
  }));
};

/** The same gradient in the weight in each of its ways. */
const weightWaysOf = (full: Layer): Case[] => {
  const small = { ...reduced(full), ci: 16 };
  const each = {
    "by rows": (hw: Hardware): ConvWeightWay => ({
      kernel: "rows",
      ...convWeightTile(hw, {
        ci: full.ci,
        co: full.co,
        kh: full.kernel,
        kw: full.kernel,
        work: workOf(full),
      }),
    }),
    "by Winograd 2x2": (): ConvWeightWay => ({ kernel: "winograd", tile: 2 }),
    "by Winograd 4x4": (): ConvWeightWay => ({ kernel: "winograd", tile: 4 }),
  };
  return Object.entries(each).map(([name, way]) => ({
    ...casesOf(full)[0]!,
    name: `${convName(full, "weight gradient")} ${name}`,
    ...sized(full, small, (engine, l) =>
      engine.choices.forcing("conv2d_weight_grad", way(engine.hardware), () => {
        const { n, co, size, kernel, dilation } = l;
        const pad = (dilation * (kernel - 1)) / 2;
        return conv2dWeightGrad(drawn(engine, [n, co, size, size], 1), drawn(engine, inputShape(l), 2), {
          ...{ stride: [1, 1], padding: [pad, pad, pad, pad] },
          ...{ dilation: [dilation, dilation], kernelSize: [kernel, kernel] },
        });
      }),
    ),
  }));
};

export const cases: SizedCases = bySize(sizes, (large) => [
  ...[...layers, ...large].flatMap(casesOf),
  ...endCases,
  ...[residual[0]!, residual[1]!, layers[3]!, layers[4]!].flatMap(waysOf),
  ...[residual[0]!, layers[3]!].flatMap(weightWaysOf),
]);

/**
 * On the adapter's matrix units, where it has any, with activations stored as f16 as mixed precision has them. The check
 * is on numbers that f16 holds, for the oracle does not round.
 */
export const onUnits = (hw: Hardware): Case[] =>
  [residual[0]!, ...sizes.gpu].flatMap((full) => {
    const { n, ci, co, size, kernel } = full;
    const way = matrixWays(hw, { ci, m: co, n: n * size * size })[0];
    if (!way) return [];
    const small = { ...reduced(full), ci: way.slab - 4 }; // a row that such slabs fill, with some of it empty
    const by = (engine: Engine, x: Tensor, w: Tensor) =>
      engine.choices.forcing("conv2d", way, () => convolve(x, w, full));
    return {
      ...casesOf(full)[0]!,
      name: `${label(full)} on matrix units`,
      bytes: 2 * n * (ci + co) * size * size + 4 * co * ci * kernel * kernel,
      run: (engine) => {
        const x = kept(engine, `f16 ${inputShape(full)}`, () =>
          engine.untrack(cast(drawn(engine, inputShape(full), 1), "f16")),
        );
        engine.autocast(() => by(engine, x, drawn(engine, weightShape(full), 2)));
      },
      check: (engine) =>
        agrees(engine, () =>
          by(engine, halves(engine, inputShape(small), 1), halves(engine, weightShape(small), 2)),
        ),
    };
  });
