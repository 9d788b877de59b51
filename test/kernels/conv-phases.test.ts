/** The gradient of a stride in its input, each class of inputs a product by its own taps, against the float64 loops. */
import { expect, test } from "vitest";
import { flopsOf } from "../../engine/dry.ts";
import { cast } from "../../engine/ops/cast.ts";
import { conv2dInputGrad, convTranspose2d, type InputGradAttrs } from "../../engine/ops/conv2d.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { tapStep } from "../../kernels/conv-phases.ts";
import { type ConvProblem, convWay, convWays, foldBytes } from "../../kernels/conv-ways.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import type { Tile } from "../../kernels/tile.ts";
import { sharedTiles, usualTile } from "../../kernels/tile-choice.ts";
import { upload } from "../support/check-op.ts";
import { type ConvCase, convCase, lopsided } from "../support/conv-cases.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const ways = {
  gemm: { kernel: "gemm", ...sharedTiles[0]! },
  fold: { kernel: "fold" },
} as const;
/** Besides copies that a product packs. */
const kernelsOf = {
  gemm: ["conv_gemm_weight", "conv_phases"],
  fold: [engine.hardware.kind === "cpu" ? "matmul_register" : "matmul_shared", "conv_fold"],
};
type Way = keyof typeof ways;

/** What `fn` computes one way, and the operations it tells of. */
function byWay(way: Way, fn: () => Tensor, tile: Tile = sharedTiles[0]!): { y: Tensor; flops: number } {
  const kernels: string[] = [];
  let flops = 0;
  const y = engine.choices.forcing("conv2d", { ...ways[way], ...(way === "gemm" && tile) }, () => {
    engine.dry(fn, (launch) => {
      kernels.push(launch.program.kernel.name);
      flops += flopsOf(launch);
    });
    return engine.scope(fn);
  });
  expect(kernels.filter((name) => !["cast", "fill", "pack"].includes(name))).toEqual(kernelsOf[way]);
  return { y, flops };
}

const outputs = ({ size, kernel, stride, padding: [t, b, l, r], dilation }: ConvCase) =>
  [
    Math.floor((size[0] + t + b - dilation[0] * (kernel[0] - 1) - 1) / stride[0]) + 1,
    Math.floor((size[1] + l + r - dilation[1] * (kernel[1] - 1) - 1) / stride[1]) + 1,
  ] as const;

const inputsOf = (c: ConvCase) =>
  [normal([c.n, c.co, ...outputs(c)], 1), normal([c.co, c.ci, ...c.kernel], 2)] as const;

function expected(dy: Array64, w: Array64, attrs: InputGradAttrs, terms: number) {
  const magnitude = oracle.conv2dInputGrad(map(dy, Math.abs), map(w, Math.abs), attrs);
  return [oracle.conv2dInputGrad(dy, w, attrs), { terms, magnitude }] as const;
}

async function check(way: Way, c: ConvCase, tile?: Tile): Promise<void> {
  const { n, ci, co, kernel, stride, padding, dilation, size: inputSize } = c;
  const attrs = { stride, padding, dilation, inputSize };
  const [dy, w] = inputsOf(c);
  const [dys, ws] = [upload(dy), upload(w)];
  const { y, flops } = byWay(way, () => conv2dInputGrad(dys, ws, attrs), tile);
  const taps = kernel[0] * kernel[1];
  expectNear(await y.data(), ...expected(dy, w, attrs, co * taps));
  const [oh, ow] = outputs(c);
  expect(flops, "no zeros are multiplied").toBe(2 * n * co * oh * ow * ci * taps);
  for (const t of [dys, ws, y]) t.dispose();
}

const cases: ConvCase[] = [
  convCase({ n: 2, ci: 5, co: 9, size: [8, 8], stride: [2, 2] }),
  convCase({ n: 3, ci: 3, co: 4, size: [9, 11], stride: [2, 2] }),
  convCase({ n: 2, ci: 6, co: 5, size: [10, 7], stride: [3, 3] }),
  convCase({ n: 1, ci: 2, co: 3, size: [10, 9], ...lopsided }),
  convCase({ n: 2, ci: 4, co: 3, size: [9, 8], stride: [2, 1] }),
  // Rows and columns beyond the last window, which no output sees.
  convCase({ n: 1, ci: 3, co: 2, size: [12, 13], kernel: [2, 3], stride: [5, 4], padding: [0, 0, 0, 0] }),
  convCase({ n: 1, ci: 3, co: 2, size: [7, 6], kernel: [1, 1], stride: [2, 3], padding: [0, 0, 0, 0] }),
  convCase({ n: 1, ci: 2, co: 3, size: [11, 13], stride: [2, 3], dilation: [3, 2], padding: [3, 3, 2, 2] }),
  // Strides and dilations that share a factor: half or two thirds of the rows and columns are zero.
  convCase({ n: 2, ci: 2, co: 3, size: [12, 12], stride: [2, 2], dilation: [2, 2], padding: [2, 2, 2, 2] }),
  convCase({ n: 1, ci: 2, co: 3, size: [17, 15], stride: [4, 3], dilation: [6, 3], padding: [4, 5, 2, 3] }),
  convCase({ n: 2, ci: 2, co: 3, size: [9, 13], kernel: [5, 5], stride: [2, 2], padding: [-1, 2, 2, -2] }),
  convCase({ n: 1, ci: 2, co: 3, size: [2, 3], kernel: [4, 4], stride: [3, 4], padding: [2, 2, 1, 3] }),
];

test.each(cases)(
  "to $size, kernel $kernel, stride $stride, padding $padding, dilation $dilation: as a product of each class, and by sums",
  async (c) => {
    await check("gemm", c);
    await check("fold", c);
  },
);

/** Beyond one tile of 64 both ways, and beyond a slab. */
const across = convCase({ n: 2, ci: 70, co: 17, size: [13, 14], stride: [2, 2] });

test("in the largest tiles", () => check("gemm", across, sharedTiles.at(-1)!));

const eachWay = Object.keys(ways) as Way[];

test.each(eachWay)("a transposed convolution, padded beyond what its input fills: %s", async (way) => {
  const [x, w] = [normal([2, 3, 4, 5], 1), normal([3, 4, 3, 3], 2)];
  const attrs = { stride: [3, 2], padding: [1, 1, 0, 0], dilation: [1, 1] } as const;
  const [xs, ws] = [upload(x), upload(w)];
  const { y } = byWay(way, () => convTranspose2d(xs, ws, undefined, { ...attrs, outputPadding: [2, 1] }));
  expect(y.shape).toEqual([2, 4, 12, 12]);
  expectNear(await y.data(), ...expected(x, w, { ...attrs, inputSize: [12, 12] }, 27));
  for (const t of [xs, ws, y]) t.dispose();
});

test.each(eachWay)(
  "an image's numbers are the same alone and beside others, to the last bit: %s",
  async (way) => {
    const c = convCase({ n: 5, ci: 6, co: 8, size: [9, 8], stride: [2, 2] });
    const attrs = { stride: c.stride, padding: c.padding, dilation: c.dilation, inputSize: c.size };
    const [dy, w] = inputsOf(c);
    const each = dy.data.length / 5;
    const one = { shape: [1, ...dy.shape.slice(1)], data: dy.data.slice(3 * each, 4 * each) };
    const ws = upload(w);
    const [together, alone] = await Promise.all(
      [dy, one].map(async (dy) => {
        const { y } = byWay(way, () => conv2dInputGrad(upload(dy), ws, attrs));
        const values = Array.from(await y.data());
        y.dispose();
        return values;
      }),
    );
    const own = together!.length / 5;
    expect(alone).toEqual(together!.slice(3 * own, 4 * own));
    ws.dispose();
  },
);

test.runIf(engine.device.features.has("shader-f16")).each(eachWay)(
  "a gradient stored as f16 is computed on in f32: %s",
  async (way) => {
    const c = convCase({ n: 2, ci: 4, co: 5, size: [7, 9], stride: [2, 2] });
    const attrs = { stride: c.stride, padding: c.padding, dilation: c.dilation, inputSize: c.size };
    const [drawn, w] = inputsOf(c);
    const dy = map(drawn, (v) => Math.round(8 * v) / 8); // which f16 holds
    const [stored, ws] = [cast(upload(dy), "f16"), upload(w)];
    const { y } = byWay(way, () => conv2dInputGrad(stored, ws, attrs));
    expectNear(await y.data(), ...expected(dy, w, attrs, 9 * c.co));
    for (const t of [stored, ws, y]) t.dispose();
  },
);

test("a CPU driver takes the sums where it can bind them, a GPU the products, in tiles for what a class has of outputs", () => {
  const problem: ConvProblem = {
    ...{ n: 64, ci: 128, co: 128, oh: 32, ow: 32, size: [16, 16], kernel: [3, 3], stuffing: [2, 2] },
    ...{ attrs: { stride: [1, 1], dilation: [1, 1] }, flip: true, half: false },
  };
  const cpu: Hardware = { ...engine.hardware, kind: "cpu", maxBinding: 2 ** 27 };
  const gpu: Hardware = {
    ...{ ...cpu, kind: "gpu", maxWorkgroupSize: 1024, maxWorkgroupStorage: 49_152 },
  };
  expect(convWay(cpu, problem)).toEqual({ kernel: "fold" });
  expect(convWays(cpu, problem)).toContainEqual({ kernel: "fold" });
  expect(convWays(cpu, { ...problem, stuffing: [1, 1] })).not.toContainEqual({ kernel: "fold" });
  const sums = foldBytes(problem, [16, 16]);
  expect(sums).toBe(4 * 128 * 9 * 256);
  expect(convWay({ ...cpu, maxBinding: sums - 16 }, problem).kernel).toBe("rows");
  const tile = usualTile(gpu, { batch: 4, m: 128, n: 64 * 256, alongM: true });
  expect(convWay(gpu, problem)).toEqual({ kernel: "gemm", ...tile });
  expect(convWays(gpu, problem).map(({ kernel }) => kernel)).not.toContain("fold");
});

test("taps of one class stand as far apart as the stride, without what it shares with the dilation", () => {
  expect([1, 2, 3, 4, 6].map((stride) => tapStep(stride, 1))).toEqual([1, 2, 3, 4, 6]);
  expect([1, 2, 3, 4, 6].map((stride) => tapStep(stride, 4))).toEqual([1, 1, 3, 1, 3]);
});
