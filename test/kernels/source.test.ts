import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as index from "../../kernels/index.ts";
import { linearGroups, MAX_GROUPS, source } from "../../kernels/kernel.ts";
import { fuse } from "../../kernels/lanewise.ts";
import { unary } from "../../kernels/unary.ts";
import { allKernels, isKernel } from "../support/kernels.ts";
import { check } from "../support/property.ts";

const kernels = await allKernels();

/** Words that WGSL keeps for itself, among those a parameter or an array might be called. Others fail to compile on a device. */
const reserved = new Set(
  (
    "as async await become cast catch class common compile const default delete demote do else enum explicit export extends extern " +
    "external false filter final finally for friend from get global goto groupshared handle if impl implements import in inline " +
    "instanceof interface layout let loop macro match meta mod module move mut mutable namespace new nil null of operator package " +
    "partition pass patch precise precision premerge priv private process protected pub public readonly ref register regardless " +
    "require resource return self set shared signed sizeof smooth snorm static std struct subroutine super switch target template " +
    "this throw trait true try type typedef union unless unorm unsafe unsized use using var varying virtual volatile where while with write yield"
  ).split(" "),
);

test("the index lists every kernel, and every name is one kernel's", () => {
  const listed = Object.values(index)
    .filter(isKernel)
    .map((k) => k.name);
  expect(listed.sort()).toEqual(kernels.map((k) => k.name).sort());
  expect(new Set(listed).size).toBe(listed.length);
});

describe.each(kernels.map((k) => [k.name, k] as const))("%s", (_, kernel) => {
  test("has variants, each once", () => {
    const keys = kernel.variants.map((v) => JSON.stringify(v));
    expect(keys.length).toBeGreaterThan(0);
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  });

  test("uses no reserved word, and fits the smallest devices", () => {
    expect(Object.keys(kernel.params).filter((name) => reserved.has(name))).toEqual([]);
    expect(4 * Object.keys(kernel.params).length, "bytes of parameters").toBeLessThanOrEqual(256);
    for (const v of kernel.variants) {
      const names = Object.keys(kernel.bindings(v));
      expect(names.filter((name) => reserved.has(name))).toEqual([]);
      expect(names.length, "storage buffers").toBeLessThanOrEqual(8);
    }
  });

  test("prints its source, dispatch and cost", () => {
    const ones = Object.fromEntries(Object.keys(kernel.params).map((name) => [name, 4]));
    for (const v of kernel.variants) {
      const text = source(kernel, v);
      expect(text).toContain(`// ${kernel.name} ${JSON.stringify(v)}\n`);
      expect(text).toMatch(/@compute @workgroup_size\(\d+\)\s+fn main\(/);
      expect(text).not.toMatch(/undefined|NaN|\[object/);
      for (const n of kernel.dispatch(ones, v)) expect(n).toBeGreaterThanOrEqual(1);
      const { bytes, flops } = kernel.cost(ones, v);
      expect(Number.isFinite(bytes + flops) && bytes >= 0 && flops >= 0).toBe(true);
    }
  });
});

test("a long line of workgroups folds into rows of at most 65,535, with less than a row to spare", () =>
  check(
    fc.record({ count: fc.integer({ min: 0, max: 4e9 }), perGroup: fc.constantFrom(1, 8, 64, 256) }),
    ({ count, perGroup }) => {
      const [x, y, z] = linearGroups(count, perGroup);
      const needed = Math.max(1, Math.ceil(count / perGroup));
      expect(Math.max(x, y)).toBeLessThanOrEqual(MAX_GROUPS);
      expect(z).toBe(1);
      expect(x * y).toBeGreaterThanOrEqual(needed);
      expect(x * y - needed).toBeLessThan(y);
    },
    300,
  ));

test("fused kernels rename parameters and share helpers", () => {
  const step = { kernel: unary as never, lanewise: unary.lanewise!({ op: "elu", vecs: 1 })! };
  const text = source(
    fuse(
      [
        { ...step, arrays: [0, 1] },
        { ...step, arrays: [1, 2] },
      ],
      [
        { read: true, stored: false, half: false },
        { read: false, stored: false, half: false },
        { read: false, stored: true, half: false },
      ],
      1,
    ),
    {},
  );
  expect(text).toContain("count: u32, a_0: f32, a_1: f32");
  expect(text.match(/fn expm1_\(/g)).toHaveLength(1);
  expect(text).toContain("var<storage, read> t0");
  expect(text).not.toContain("t1"); // in registers alone
  expect(text).toContain("var<storage, read_write> t2");
});
