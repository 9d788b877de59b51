import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import {
  add,
  attention,
  avgPool2d,
  concat,
  conv2d,
  embedding,
  groupNorm,
  instanceNormPlus,
  matmul,
  maxPool2d,
  mean,
  mul,
  narrow,
  permute,
  reshape,
  resizeBilinear,
  resizeNearest,
  scale,
  silu,
  softmax,
  square,
  sum,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import { type ConvProblem, convWays } from "../../kernels/conv-ways.ts";
import type { Hardware, Variant } from "../../kernels/kernel.ts";
import { matmulWays } from "../../kernels/matmul.ts";
import { Init } from "../../models/init.ts";
import { NcsnSmall } from "../../models/ncsn-small.ts";
import { choosingFor, engine } from "../support/engine.ts";

const random = (shape: Shape, seed: number): Tensor =>
  engine.variable(
    Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
      Math.sin(12.9898 * (i + 1) * seed),
    ),
    shape,
  );

const x = random([2, 4, 6, 7], 1);
const other = random([2, 4, 6, 7], 2);
const weight = random([5, 4, 3, 3], 3);
const scales = random([2, 4], 4);
const rows = random([2, 4, 12], 5);
const wide = random([2, 2, 3, 8], 6);
const taps = engine.untrack(
  engine.tensor(
    [1, 3, 3, 1, 3, 9, 9, 3, 3, 9, 9, 3, 1, 3, 3, 1].map((v) => v / 64),
    [4, 4],
  ),
);
afterAll(() => {
  for (const t of [x, other, weight, scales, rows, wide, taps]) t.dispose();
});

const ops: Record<string, () => Tensor> = {
  add: () => add(x, other),
  "add, broadcast": () => add(x, reshape(scales, [2, 4, 1, 1])),
  silu: () => silu(x),
  "a chain of elementwise ops": () => silu(mul(add(silu(x), other), 3)),
  conv2d: () => conv2d(x, weight, undefined, { padding: 1 }),
  "conv2d, strided": () => conv2d(x, weight, undefined, { padding: 1, stride: 2 }),
  "conv2d with a residual": () =>
    conv2d(x, narrow(weight, 0, 0, 4), undefined, { padding: 1, residual: other, rescale: 0.7 }),
  "conv2d, one by one": () => conv2d(x, narrow(narrow(weight, 2, 0, 1), 3, 0, 1)),
  "instance norm++": () =>
    instanceNormPlus(x, { gamma: scales, alpha: scales, beta: scales, activation: "elu" }),
  "group norm": () => groupNorm(x, 2, { activation: "silu" }),
  "average pool": () => avgPool2d(x, { kernel: 5, stride: 1, padding: 2 }),
  "maximum pool": () => maxPool2d(x, { kernel: 5, stride: 1, padding: 2 }),
  bilinear: () => resizeBilinear(x, [9, 5]),
  nearest: () => resizeNearest(x, [12, 14]),
  FIR: () => upfirdn2d(x, taps, { up: 2, pad: [2, 1] }),
  concat: () => concat([silu(x), silu(other)], 1),
  narrow: () => narrow(silu(x), 1, 1, 2),
  permute: () => permute(silu(x), [0, 2, 3, 1]),
  matmul: () => matmul(rows, permute(rows, [0, 2, 1])),
  softmax: () => softmax(rows),
  attention: () => attention(rows, mul(rows, 2), rows),
};

/** What a GPU computes by vec4s, or in strips. */
const onGpu: Record<string, () => Tensor> = {
  "maximum pool": () => maxPool2d(wide, { kernel: [2, 1], stride: 1, padding: [1, 0, 0, 0] }),
  bilinear: () => resizeBilinear(wide, [6, 16]),
  nearest: () => resizeNearest(wide, [6, 16]),
  FIR: () => upfirdn2d(wide, taps, { pad: [2, 1] }),
};

/** Largest difference over the largest value. */
function departure(got: ArrayLike<number>, truth: ArrayLike<number>): number {
  let [worst, scale] = [0, 1e-6];
  for (let i = 0; i < truth.length; i++) {
    scale = Math.max(scale, Math.abs(truth[i]!));
    const error = Math.abs(got[i]! - truth[i]!);
    worst = error >= 0 ? Math.max(worst, error) : Infinity; // NaN is not below anything
  }
  return worst / scale;
}

const inputs = [x, other, weight, scales, rows, wide];

async function evaluate(op: () => Tensor, half: boolean) {
  const [y, ...grads] = engine.scope(() => {
    const y = engine.autocast(op, half);
    return [y, ...grad(sum(square(y)), inputs)] as const;
  });
  const values = await engine.readAll([y, ...grads]);
  for (const t of [y, ...grads]) t.dispose();
  return { dtype: y.dtype, values };
}

const convProblem = (ci: number, co: number): ConvProblem => ({
  ...{ n: 2, ci, co, oh: 5, ow: 6, kernel: [3, 3], stuffing: [1, 1], flip: false, half: false },
  attrs: { stride: [1, 1], dilation: [1, 1] },
});

const present = engine.device.features.has("shader-f16");

test("an adapter without shader-f16 is told so", () => {
  const attempt = () => engine.autocast(() => silu(x));
  if (present) expect(engine.scope(attempt).dtype).toBe("f16");
  else expect(attempt).toThrow("this adapter lacks shader-f16; train with precision: f32");
});

describe.runIf(present)("under autocast", () => {
  const staysClose = async (op: () => Tensor) => {
    const plain = await evaluate(op, false);
    const half = await evaluate(op, true);
    expect([plain.dtype, half.dtype]).toEqual(["f32", "f16"]);
    for (const [i, truth] of plain.values.entries())
      expect(departure(half.values[i]!, truth), i === 0 ? "value" : `gradient ${i}`).toBeLessThan(8e-3);
  };

  test.each(Object.keys(ops))(
    "%s stores halves and stays within their rounding, its gradient in f32 too",
    (name) => staysClose(ops[name]!),
  );

  test("f16 and f32 join to f32, whichever comes first", async () => {
    for (const parts of [() => [silu(x), other], () => [other, silu(x)]]) {
      const join = () => concat(parts(), 1);
      const [plain, half] = [await evaluate(join, false), await evaluate(join, true)];
      expect(half.dtype).toBe("f32");
      for (const [i, truth] of plain.values.entries())
        expect(departure(half.values[i]!, truth), i === 0 ? "value" : `gradient ${i}`).toBeLessThan(8e-3);
    }
  });

  test("a table of halves is looked up as f32", async () => {
    const look = (half: boolean) =>
      engine.scope(() => {
        const labels = engine.tensor([1, 0, 1], [3], "i32");
        const table = engine.autocast(() => reshape(scale(wide, 2), [12, 8]), half);
        expect(table.dtype).toBe(half ? "f16" : "f32");
        return engine.autocast(() => embedding(table, labels), half);
      });
    const [plain, half] = [look(false), look(true)];
    expect(departure(await half.data(), await plain.data())).toBeLessThan(8e-3);
    for (const t of [plain, half]) t.dispose();
  });

  test("a cotangent of halves leaves gradients in f32", async () => {
    const v = engine.variable([1, 2, 3, 4], [1, 1, 2, 2]);
    const [g] = engine.scope(() =>
      engine.autocast(() => {
        const y = permute(v, [0, 1, 3, 2]);
        const cotangent = scale(y.detach(), 2);
        expect(cotangent.dtype).toBe("f16");
        return grad(y, [v], { cotangent });
      }),
    );
    expect(g!.dtype).toBe("f32");
    expect([...(await g!.data())]).toEqual([2, 4, 6, 8]);
    for (const t of [v, g!]) t.dispose();
  });

  test.each(Object.keys(onGpu))("%s as on a GPU", (name) =>
    choosingFor({ kind: "gpu" }, () => staysClose(onGpu[name]!)),
  );

  test("copies that kernels lay out for themselves round neither weights nor inputs, in any way", async () => {
    const [e, ci, co] = [2 ** -12, 8, 8]; // 1 + e is 1 in f16; the sums are whole multiples of e
    const fine = (shape: Shape, axis: number) => {
      const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
      const values = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
        Math.floor(i / inner) % 2 ? -1 : 1 + e,
      );
      return engine.tensor(values, shape);
    };
    const products: Record<string, () => Tensor> = {
      "weights of a convolution": () =>
        conv2d(engine.ones([2, ci, 5, 6]), fine([co, ci, 3, 3], 1), undefined, { padding: 1 }),
      "inputs of a convolution": () =>
        conv2d(fine([2, ci, 5, 6], 1), engine.ones([co, ci, 3, 3]), undefined, { padding: 1 }),
      "left side of a product": () => matmul(fine([2, 12, 8], 2), engine.ones([2, 8, 36])),
      "right side of a product": () => matmul(engine.ones([2, 12, 8]), fine([2, 8, 36], 1)),
    };
    for (const kind of ["cpu", "gpu"] as const)
      await choosingFor({ kind, matrix: undefined }, async () => {
        for (const [name, product] of Object.entries(products)) {
          const [family, tunable, problem] = name.includes("conv")
            ? (["conv2d", convWays, convProblem(ci, co)] as const)
            : (["matmul", matmulWays, { m: 12, n: 36 }] as const);
          const all = (tunable as (hw: Hardware, p: typeof problem) => Variant[])(engine.hardware, problem);
          const ways = all.filter((way, i) => all.findIndex((w) => w.kernel === way.kernel) === i);
          for (const way of ways) {
            const y = engine.scope(() => engine.choices.forcing(family, way, () => engine.autocast(product)));
            const plain = engine.scope(() => engine.choices.forcing(family, way, product));
            const [got, truth] = await engine.readAll([y, plain]);
            expect(y.dtype).toBe("f16");
            expect(truth!.some((v) => v !== 0)).toBe(true);
            expect([...got!], `${name} on a ${kind} by ${JSON.stringify(way)}`).toEqual([...truth!]);
            for (const t of [y, plain]) t.dispose();
          }
        }
      });
  });

  test("gradients asked for inside are in f32, to the bit those asked for outside", async () => {
    const gradients = (inside: boolean) =>
      engine.scope(() => {
        const y = () => engine.autocast(() => sum(square(conv2d(x, weight, undefined, { padding: 1 }))));
        return inside ? engine.autocast(() => grad(y(), [x, weight])) : grad(y(), [x, weight]);
      });
    const all = [...gradients(true), ...gradients(false)];
    expect(all.map(({ dtype }) => dtype)).toEqual(["f32", "f32", "f32", "f32"]);
    const [dx, dw, dxOutside, dwOutside] = await engine.readAll(all);
    expect([dx, dw]).toEqual([dxOutside, dwOutside]);
    for (const t of all) t.dispose();
  });

  test("a captured chain of halves replays", async () => {
    const capture = engine.capture(() =>
      engine.autocast(() => engine.noGrad(() => silu(add(silu(x), other)))),
    );
    capture.replay();
    const truth = await evaluate(() => silu(add(silu(x), other)), false);
    expect(departure(await capture.result.data(), truth.values[0]!)).toBeLessThan(2e-3);
    capture.dispose();
  });

  test("what is one number for each channel stays f32", () => {
    engine.scope(() => {
      const y = engine.autocast(() => mean(x, { axis: [2, 3], keepDims: true }));
      expect(y.dtype).toBe("f32");
    });
  });
});

describe.runIf(present)("a network", () => {
  const net = new NcsnSmall(new Init(engine, 1), {
    imageChannels: 1,
    imageSize: 16,
    channels: [8, 16, 16],
    sigmas: [1, 0.5, 0.25],
  });
  afterAll(() => net.dispose());
  const params = [...net.parameters().values()];

  async function step(half: boolean) {
    const before = engine.memory().live;
    let saved = 0;
    const results = engine.scope(() => {
      const images = engine.tensor(
        Float32Array.from({ length: 4 * 256 }, (_, i) => Math.sin(i)),
        [4, 1, 16, 16],
      );
      const labels = engine.tensor(Int32Array.from([0, 1, 2, 1]));
      const score = engine.autocast(() => net.run(images, labels), half);
      saved = engine.memory().live - before;
      return [score, ...grad(mean(square(score)), params)];
    });
    const values = await engine.readAll(results);
    for (const t of results) t.dispose();
    return { saved, values };
  }

  test("keeps half the activations; score and gradients stay close", async () => {
    const plain = await step(false);
    const half = await step(true);
    expect(half.saved / plain.saved).toBeLessThan(0.6);
    expect(departure(half.values[0]!, plain.values[0]!)).toBeLessThan(0.02);
    const [all, truth] = [half, plain].map(({ values }) => values.slice(1).flatMap((v) => [...v]));
    expect(departure(all!, truth!)).toBeLessThan(0.03);
  });
});

test("the host gives f32, and hears how to store it", () => {
  for (const make of [() => engine.tensor([1, 2], [2], "f16"), () => engine.zeros([2], "f16")])
    expect(make).toThrow('tensor: got dtype f16, expected f32, i32 or u32; cast(x, "f16") stores x so');
});
