import { afterAll, describe, expect, test } from "vitest";
import { type Array64, array64 } from "../../engine/oracle/array.ts";
import { conv2d } from "../../engine/oracle/conv2d.ts";
import { avgPool2d, maxPool2d } from "../../engine/oracle/pool.ts";
import { resizeBilinear } from "../../engine/oracle/resize.ts";
import { portedShapes } from "../../models/inception-weights.ts";
import { InceptionV3, loadInception } from "../../models/index.ts";
import type { State } from "../../models/module.ts";
import { normal, uniform } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const narrow = new InceptionV3(engine, { divisor: 16 });
const values = randomValues(narrow);
loadInception(narrow, values, "random");
afterAll(() => narrow.dispose());

/** Weights by which maps keep their size through the layers, under the names of the port. */
function randomValues(network: InceptionV3): Map<string, { shape: readonly number[]; data: Float32Array }> {
  const entries = [...portedShapes(network)].map(([name, { shape }], i) => {
    const fanIn = shape.slice(1).reduce((a, b) => a * b, 1);
    const around = (middle: number, width: number) => uniform(middle - width, middle + width)(shape, i).data;
    const draw = () => {
      if (name.endsWith("conv.weight")) return normal(shape, i).data.map((v) => v * Math.sqrt(2 / fanIn));
      if (name.endsWith("bn.weight") || name.endsWith("running_var")) return around(1, 0.5);
      return normal(shape, i).data.map((v) => v * (name.startsWith("fc.w") ? 0.2 : 0.1));
    };
    return [name, { shape, data: Float32Array.from(draw()) }] as const;
  });
  return new Map(entries);
}

type Pads = [number, number, number, number];
const even = (pad: number): Pads => [pad, pad, pad, pad];
const arrayOf = (name: string): Array64 => {
  const { shape, data } = values.get(name)!;
  return array64(shape, data);
};

/** Convolution without bias, batch norm by its running statistics, ReLU: as the port has them, nothing folded. */
function convolved(x: Array64, name: string, stride = 1, padding = even(0)): Array64 {
  const attrs = { stride: [stride, stride], padding, dilation: [1, 1] } as const;
  const y = conv2d(x, arrayOf(`${name}.conv.weight`), null, attrs);
  const [, channels, h, w] = y.shape as [number, number, number, number];
  const [gamma, beta, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(
    (what) => arrayOf(`${name}.bn.${what}`).data,
  );
  const data = y.data.map((v, i) => {
    const c = Math.floor(i / (h * w)) % channels;
    const normed = ((v - mean![c]!) / Math.sqrt(variance![c]! + 0.001)) * gamma![c]! + beta![c]!;
    return Math.max(0, normed);
  });
  return { shape: y.shape, data };
}

const pooled = {
  max2: (x: Array64) => maxPool2d(x, { kernel: [3, 3], stride: [2, 2], padding: even(0) }).y,
  max: (x: Array64) => maxPool2d(x, { kernel: [3, 3], stride: [1, 1], padding: even(1) }).y,
  avg: (x: Array64) =>
    avgPool2d(x, { kernel: [3, 3], stride: [1, 1], padding: even(1), countIncludePad: false }),
};

/** Of one image: parts after each other along the channels. */
const joined = (parts: Array64[]): Array64 => ({
  shape: [1, parts.reduce((sum, p) => sum + p.shape[1]!, 0), ...parts[0]!.shape.slice(2)],
  data: Float64Array.from(parts.flatMap((p) => [...p.data])),
});

/** The branches of each block: a pool, or a convolution with its padding ("1" or rows x columns "0x3") and "s2". */
const double7 = ["branch7x7dbl_1", "branch7x7dbl_2 3x0", "branch7x7dbl_3 0x3", "branch7x7dbl_4 3x0"];
const e = (pool: string) => [
  ["branch1x1"],
  ["branch3x3_1", "branch3x3_2a 0x1"],
  ["branch3x3_1", "branch3x3_2b 1x0"],
  ["branch3x3dbl_1", "branch3x3dbl_2 1", "branch3x3dbl_3a 0x1"],
  ["branch3x3dbl_1", "branch3x3dbl_2 1", "branch3x3dbl_3b 1x0"],
  [pool, "branch_pool"],
];
const blocks: Record<string, string[][]> = {
  A: [
    ["branch1x1"],
    ["branch5x5_1", "branch5x5_2 2"],
    ["branch3x3dbl_1", "branch3x3dbl_2 1", "branch3x3dbl_3 1"],
    ["avg", "branch_pool"],
  ],
  B: [["branch3x3 s2"], ["branch3x3dbl_1", "branch3x3dbl_2 1", "branch3x3dbl_3 s2"], ["max2"]],
  C: [
    ["branch1x1"],
    ["branch7x7_1", "branch7x7_2 0x3", "branch7x7_3 3x0"],
    [...double7, "branch7x7dbl_5 0x3"],
    ["avg", "branch_pool"],
  ],
  D: [
    ["branch3x3_1", "branch3x3_2 s2"],
    ["branch7x7x3_1", "branch7x7x3_2 0x3", "branch7x7x3_3 3x0", "branch7x7x3_4 s2"],
    ["max2"],
  ],
  E1: e("avg"),
  E2: e("max"),
};
const order = "5b A,5c A,5d A,6a B,6b C,6c C,6d C,6e C,7a D,7b E1,7c E2".split(",").map((s) => s.split(" "));

const step =
  (prefix: string) =>
  (x: Array64, text: string): Array64 => {
    if (text in pooled) return pooled[text as keyof typeof pooled](x);
    const [name, how = "0"] = text.split(" ");
    if (how === "s2") return convolved(x, prefix + name, 2);
    const [y, z = y] = how.split("x").map(Number) as [number, number?];
    return convolved(x, prefix + name, 1, [y, y, z, z]);
  };

/** The port's layers in float64 for one image [1,3,h,w] in [-1, 1]: the maps before the mean. */
function maps(x: Array64): Array64 {
  const stem = ["Conv2d_1a_3x3 s2", "Conv2d_2a_3x3", "Conv2d_2b_3x3 1", "max2"];
  const early = [...stem, "Conv2d_3b_1x1", "Conv2d_4a_3x3", "max2"].reduce(step(""), x);
  return order.reduce(
    (h, [place, kind]) => joined(blocks[kind!]!.map((branch) => branch.reduce(step(`Mixed_${place}.`), h))),
    early,
  );
}

function means({ shape, data }: Array64): Array64 {
  const size = shape[2]! * shape[3]!;
  return array64(
    [1, shape[1]!],
    Array.from(
      { length: shape[1]! },
      (_, c) => data.subarray(c * size, (c + 1) * size).reduce((a, b) => a + b) / size,
    ),
  );
}

const upload = (x: Array64) => engine.tensor(Float32Array.from(x.data), x.shape);

describe("Inception v3 as FID knows it", () => {
  test("has the port's names, its shapes, and as many parameters as the published network", () => {
    const full = new InceptionV3(engine);
    const shapes = portedShapes(full);
    full.dispose();
    expect(shapes.size).toBe(94 * 5 + 2);
    const shapeOf = (name: string) => shapes.get(name)?.shape;
    expect(shapeOf("Conv2d_1a_3x3.conv.weight")).toEqual([32, 3, 3, 3]);
    expect(shapeOf("Mixed_5b.branch_pool.conv.weight")).toEqual([32, 192, 1, 1]);
    expect(shapeOf("Mixed_6b.branch7x7_2.conv.weight")).toEqual([128, 128, 1, 7]);
    expect(shapeOf("Mixed_6e.branch7x7dbl_2.conv.weight")).toEqual([192, 192, 7, 1]);
    expect(shapeOf("Mixed_7c.branch3x3dbl_3b.bn.running_var")).toEqual([384]);
    expect(shapeOf("fc.weight")).toEqual([1008, 2048]);
    // 23,834,568 are published for 1,000 classes: weights, and the norms' factors and shifts.
    const trained = [...shapes].filter(([name]) => !name.includes("running"));
    const count = trained.reduce((sum, [, { shape }]) => sum + shape.reduce((a, b) => a * b, 1), 0);
    expect(count).toBe(23_834_568 + 8 * 2049);
  });

  test("computes what its layers in float64 do, norms not folded", async () => {
    const x = uniform(-1, 1)([1, 3, 139, 139], 5);
    const expected = maps(x);
    expect(expected.shape).toEqual([1, 128, 3, 3]); // so that a mean and a maximum over neighbours differ
    const y = engine.scope(() => narrow.trunk(upload(x)));
    expectNear(await y.data(), means(expected), { terms: 1000 });
    y.dispose();
  });

  test("sees images of any size at 299 x 299, between -1 and 1; a grey one three times", async () => {
    const x = uniform(0, 1)([2, 1, 7, 9], 3);
    const resized = resizeBilinear(x, { size: [299, 299], alignCorners: false });
    const plane = 299 * 299;
    const coloured = Float32Array.from(
      { length: 6 * plane },
      (_, i) => 2 * resized.data[Math.floor(i / (3 * plane)) * plane + (i % plane)]! - 1,
    );
    const [y, z] = engine.scope(() => [
      narrow.run(upload(x)),
      narrow.trunk(engine.tensor(coloured, [2, 3, 299, 299])),
    ]);
    expect(y!.shape).toEqual([2, 128]);
    const [got, expected] = await engine.readAll([y!, z!]);
    expectNear(got!, array64([2, 128], expected!), { terms: 100 });
    for (const t of [y!, z!]) t.dispose();
  });

  test("tells classes by its last layer, for the Inception score without the bias", async () => {
    const features = uniform(0, 1)([2, 128], 8);
    const [weight, bias] = [arrayOf("fc.weight").data, arrayOf("fc.bias").data];
    const product = (i: number, k: number) =>
      weight.subarray(k * 128, (k + 1) * 128).reduce((sum, w, j) => sum + w * features.data[i * 128 + j]!, 0);
    const expected = (withBias: number) =>
      array64(
        [2, 1008],
        Array.from({ length: 2016 }, (_, at) => {
          const k = at % 1008;
          return product(Math.floor(at / 1008), k) + withBias * bias[k]!;
        }),
      );
    const [plain, scores] = engine.scope(() => {
      const x = upload(features);
      return [narrow.fc.run(x), narrow.scoreLogits(x)];
    });
    const [a, b] = await engine.readAll([plain!, scores!]);
    expectNear(a!, expected(1), { terms: 128 });
    expectNear(b!, expected(0), { terms: 128 });
    for (const t of [plain!, scores!]) t.dispose();
  });

  test("refuses what is not its file", () => {
    const load = (change: (m: Map<string, { shape: readonly number[]; data: Float32Array }>) => void) => {
      const changed = new Map(values);
      change(changed);
      return () => loadInception(narrow, changed as State, "w.safetensors");
    };
    const counted = load((m) => m.set("fc.num_batches_tracked", { shape: [], data: new Float32Array(1) }));
    expect(counted).not.toThrow();
    expect(load((m) => m.delete("Mixed_6a.branch3x3.bn.bias"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: inception: w.safetensors does not hold the network of FID under its names: missing Mixed_6a.branch3x3.bn.bias [24]]`,
    );
    expect(
      load((m) => m.set("fc.bias", { shape: [1000], data: new Float32Array(1000) })),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: inception: w.safetensors does not hold the network of FID under its names: fc.bias: got [1000], expected [1008]]`,
    );
    expect(
      load((m) => {
        m.clear();
        m.set("conv1.weight", { shape: [1], data: new Float32Array(1) });
      }),
    ).toThrowErrorMatchingInlineSnapshot(`
      [UsageError: inception: w.safetensors does not hold the network of FID under its names:
        missing Conv2d_1a_3x3.conv.weight [2,3,3,3]
        missing Conv2d_1a_3x3.bn.weight [2]
        missing Conv2d_1a_3x3.bn.bias [2]
        missing Conv2d_1a_3x3.bn.running_mean [2]
        missing Conv2d_1a_3x3.bn.running_var [2]
        and 468 more]
    `);
    const variance = "Conv2d_2a_3x3.bn.running_var";
    const of = (value: number) =>
      load((m) => m.set(variance, { shape: [2], data: Float32Array.of(1, value) }));
    expect(of(-1)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: inception: w.safetensors does not hold the network of FID under its names: Conv2d_2a_3x3.bn.running_var holds a negative variance]`,
    );
    expect(of(Number.NaN)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: inception: w.safetensors does not hold the network of FID under its names: Conv2d_2a_3x3.bn.running_var holds values that are not finite]`,
    );
    expect(() => new InceptionV3(engine, { divisor: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: InceptionV3: got divisor 3, expected 1, 2, 4, 8 or 16]`,
    );
    expect(() => narrow.run(engine.zeros([1, 2, 8, 8]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: InceptionV3: got x [1,2,8,8], expected [n,1,h,w] or [n,3,h,w]]`,
    );
  });
});
