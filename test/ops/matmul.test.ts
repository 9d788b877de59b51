import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { add, cast, reshape } from "../../engine/ops/index.ts";
import { type MatmulOptions, matmul } from "../../engine/ops/matmul.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/matmul.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { checkOp, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { check, seed } from "../support/property.ts";

interface Problem {
  a: readonly number[];
  b: readonly number[];
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  seed: number;
}

const int = (min: number, max: number) => fc.integer({ min, max });

/** Leading axes that broadcast: each side has the length or 1, or lacks the first ones. */
const leading = fc
  .array(fc.record({ length: int(1, 3), a: fc.boolean(), b: fc.boolean() }), { maxLength: 3 })
  .chain((axes) =>
    fc.record({ dropA: int(0, axes.length), dropB: int(0, axes.length) }).map(({ dropA, dropB }) => ({
      a: axes.map((x) => (x.a ? x.length : 1)).slice(dropA),
      b: axes.map((x) => (x.b ? x.length : 1)).slice(dropB),
    })),
  );

const problems: fc.Arbitrary<Problem> = fc
  .record({
    lead: leading,
    m: int(1, 40),
    n: int(1, 40),
    k: int(1, 40),
    transposeA: fc.boolean(),
    transposeB: fc.boolean(),
    seed,
  })
  .map(({ lead, m, n, k, transposeA, transposeB, seed }) => ({
    a: [...lead.a, ...(transposeA ? [k, m] : [m, k])],
    b: [...lead.b, ...(transposeB ? [n, k] : [k, n])],
    k,
    transposeA,
    transposeB,
    seed,
  }));

async function checkMatmul({ a, b, k, transposeA, transposeB, seed }: Problem): Promise<void> {
  const options = { transposeA, transposeB };
  const inputs = [normal(a, seed), normal(b, seed + 1)];
  const magnitude = oracle.matmul(map(inputs[0]!, Math.abs), map(inputs[1]!, Math.abs), options);
  const mathematics = (x: Array64, y: Array64) => oracle.matmul(x, y, options);
  await checkOp({
    op: (x, y) => matmul(x, y, options),
    oracle: mathematics,
    inputs,
    seed,
    terms: k,
    magnitude,
  });
}

test("products of broadcast batches, either side transposed: value, first and second derivative", () =>
  check(problems, checkMatmul, 30));

const plain = { transposeA: false, transposeB: false, seed: 3 };
test.each([
  { what: "inner length 1", a: [5, 1], b: [1, 7], k: 1 },
  { what: "a row times a column", a: [1, 65], b: [65, 1], k: 65 },
  { what: "tiles exactly full", a: [8, 16], b: [16, 64], k: 16 },
  { what: "one more than full tiles", a: [9, 17], b: [17, 65], k: 17 },
  { what: "more columns than a workgroup takes", a: [3, 4], b: [4, 130], k: 4 },
  { what: "one matrix for a batch, left", a: [6, 5], b: [4, 5, 3], k: 5 },
  { what: "one matrix for a batch, right", a: [4, 6, 5], b: [5, 3], k: 5 },
])("$what", ({ a, b, k }) => checkMatmul({ a, b, k, ...plain }));

test("a square, by itself and by its own transpose", async () => {
  const inputs = [normal([7, 7], 2)];
  await checkOp({ op: (x) => matmul(x, x), oracle: (x) => oracle.matmul(x, x), inputs, seed: 2, terms: 7 });
  await checkOp({
    op: (x) => matmul(x, x, { transposeB: true }),
    oracle: (x) => oracle.matmul(x, x, { transposeB: true }),
    inputs,
    seed: 3,
    terms: 7,
  });
});

interface Biased {
  readonly a: readonly number[];
  readonly b: readonly number[];
  readonly bias: readonly number[];
  readonly biasAlong: "rows" | "columns";
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
}

const biased: Record<string, Biased> = {
  "a linear layer": { a: [5, 7], b: [6, 7], bias: [6], biasAlong: "columns", transposeB: true },
  "columns in fours": { a: [6, 8], b: [8, 12], bias: [12], biasAlong: "columns" },
  "columns of a batch": { a: [3, 5, 2], b: [2, 7], bias: [7], biasAlong: "columns" },
  "columns of each product": { a: [3, 4, 5], b: [5, 4], bias: [3, 4], biasAlong: "columns" },
  "a convolution 1x1": { a: [5, 3], b: [2, 3, 9], bias: [5], biasAlong: "rows" },
  "rows in fours": { a: [36, 4], b: [2, 4, 8], bias: [36], biasAlong: "rows" },
  "rows of each product": { a: [5, 3], b: [4, 3, 6], bias: [4, 5], biasAlong: "rows", transposeA: false },
  "rows of one product": { a: [5, 3], b: [1, 3, 6], bias: [1, 5], biasAlong: "rows" },
  "rows of products with two leading axes, transposed": {
    ...{ a: [2, 1, 4, 3], b: [3, 5, 4], bias: [2, 3, 3], biasAlong: "rows" },
    ...{ transposeA: true, transposeB: true },
  },
  "more than a tile": { a: [70, 9], b: [9, 132], bias: [132], biasAlong: "columns" },
};

/** The first time, a CPU driver takes seconds to compile a GPU's tile: not every layout with every bias. */
const onKind: Record<Hardware["kind"], Record<string, Biased>> = {
  cpu: {
    ...biased,
    "long sums, columns": { a: [130, 131], b: [131, 132], bias: [132], biasAlong: "columns" },
    "long sums, rows": { a: [33, 200], b: [2, 200, 35], bias: [2, 33], biasAlong: "rows" },
  },
  gpu: {
    ...Object.fromEntries(
      ["a linear layer", "columns in fours", "a convolution 1x1", "rows in fours"].map((name) => [
        name,
        biased[name]!,
      ]),
    ),
    "long sums, columns": { a: [40, 131], b: [66, 131], bias: [66], biasAlong: "columns", transposeB: true },
    "long sums, rows": { a: [33, 200], b: [2, 200, 35], bias: [2, 33], biasAlong: "rows" },
  },
};

/** The bias so that it broadcasts over the product. */
const spread = (bias: Tensor, along: "rows" | "columns"): Tensor =>
  along === "rows"
    ? reshape(bias, [...bias.shape, 1])
    : bias.rank > 1
      ? reshape(bias, [...bias.shape.slice(0, -1), 1, bias.dim(-1)])
      : bias;

describe.each(["cpu", "gpu"] as const)("with a bias, as on a %s", (kind) => {
  test.each(Object.entries(onKind[kind]).filter(([name]) => name in biased))(
    "%s: value, first and second derivative",
    async (_, { a, b, bias, ...given }) => {
      const { biasAlong, ...transposed } = given;
      const inputs = [normal(a, 1), normal(b, 2), normal(bias, 3)];
      const mathematics = (a: Array64, b: Array64, bias: Array64) =>
        oracle.addBias(oracle.matmul(a, b, transposed), bias, biasAlong);
      const [sizeA, sizeB, sizeBias] = inputs.map((x) => map(x, Math.abs)) as [Array64, Array64, Array64];
      await choosingFor({ kind }, () =>
        checkOp({
          op: (a, b, bias) => matmul(a!, b!, { bias: bias!, ...given }),
          oracle: (a, b, bias) => mathematics(a!, b!, bias!),
          inputs,
          seed: 3,
          terms: 12,
          magnitude: mathematics(sizeA, sizeB, sizeBias),
        }),
      );
    },
  );

  test("it is added to whole sums, so that the result is that of a sum afterwards, to the last bit", async () => {
    const names = kind === "cpu" ? Object.keys(onKind.cpu) : ["columns in fours", "a convolution 1x1"];
    for (const { a, b, bias: shape, biasAlong, ...transposed } of names.map(
      (name) => biased[name] ?? onKind.cpu[name]!,
    )) {
      const [left, right, bias] = [normal(a, 1), normal(b, 2), normal(shape, 3)].map((x) => upload(x)) as [
        Tensor,
        Tensor,
        Tensor,
      ];
      const both = choosingFor({ kind }, () =>
        engine.scope(() => [
          matmul(left, right, { bias, biasAlong, ...transposed }),
          add(matmul(left, right, transposed), spread(bias, biasAlong)),
        ]),
      );
      const [got, expected] = await engine.readAll(both);
      expect(got).toEqual(expected);
      for (const t of [...both, left, right, bias]) t.dispose();
    }
  });

  test("it takes no launch of its own", () => {
    const launches = (options: MatmulOptions) => {
      const kernels: string[] = [];
      choosingFor({ kind }, () =>
        engine.dry(
          () => matmul(engine.empty([2, 8, 4]), engine.empty([4, 12]), options),
          ({ program }) => kernels.push(program.kernel.name),
        ),
      );
      return kernels;
    };
    for (const biasAlong of ["rows", "columns"] as const) {
      const bias = engine.ones([biasAlong === "rows" ? 8 : 12]);
      expect(launches({ bias, biasAlong })).toEqual(launches({}));
      bias.dispose();
    }
  });

  const halves = engine.device.features.has("shader-f16");
  test.runIf(halves && kind === "cpu")("of operands stored as f16, the result rounded once", async () => {
    for (const name of ["a linear layer", "a convolution 1x1", "rows of one product"]) {
      const { a, b, bias: shape, biasAlong, ...transposed } = biased[name]!;
      const given = [normal(a, 1), normal(b, 2), normal(shape, 3)].map((x) => upload(x));
      const [left, right, bias] = given.map((x) => cast(x, "f16")) as [Tensor, Tensor, Tensor];
      const all = choosingFor({ kind }, () =>
        engine.scope(() => [
          matmul(left, right, { bias, biasAlong, ...transposed }),
          matmul(cast(left, "f32"), cast(right, "f32"), {
            ...{ bias: cast(bias, "f32"), biasAlong },
            ...transposed,
          }),
          engine.autocast(() => matmul(left, right, { bias, biasAlong, ...transposed })),
          engine.autocast(() => add(matmul(left, right, transposed), spread(bias, biasAlong))),
        ]),
      );
      const [y, , rounded, pair] = all as [Tensor, Tensor, Tensor, Tensor];
      expect(y.dtype).toBe("f32");
      expect(rounded.dtype).toBe(pair.dtype);
      const once = cast(y, rounded.dtype as "f16" | "f32");
      const [got, wide, gotRounded, , onceRounded] = await engine.readAll([...all, once]);
      expect(got).toEqual(wide);
      expect(gotRounded).toEqual(onceRounded);
      for (const t of [...all, once, ...given, left, right, bias]) t.dispose();
    }
  });
});

describe("messages", () => {
  test("what a bias goes along", () => {
    const [a, bias] = [engine.ones([2, 2]), engine.ones([2])];
    expect(() => matmul(a, a, { bias, biasAlong: "row" as "rows" })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got biasAlong row, expected "columns" or "rows"]`,
    );
  });
  test("a dtype other than f32", () => {
    expect(() => matmul(engine.ones([2, 2], "i32"), engine.ones([2, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got dtype i32, expected f32]`,
    );
    expect(() => matmul(engine.ones([2, 2]), engine.ones([2, 2], "i32"))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got dtype i32, expected f32]`,
    );
  });
  test("a vector", () => {
    expect(() => matmul(engine.ones([3]), engine.ones([3, 2]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got [3] and [3,2], expected rank 2 or more; reshape first]`,
    );
  });
  test("inner lengths", () => {
    expect(() => matmul(engine.ones([2, 3]), engine.ones([4, 5]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got [2,3] and [4,5], inner lengths 3 and 4 differ]`,
    );
    expect(() =>
      matmul(engine.ones([3, 2]), engine.ones([3, 5]), { transposeA: true, transposeB: true }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got [3,2] transposed and [3,5] transposed, inner lengths 3 and 5 differ]`,
    );
  });
  test("a bias", () => {
    const [a, b] = [engine.ones([2, 3]), engine.ones([5, 3, 4])];
    expect(() => matmul(a, b, { bias: engine.ones([2]) })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got bias [2], expected [4] or [5,4]]`,
    );
    expect(() =>
      matmul(a, b, { bias: engine.ones([2, 1]), biasAlong: "rows" }),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: matmul: got bias [2,1], expected [2] or [5,2]]`);
    expect(() =>
      matmul(a, engine.ones([3, 4]), { bias: engine.ones([1, 4]) }),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: matmul: got bias [1,4], expected [4]]`);
    expect(() => matmul(a, b, { bias: engine.ones([4], "i32") })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got dtype i32, expected f32]`,
    );
  });
  test("batches", () => {
    expect(() => matmul(engine.ones([2, 3, 4]), engine.ones([5, 4, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: matmul: got shapes [2] and [5], axis -1 differs (2 and 5); expected equal lengths or 1]`,
    );
  });
});
