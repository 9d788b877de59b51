/** More than 65,535 workgroups: dispatches fold into rows, checked at sampled places, the last ones among them. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { embeddingGrad } from "../../engine/ops/embedding.ts";
import {
  add,
  attention,
  avgPool2d,
  conv2d,
  embedding,
  flip,
  matmul,
  maxPool2d,
  mul,
  permute,
  resizeBilinear,
  resizeNearest,
  slice,
  softmax,
  sum,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import { drawNumbers, purposes } from "../../engine/random.ts";
import type { HostData, Tensor } from "../../engine/tensor.ts";
import type { AttentionWay } from "../../kernels/attention-ways.ts";
import { fill } from "../../kernels/fill.ts";
import { MAX_GROUPS } from "../../kernels/kernel.ts";
import { maxPool } from "../../kernels/pool.ts";
import { randomFill } from "../../kernels/random.ts";
import { reduce } from "../../kernels/reduce.ts";
import { bilinearStripsGrad } from "../../kernels/resize-strips.ts";
import { markedMaxOfFours, markedPlaces, maxOfFoursGrad } from "../../kernels/sliding-fours.ts";
import { slidingMean } from "../../kernels/sliding-pool.ts";
import { softmax as softmaxKernel } from "../../kernels/softmax.ts";
import { unary } from "../../kernels/unary.ts";
import { upfirdn2dTile } from "../../kernels/upfirdn2d.ts";
import { choosingFor, engine } from "../support/engine.ts";

/** Elements beyond what one row of workgroups with 64 threads of one element takes. */
const PAST = MAX_GROUPS * 64 + 12_345;

/** Kernels of which a dispatch took more than one row of workgroups: a test of one that did not shows nothing. */
const folded = new Set<string>();
const dispatch = engine.stream.dispatch;
/** Folds every line of workgroups in two: those of 256 threads would want a gigabyte to be too long. */
let halving = false;
beforeEach(() => {
  folded.clear();
  engine.stream.dispatch = (command) => {
    const [across, down, deep] = command.groups;
    const groups = halving && down === 1 ? ([Math.ceil(across / 2), 2, deep] as const) : command.groups;
    if (groups[1] > 1) folded.add(command.program.kernel.name);
    dispatch.call(engine.stream, { ...command, groups });
  };
});
afterEach(() => {
  halving = false;
  engine.stream.dispatch = dispatch;
  engine.trim();
});

/** Values that tell their place apart. */
const pattern = (i: number): number => ((i * 7919) % 1009) - 500;
function ramp(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  const data = new Float32Array(size);
  for (let i = 0; i < size; i++) data[i] = pattern(i);
  return engine.tensor(data, shape);
}

/** Some thousand places spread over all, the first and the last ones. */
function expectAt(got: HostData, size: number, expected: (i: number) => number, tolerance = 0): void {
  expect(got.length).toBe(size);
  const step = Math.max(1, Math.floor(size / 5003));
  for (let i = 0; i < size; i += i < 300 || i >= size - 300 - step ? 1 : step) {
    const e = expected(i);
    if (!(Math.abs(got[i]! - e) <= tolerance * Math.max(1, Math.abs(e))))
      expect.fail(`element ${i} of ${size}: got ${got[i]}, expected ${e}`);
  }
}

/** Holds a function, and in it the named kernel, to what is expected of it at each place. */
async function through(
  kernel: string,
  shape: readonly number[],
  f: (x: Tensor) => Tensor,
  size: number,
  expected: (i: number) => number,
  tolerance = 0,
): Promise<void> {
  folded.clear();
  const y = engine.scope(() => f(ramp(shape)));
  expect([...folded], `more workgroups than ${MAX_GROUPS}: enlarge the test`).toContain(kernel);
  expectAt(await y.data(), size, expected, tolerance);
  y.dispose();
}

/** The same with the choices for GPUs: a thread for each element. */
const asGpu = (f: (x: Tensor) => Tensor) => as("gpu", f);

/** The same with the choices for another kind of adapter. */
const as = (kind: "cpu" | "gpu", f: (x: Tensor) => Tensor) => (x: Tensor) =>
  choosingFor({ kind }, () => f(x));

test("elementwise on 5 million elements, a vec4 a thread: fill, unary, binary", async () => {
  halving = true;
  const n = 5_000_003;
  await through(
    "unary",
    [n],
    (x) => {
      const y = engine.empty([n]);
      engine.launch(unary, { op: "neg", vecs: 1 }, { x, y }, { count: n, a: 0 });
      return y;
    },
    n,
    (i) => -pattern(i),
  );
  const filled = engine.empty([n], "u32");
  engine.launch(fill, { vecs: 1 }, { y: filled }, { count: n, bits: 3 });
  expect([...folded]).toContain("fill");
  expectAt(await filled.data(), n, () => 3);
  filled.dispose();
});

test("broadcasting, copying along strides, flipping", async () => {
  const [rows, columns] = [4101, 4103];
  const size = rows * columns;
  await through(
    "binary_broadcast",
    [rows, columns],
    asGpu((x) =>
      add(
        x,
        engine.tensor(
          Float32Array.from({ length: columns }, (_, i) => i),
          [columns],
        ),
      ),
    ),
    size,
    (i) => pattern(i) + (i % columns),
  );
  await through(
    "strided_copy",
    [rows, columns],
    asGpu((x) => flip(x, [0, 1])),
    size,
    (i) => pattern(size - 1 - i),
  );
});

test("squares turned around, and windows", async () => {
  halving = true;
  const [rows, columns] = [401, 403];
  const size = rows * columns;
  await through(
    "transposed_copy",
    [rows, columns],
    asGpu((x) => permute(x, [1, 0])),
    size,
    (i) => pattern((i % rows) * columns + Math.floor(i / rows)),
  );
  await through(
    "window_copy",
    [rows, columns],
    asGpu((x) => slice(x, [1, 2], [rows - 1, columns - 2])),
    (rows - 1) * (columns - 2),
    (i) => pattern((Math.floor(i / (columns - 2)) + 1) * columns + (i % (columns - 2)) + 2),
  );
});

test("reductions with a thread or a workgroup for each of many results", async () => {
  const outer = PAST;
  await through(
    "reduce",
    [outer, 2],
    (x) => sum(x, { axis: 1 }),
    outer,
    (i) => pattern(2 * i) + pattern(2 * i + 1),
  );
  const groups = MAX_GROUPS + 4321;
  await through(
    "reduce",
    [groups, 5],
    (x) => {
      const y = engine.empty([groups]);
      engine.launch(
        reduce,
        { op: "max", by: "group" },
        { x, y },
        { outer: groups, length: 5, inner: 1, segments: 1, scale: 1 },
      );
      return y;
    },
    groups,
    (i) => Math.max(...[0, 1, 2, 3, 4].map((k) => pattern(5 * i + k))),
  );
});

test("sums of short rows and gradients of tables, many workgroups", async () => {
  halving = true;
  const outer = 999;
  const of36 = (i: number) =>
    Array.from({ length: 36 }, (_, k) => pattern(36 * i + k)).reduce((a, b) => a + b);
  await through(
    "reduce",
    [outer, 36],
    asGpu((x) => sum(x, { axis: 1 })),
    outer,
    of36,
  );
  await through(
    "embedding_grad",
    [outer, 3],
    asGpu((x) => embeddingGrad(x, engine.tensor(Int32Array.from({ length: outer }, (_, i) => i)), outer)),
    3 * outer,
    pattern,
  );
});

test("softmax with a thread or a workgroup for each of many rows", async () => {
  const half = (i: number) => 1 / (1 + Math.exp((pattern(i ^ 1) - pattern(i)) / 500));
  await through("softmax", [PAST, 2], (x) => softmax(mul(x, 1 / 500)), 2 * PAST, half, 1e-5);
  const rows = MAX_GROUPS + 98; // odd: a workgroup is left over
  await through(
    "softmax",
    [rows, 2],
    (x) => {
      const [z, y] = [mul(x, 1 / 500), engine.empty([rows, 2])];
      engine.launch(
        softmaxKernel,
        { out: "softmax", by: "group", vec: false },
        { x: z, y },
        { rows, columns: 2 },
      );
      return y;
    },
    2 * rows,
    half,
    1e-5,
  );
});

test("matrix products of many batches", async () => {
  const batch = MAX_GROUPS + 777;
  await through(
    engine.hardware.kind === "cpu" ? "matmul_register" : "matmul_shared",
    [batch, 2, 3],
    (x) => matmul(x, engine.tensor([1, 0, 2, -1, 0, 1], [3, 2])),
    batch * 4,
    (i) => {
      const row = Math.floor(i / 2) * 3;
      const [a, b, c] = [pattern(row), pattern(row + 1), pattern(row + 2)];
      return i % 2 === 0 ? a + 2 * b : -b + c;
    },
  );
});

test("a convolution of many tiles", async () => {
  const byRows = { kernel: "rows", rows: 4, columns: 8, lanes: 8 } as const;
  const [h, w] = [2051, 2055];
  const taps = engine.tensor([0, 0, 0, 1, 2, 0, 0, 0, -1], [1, 1, 3, 3]);
  await through(
    "conv_rows",
    [1, 1, h, w],
    (x) => engine.choices.forcing("conv2d", byRows, () => conv2d(x, taps, undefined, { padding: 1 })),
    h * w,
    (i) => {
      const [r, c] = [Math.floor(i / w), i % w];
      const at = (y: number, x: number) => (y >= 0 && y < h && x >= 0 && x < w ? pattern(y * w + x) : 0);
      return at(r, c - 1) + 2 * at(r, c) - at(r + 1, c + 1);
    },
  );
  taps.dispose();
});

test("pools, resizing and filters of large images", async () => {
  halving = true;
  const [h, w] = [2054, 2050];
  const size = h * w;
  const at = (y: number, x: number) => pattern(y * w + x);
  const [row, column] = [(i: number) => Math.floor(i / w), (i: number) => i % w];
  const pool = { stride: 1, padding: [0, 1, 0, 0] } as const;
  const shape = [1, 1, h, w];
  await through(
    "resize_nearest",
    shape,
    asGpu((x) => resizeNearest(x, [h, w])),
    size,
    pattern,
  );
  await through(
    "resize_bilinear",
    shape,
    asGpu((x) => resizeBilinear(x, [h, w])),
    size,
    pattern,
  );
  const inside = (i: number) => row(i) + 1 < h;
  await through(
    "average_pool",
    shape,
    asGpu((x) => avgPool2d(x, { kernel: [2, 1], ...pool, countIncludePad: false })),
    size,
    (i) => (inside(i) ? (at(row(i), column(i)) + at(row(i) + 1, column(i))) / 2 : at(row(i), column(i))),
  );
  const params = { planes: 1, height: h, width: w, oh: h, ow: w, top: 0, left: 0 };
  await through(
    "max_pool",
    shape,
    (x) => {
      const [y, index] = [engine.empty(shape), engine.empty(shape, "i32")];
      const window = { kh: 2, kw: 1, strideY: 1, strideX: 1 };
      engine.launch(maxPool, { run: 1 }, { x, y, index }, { ...params, ...window });
      return y;
    },
    size,
    (i) => Math.max(at(row(i), column(i)), inside(i) ? at(row(i) + 1, column(i)) : -Infinity),
  );
  await through(
    "upfirdn2d",
    shape,
    asGpu((x) => upfirdn2d(x, engine.tensor([2], [1, 1]))),
    size,
    (i) => 2 * pattern(i),
  );
  await through(
    "upfirdn2d_tile",
    shape,
    (x) => {
      const y = engine.empty(shape);
      const tile = {
        up: 1,
        down: 1,
        taps: 1,
        phase: 0,
        rows: 1,
        columns: 1,
        vec: false,
        lead: -1,
        broadcast: false,
      };
      const along = { kh: 1, upY: 1, downY: 1, phaseY: 0, flip: 0 };
      const filter_ = engine.tensor([2], [1, 1]);
      engine.launch(upfirdn2dTile, tile, { x, filter_, y }, { ...params, ...along });
      return y;
    },
    size,
    (i) => 2 * pattern(i),
  );
});

test("the same by vec4s and in strips", async () => {
  halving = true;
  const [h, w] = [66, 2052];
  const size = h * w;
  const at = (y: number, x: number) => pattern(y * w + x);
  const [row, column] = [(i: number) => Math.floor(i / w), (i: number) => i % w];
  const shape = [1, 1, h, w];
  const below = { kernel: [2, 1], stride: 1, padding: [0, 1, 0, 0] } as const;
  await through(
    "blocks",
    shape,
    asGpu((x) => resizeNearest(x, [h, 2 * w])),
    2 * size,
    (i) => pattern(Math.floor(i / 2)),
  );
  await through(
    "mean_of_fours",
    shape,
    asGpu((x) => avgPool2d(x, below)),
    size,
    (i) => (at(row(i), column(i)) + (row(i) + 1 < h ? at(row(i) + 1, column(i)) : 0)) / 2,
  );
  const largest = (i: number) =>
    Math.max(at(row(i), column(i)), row(i) + 1 < h ? at(row(i) + 1, column(i)) : -Infinity);
  await through(
    "max_of_fours",
    shape,
    asGpu((x) => maxPool2d(x, below)),
    size,
    largest,
  );
  const window = { kh: 2, kw: 1, lead: 0, rows: 8, repeated: false, shared: false };
  const same = { planes: 1, height: h, width: w, oh: h, ow: w };
  const marks = engine.zeros([h, w / 4], "u32");
  await through(
    "max_of_fours_grad",
    shape,
    (dy) => {
      const dx = engine.empty(shape);
      engine.launch(maxOfFoursGrad, window, { dy, marks, dx }, { ...same, top: 1, left: 0 });
      return dx;
    },
    size,
    pattern,
  );
  await through(
    "marked_max_of_fours",
    shape,
    (x) => {
      const y = engine.empty(shape);
      engine.launch(markedMaxOfFours, window, { x, y, marks }, { ...same, top: 0, left: 0 });
      return y;
    },
    size,
    largest,
  );
  const index = engine.empty(shape, "i32");
  engine.launch(markedPlaces, {}, { marks, index }, { count: size, oh: h, ow: w, width: w, top: 0, left: 0 });
  expect([...folded]).toContain("marked_places");
  const lower = (i: number) => row(i) + 1 < h && at(row(i) + 1, column(i)) > pattern(i);
  expectAt(await index.data(), size, (i) => (lower(i) ? i + w : i));
  for (const t of [marks, index]) t.dispose();
  await through(
    "bilinear_strips",
    shape,
    asGpu((x) => resizeBilinear(x, [h, w])),
    size,
    pattern,
  );
  await through(
    "bilinear_strips_grad",
    shape,
    (dy) => {
      const dx = engine.empty(shape);
      const params = { ...same, scaleY: 1, scaleX: 1 };
      engine.launch(bilinearStripsGrad, { corners: true, rows: 8, taps: 2 }, { dy, dx }, params);
      return dx;
    },
    size,
    pattern,
  );
});

test("a sliding pool over 17 million places, four a thread", async () => {
  const [h, w] = [4100, 4099];
  const shape = [1, 1, h, w];
  await through(
    "sliding_mean",
    shape,
    (x) => {
      const y = engine.empty(shape);
      const params = { planes: 1, height: h, width: w, oh: h, ow: w, top: 0, left: 0 };
      engine.launch(slidingMean, { kh: 1, kw: 2, rows: 1 }, { x, y }, params);
      return y;
    },
    h * w,
    (i) => (pattern(i) + (i % w < w - 1 ? pattern(i + 1) : 0)) / 2,
  );
});

test("embeddings of many labels, attention over many positions", async () => {
  const labels = engine.tensor(Int32Array.from({ length: PAST }, (_, i) => i % 3));
  await through(
    "embedding",
    [3, 1],
    as("cpu", (table) => embedding(table, labels)),
    PAST,
    (i) => pattern(i % 3),
  );
  labels.dispose();
  const t = MAX_GROUPS * 32 + 77; // one key: every query gets its value
  const attend = (kernel: string, way: AttentionWay) =>
    through(
      kernel,
      [1, 1, t],
      (q) =>
        engine.choices.forcing("attention", way, () =>
          attention(mul(q, 0.01), engine.tensor([0.5], [1, 1, 1]), engine.tensor([-3], [1, 1, 1])),
        ),
      t,
      () => -3,
      1e-6,
    );
  await attend("attention", { kernel: "flash" });
  await attend("attention_weights", { kernel: "products", slices: 1, vec: false });
});

test("draws of 17 million numbers", async () => {
  halving = true;
  const [samples, size] = [17, 1_000_003];
  const x = engine.empty([samples, size]);
  const numbers = drawNumbers(x.shape, { seed: 1, purpose: "user", step: 2 });
  engine.launch(
    randomFill,
    { law: "normal", run: 1, vec: false },
    { y: x },
    { ...numbers, scale: 1, shift: 0 },
  );
  expect([...folded]).toContain("random_fill");
  const got = await x.data();
  for (const sample of [0, 8, 15, 16]) {
    // The last block of a sample is reached by its counter alone: draw only its first elements and compare.
    const expected = randomNormal([1, 1000], {
      seed: [1, 0],
      step: 2,
      purpose: purposes.user,
      sampleOffset: sample,
    });
    expectAt(got.subarray(sample * size, sample * size + 1000), 1000, (i) => expected.data[i]!, 2e-6);
  }
  expect(got.every((z) => Math.abs(z) < 5.8)).toBe(true);
  x.dispose();
});
