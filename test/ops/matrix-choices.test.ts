/** What a matrix unit computes is taken for that alone, though another problem of the same sizes came before. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Choices, wayName } from "../../engine/choices.ts";
import { cast, conv2d, convTranspose2d, matmul } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Variant } from "../../kernels/kernel.ts";
import { engine } from "../support/engine.ts";

const { hardware, choices } = engine;
const matrix = { m: 16, n: 16, k: 16, lanes: 32 };
beforeAll(() => {
  const roomy = { maxWorkgroupSize: 1024, maxWorkgroupStorage: 49_152 };
  Object.assign(engine, { hardware: { ...hardware, ...roomy, kind: "gpu", matrix } });
  Object.assign(engine, { choices: new Choices("cached", new Map()) });
});
afterAll(() => Object.assign(engine, { hardware, choices }));

const kernels = (fn: () => unknown): string[] => {
  const names: string[] = [];
  engine.dry(fn, ({ program }) => names.push(program.kernel.name));
  return names;
};

test("a transposed convolution is none for the units", () => {
  const [x, w] = [() => cast(engine.ones([1, 16, 8, 8]), "f16"), () => engine.ones([16, 16, 3, 3])];
  expect(kernels(() => conv2d(x(), w(), undefined, { padding: 1 }))).toContain("conv_matrix");
  expect(kernels(() => convTranspose2d(x(), w(), undefined, { padding: 1 }))).not.toContain("conv_matrix");
});

test("a product by one sample is for the units as one by many is", () => {
  const b = (n: number) => cast(engine.ones([n, 16, 8]), "f16");
  for (const n of [1, 2]) expect(kernels(() => matmul(engine.ones([16, 16]), b(n)))).toContain("conv_matrix");
});

test.skipIf(!engine.device.features.has("shader-f16"))("under autocast both are stored as f16", () => {
  const b = (n: number) => cast(engine.ones([n, 16, 8]), "f16");
  for (const n of [1, 2])
    engine.dry(() => {
      const y = engine.autocast(() => matmul(engine.ones([16, 16]), b(n)));
      expect(y.dtype).toBe("f16");
    });
});

test("a product of two batches is none for the units", () => {
  const b = () => cast(engine.ones([2, 16, 8]), "f16");
  expect(kernels(() => matmul(engine.ones([16, 16]), b()))).toContain("conv_matrix");
  expect(kernels(() => matmul(engine.ones([2, 16, 16]), b()))).not.toContain("conv_matrix");
});

/** The variant by which units multiply in a walk. */
const multiplied = (fn: () => unknown): Variant => {
  const found: Variant[] = [];
  engine.dry(fn, ({ program: { kernel, variant } }) => {
    if (kernel.name === "conv_matrix") found.push(variant);
  });
  expect(found).toHaveLength(1);
  return found[0]!;
};

describe.each<[op: string, of: (channels: number) => Tensor]>([
  [
    "conv2d",
    (ci) =>
      conv2d(cast(engine.ones([1, ci, 8, 8]), "f16"), engine.ones([16, ci, 3, 3]), undefined, { padding: 1 }),
  ],
  ["matmul", (k) => matmul(engine.ones([16, k]), cast(engine.ones([2, k, 8]), "f16"))],
])("%s", (op, of) => {
  test.each([
    [16, 32],
    [40, 64],
    [64, 64],
    [96, 32],
    [128, 64],
  ])("of %i channels multiplies slabs of %i", (channels, slab) => {
    expect(multiplied(() => of(channels)).slab).toBe(slab);
  });

  test("every way on units is found again by its name, and multiplies by its own tile and slab", () => {
    const met = engine.choices.metIn(() => engine.dry(() => of(64)));
    const { key, tunable, problem } = met.find(({ tunable }) => tunable.family === op)!;
    const ways = tunable.ways(engine.hardware, problem).filter((way) => way.kernel === "matrix");
    expect(new Set(ways.map(wayName)).size).toBe(8);
    const given = engine.choices;
    try {
      for (const way of ways) {
        Object.assign(engine, { choices: new Choices("cached", new Map([[key, wayName(way)]])) });
        const { kernel: _, ...tile } = way;
        expect(multiplied(() => of(64))).toMatchObject(tile);
      }
    } finally {
      Object.assign(engine, { choices: given });
    }
  });
});

test("a product's bias for each row is added by the units, one for each column is none for them", () => {
  const b = () => cast(engine.ones([2, 16, 8]), "f16");
  const [a, each] = [engine.ones([16, 16]), engine.ones([2, 16])];
  const plain = kernels(() => matmul(a, b()));
  for (const bias of [engine.ones([16]), each])
    expect(kernels(() => matmul(a, b(), { bias, biasAlong: "rows" }))).toEqual(plain);
  const columns = kernels(() => matmul(a, b(), { bias: engine.ones([8]) }));
  expect(columns).toContain("matmul_shared");
  expect(columns).not.toContain("conv_matrix");
  const given: unknown[] = [];
  engine.dry(
    () => matmul(a, b(), { bias: each, biasAlong: "rows" }),
    ({ program: { kernel }, tensors, params }) => {
      if (kernel.name === "conv_matrix")
        given.push([tensors["bias"], params["useBias"], params["biasPitch"]]);
    },
  );
  expect(given).toEqual([[each, 1, 16]]);
});
