/** Convolution on matrix units, whole but for the units, which loops stand for, against the float64 loops. */
import { describe, expect, test } from "vitest";
import { create } from "webgpu";
import { byMatrix } from "../../engine/ops/conv-matrix.ts";
import { outSize } from "../../engine/ops/conv-shapes.ts";
import { matmul } from "../../engine/ops/matmul.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import { matmul as matmulOracle } from "../../engine/oracle/matmul.ts";
import {
  convMatrix,
  type MatrixTile,
  matrixBytes,
  matrixFits,
  matrixSize,
  matrixTiles,
  matrixWays,
  rowVecs,
  slabsFill,
} from "../../kernels/conv-matrix.ts";
import { type Hardware, source } from "../../kernels/kernel.ts";
import { upload } from "../support/check-op.ts";
import { type ConvCase, convCase, lopsided, productCases } from "../support/conv-cases.ts";
import { normal } from "../support/draw.ts";
import { emulated } from "../support/emulate-matrices.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

/** Numbers that f16 holds exactly. */
const halves = (shape: readonly number[], seed: number): Array64 =>
  map(normal(shape, seed), (v) => Math.round(v * 64) / 64);

const single = { kernel: [1, 1], padding: [0, 0, 0, 0] } as const;
const cases = [
  productCases.odd,
  convCase({ n: 1, ci: 35, co: 40, size: [8, 8], ...lopsided }),
  convCase({ n: 3, ci: 64, co: 2, size: [4, 4], ...single }),
  productCases.cropped,
  convCase({ n: 2, ci: 100, co: 9, size: [5, 7] }),
];

const stands = emulated(convMatrix);
/** So small that loops in the units' place run quickly. */
const unit = { m: 4, n: 4, k: 16, lanes: 1 };
const tiles: readonly MatrixTile[] = [
  { unitRows: 1, unitColumns: 2, groupRows: 2, groupColumns: 2, slab: 32 },
  { unitRows: 2, unitColumns: 1, groupRows: 1, groupColumns: 2, slab: 32 },
  { unitRows: 2, unitColumns: 1, groupRows: 2, groupColumns: 4, slab: 64 },
];

async function computed(
  inputs: Parameters<typeof byMatrix>[1],
  problem: Parameters<typeof byMatrix>[2],
  way: Parameters<typeof byMatrix>[3],
  kernel?: typeof convMatrix,
): Promise<ArrayLike<number>> {
  const y = engine.scope(() => byMatrix(engine, inputs, problem, way, kernel));
  const values = await y.data();
  y.dispose();
  return values;
}

async function check(
  c: ConvCase,
  way: Parameters<typeof byMatrix>[3],
  kernel?: typeof convMatrix,
): Promise<void> {
  const { stride, padding, dilation, kernel: taps, size } = c;
  const attrs = { stride, padding, dilation } as const;
  const [x, w] = [halves([c.n, c.ci, ...size], 1), halves([c.co, c.ci, ...taps], 2)];
  const plain = oracle.conv2d(x, w, null, attrs);
  const magnitude = oracle.conv2d(map(x, Math.abs), map(w, Math.abs), null, attrs);
  const terms = c.ci * taps[0] * taps[1];
  const [residual, bias] = [normal(plain.shape, 3), normal([c.n, c.co], 4)];
  const [oh, ow] = [plain.shape[2]!, plain.shape[3]!];
  const problem = {
    n: c.n,
    ci: c.ci,
    co: c.co,
    oh,
    ow,
    kernel: taps,
    attrs,
    stuffing: [1, 1],
    half: true,
    flip: false,
  } as const;
  const [xs, ws, rs, bs] = [x, w, residual, bias].map((t) => upload(t));
  expectNear(await computed([xs, ws], { ...problem, rescale: 1 }, way, kernel), plain, { terms, magnitude });
  const ended = oracle.addRescaled(oracle.conv2d(x, w, bias, attrs), residual, 0.7);
  const sizes = { ...magnitude, data: magnitude.data.map((v) => v + 8) };
  expectNear(
    await computed([xs, ws, bs, rs], { ...problem, rescale: 0.7 }, way, kernel),
    ended,
    { terms, magnitude: sizes },
    "with its end",
  );
  for (const t of [xs, ws, rs, bs]) t!.dispose();
}

/** LLVM takes minutes over these loops; the embedded driver, which CI tests too, seconds. */
const slow = /llvmpipe/.test(engine.driver.description);
describe.skipIf(slow).each(tiles)(
  "$unitRows x $unitColumns units, $groupRows x $groupColumns subgroups, slabs of $slab",
  (tile) => {
    test.each(cases.filter(({ ci }) => slabsFill(tile, ci)))(
      "$ci -> $co, kernel $kernel, stride $stride, padding $padding, dilation $dilation",
      async (c) => {
        await check(c, { ...unit, ...tile }, stands);
      },
    );
  },
);

/** Runs `fn` where a binding holds one image's rows of channels and no more. */
async function oneAtOnce(c: ConvCase, fn: () => Promise<void>): Promise<void> {
  const { kernel, stride, dilation, size } = c;
  const [oh, ow] = outSize(size, kernel, c);
  const [lines, pitch] = matrixSize({ oh, ow, kernel, attrs: { stride, dilation } });
  const images: number[] = [];
  const { dispatch } = engine.stream;
  engine.stream.dispatch = (command) => {
    if (command.program.kernel.name === "matrix_pixels") images.push(Number(command.params[0]));
    dispatch.call(engine.stream, command);
  };
  try {
    await choosingFor({ maxBinding: 16 * rowVecs(c.ci) * lines * pitch }, fn);
  } finally {
    engine.stream.dispatch = dispatch;
  }
  expect(images).toEqual(images.map(() => 1));
  expect(images.length).toBe(2 * c.n); // without its end and with it
}

const inTurns = convCase({ n: 3, ci: 35, co: 9, size: [5, 6], ...lopsided });
test.skipIf(slow)("images in turns", () =>
  oneAtOnce(inTurns, () => check(inTurns, { ...unit, ...tiles[0]! }, stands)),
);

describe("slabs", () => {
  const roomy: Hardware = {
    ...engine.hardware,
    ...{ kind: "gpu", maxWorkgroupSize: 1024, maxWorkgroupStorage: 49_152 },
    matrix: { m: 16, n: 16, k: 16, lanes: 32 },
  };
  const product = { m: 256, n: 65_536 };
  const slabs = (ci: number) => matrixWays(roomy, { ...product, ci }).map(({ slab }) => slab);

  test.each([33, 40, 64, 100, 128, 256])(
    "of 64 come first where rows of %i channels are whole ones",
    (ci) => {
      expect(slabs(ci)).toEqual([64, 32, 32, 32, 64, 32, 64, 32]); // by extent: 128x128, 64x128, 64x64
    },
  );

  test.each([8, 32, 65, 96, 150])("of 32 alone where rows of %i channels are not", (ci) => {
    expect(slabs(ci)).toEqual([32, 32, 32, 32, 32]);
  });

  test.each([
    [49_152, [64, 32, 32, 32, 64, 32, 64, 32]],
    [47_104, [64, 32, 32, 32, 64, 32, 64, 32]],
    [47_103, [32, 32, 32, 64, 32, 64, 32]],
    [32_768, [32, 32, 32, 64, 32, 64, 32]],
    [32_767, [32, 32, 32, 32, 64, 32]],
    [16_384, [32]],
  ])("as %i bytes of workgroup memory hold them", (maxWorkgroupStorage, expected) => {
    const ways = matrixWays({ ...roomy, maxWorkgroupStorage }, { ...product, ci: 128 });
    expect(ways.map(({ slab }) => slab)).toEqual(expected);
  });

  test("take the bytes of the kernel's arrays", () => {
    for (const v of convMatrix.variants) {
      const arrays = source(convMatrix, v).matchAll(/var<workgroup> \w+: array<(vec4u|f32), (\d+)>/g);
      const bytes = [...arrays].map(([, type, count]) => (type === "f32" ? 4 : 16) * Number(count));
      expect(bytes).toHaveLength(3);
      expect(matrixBytes(v)).toBe(bytes.reduce((a, b) => a + b));
    }
  });

  test("of 64 are not taken through rows that they do not fill", () => {
    const [x, w] = [engine.empty([1, 96, 4, 4]), engine.empty([8, 96, 1, 1])];
    const { kernel, ...attrs } = convCase({ ...{ n: 1, ci: 96, co: 8, size: [4, 4] }, ...single });
    const problem = {
      ...{ n: 1, ci: 96, co: 8, oh: 4, ow: 4, kernel, attrs, rescale: 1, half: true, flip: false },
      stuffing: [1, 1],
    } as const;
    expect(() => byMatrix(engine, [x, w], problem, { ...unit, ...tiles[2]! }, stands)).toThrow(
      "slabs of 64 do not fill rows of 96 channels",
    );
    for (const t of [x, w]) t.dispose();
  });
});

const { matrix } = engine.hardware;
describe.runIf(matrix)("on this adapter's units", () => {
  const ways = matrixTiles
    .map((tile) => ({ ...matrix!, ...tile }))
    .filter((way) => matrixFits(engine.hardware, way));
  test("some tile fits", () => expect(ways.length).toBeGreaterThan(0));
  test("images in turns", () => oneAtOnce(inTurns, () => check(inTurns, ways[0]!)));
  test.each(ways.flatMap((way) => cases.filter(({ ci }) => slabsFill(way, ci)).map((c) => ({ ...way, c }))))(
    "$unitRows x $unitColumns units, $groupRows x $groupColumns subgroups, slabs of $slab, $c.ci -> $c.co",
    ({ c, ...way }) => check(c, way),
  );
});

test("a CPU driver's units, loops in their place, are not chosen", () => {
  const unit = { m: 8, n: 8, k: 8, lanes: 8 };
  const ways = (kind: Hardware["kind"]) =>
    matrixWays({ ...engine.hardware, kind, matrix: unit }, { ci: 64, m: 64, n: 4096 });
  expect(ways("cpu")).toEqual([]);
  expect(ways("gpu")).not.toEqual([]);
});

test.runIf(matrix)("weights by activations in f16 are a product on units too", () =>
  choosingFor({ kind: "gpu" }, async () => {
    const [m, k, n] = [40, 72, 50];
    const [w, x] = [halves([m, k], 1), halves([3, k, n], 2)];
    const [ws, xs] = [upload(w), upload(x)];
    const stored = engine.untrack(engine.empty([3, k, n], "f16"));
    engine.copy(xs, stored);
    const kernels: string[] = [];
    engine.dry(
      () => matmul(ws, stored),
      ({ program }) => kernels.push(program.kernel.name),
    );
    expect(kernels).toContain("conv_matrix");
    const y = engine.scope(() => matmul(ws, stored));
    const magnitude = matmulOracle(map(w, Math.abs), map(x, Math.abs), {
      transposeA: false,
      transposeB: false,
    });
    expectNear(await y.data(), matmulOracle(w, x, { transposeA: false, transposeB: false }), {
      terms: k,
      magnitude,
    });
    for (const t of [ws, xs, stored, y]) t.dispose();
  }),
);

/** Dawn's adapter without a driver has every feature: it checks the text and runs nothing. */
test("every variant is WGSL that Dawn accepts", async () => {
  const gpu = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"]);
  kept.push(gpu);
  const adapter = (await gpu.requestAdapter())!;
  const { maxComputeWorkgroupStorageSize } = adapter.limits;
  const device = await adapter.requestDevice({
    requiredFeatures: ["shader-f16", "subgroups", "chromium-experimental-subgroup-matrix" as GPUFeatureName],
    requiredLimits: { maxComputeWorkgroupStorageSize },
  });
  kept.push(adapter, device);
  device.onuncapturederror = (event) => event.preventDefault();
  for (const variant of convMatrix.variants)
    for (const halves of [[], variant.residual ? ["y", "residual"] : ["y"]]) {
      const module = device.createShaderModule({ code: source(convMatrix, variant, halves) });
      const { messages } = await module.getCompilationInfo();
      expect(messages.map(({ message }) => message)).toEqual([]);
    }
});
const kept: unknown[] = []; // Dawn hangs when its handles are collected
