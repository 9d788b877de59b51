/** What a matrix unit computes is taken for that alone, though another problem of the same sizes came before. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { Choices } from "../../engine/choices.ts";
import { cast, conv2d, convTranspose2d, matmul } from "../../engine/ops/index.ts";
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
  const y = (n: number) => engine.autocast(() => matmul(engine.ones([16, 16]), b(n)));
  for (const n of [1, 2]) {
    expect(kernels(() => y(n))).toContain("conv_matrix");
    engine.dry(() => expect(y(n).dtype).toBe("f16"));
  }
});

test("a product of two batches is none for the units", () => {
  const b = () => cast(engine.ones([2, 16, 8]), "f16");
  expect(kernels(() => matmul(engine.ones([16, 16]), b()))).toContain("conv_matrix");
  expect(kernels(() => matmul(engine.ones([2, 16, 16]), b()))).not.toContain("conv_matrix");
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
