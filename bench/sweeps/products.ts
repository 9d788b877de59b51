/*
 * Every way of the matrix products and convolutions that NCSN++ at batch 64 meets, on a GPU:
 *
 *   npx tsx bench/sweeps/products.ts [--json FILE] [--only WORD] [--tiny]
 *
 * One line a way: milliseconds by the device's clock (by the wall clock where there is none), TFLOP/s, how far the result
 * is from the first way's. What is three times slower than the best is timed once. "usual": what the heuristic takes. `--tiny` takes small sizes and the ways
 * of a GPU wherever it runs: whether all works, not how fast it is.
 */
import { parseArgs } from "node:util";
import { writeFileAtomic } from "../../cli/pictures/write.ts";
import { table } from "../../cli/table.ts";
import { type Met, wayName } from "../../engine/choices.ts";
import { Engine } from "../../engine/engine.ts";
import {
  conv2d,
  conv2dInputGrad,
  conv2dWeightGrad,
  matmul,
  mean,
  square,
  sub,
} from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { elapsed, Stopwatch } from "../../engine/stopwatch.ts";
import type { Shape, Tensor } from "../../engine/tensor.ts";
import type { Variant } from "../../kernels/kernel.ts";
import { digits } from "../format.ts";

interface Problem {
  readonly name: string;
  readonly flops: number;
  /** The op whose ways are held against each other; inputs are uninitialised. */
  readonly walk: (engine: Engine) => Tensor;
}

interface Timed {
  readonly problem: string;
  readonly way: string;
  /** Taken where nothing was measured. */
  readonly usual: boolean;
  readonly ms: number;
  readonly tflops: number;
  /** Root of the mean squared difference from the first way, as a share of the root mean square. */
  readonly error: number;
  readonly fault?: string;
}

/** Milliseconds that a sample should take, and samples of a way that is not hopeless, all ways in turn. */
const SAMPLE_MS = 10;
const ROUNDS = 4;
const HOPELESS = 3;
const WRONG = 1e-4;

function matmulProblem(
  a: Shape,
  b: Shape,
  options: { transposeA?: boolean; transposeB?: boolean } = {},
): Problem {
  const { transposeA = false, transposeB = false } = options;
  const k = transposeA ? a.at(-2)! : a.at(-1)!;
  const [m, n] = [transposeA ? a.at(-1)! : a.at(-2)!, transposeB ? b.at(-2)! : b.at(-1)!];
  const batch = Math.max(...[a, b].map((s) => s.slice(0, -2).reduce((x, y) => x * y, 1)));
  return {
    name: `matmul ${a.join("x")}${transposeA ? "t" : ""} ${b.join("x")}${transposeB ? "t" : ""}`,
    flops: 2 * batch * m * n * k,
    walk: (engine) => matmul(engine.empty(a), engine.empty(b), options),
  };
}

/** A convolution that keeps its image's size, or halves it, and its gradients. */
function convProblems(n: number, size: number, ci: number, co: number, kernel = 3, stride = 1): Problem[] {
  const out = Math.ceil(size / stride);
  const attrs = {
    stride: [stride, stride],
    padding: [(kernel - 1) / 2, (kernel - 1) / 2, (kernel - 1) / 2, (kernel - 1) / 2],
    dilation: [1, 1],
  } as const;
  const [x, w, y] = [
    [n, ci, size, size],
    [co, ci, kernel, kernel],
    [n, co, out, out],
  ] as const;
  const flops = 2 * n * co * out * out * ci * kernel * kernel;
  const name = `${n}x${ci}->${co} ${kernel}x${kernel} at ${size}${stride > 1 ? ` stride ${stride}` : ""}`;
  return [
    { name: `conv ${name}`, flops, walk: (e) => conv2d(e.empty(x), e.empty(w), undefined, attrs) },
    {
      name: `conv input gradient ${name}`,
      flops,
      walk: (e) => conv2dInputGrad(e.empty(y), e.empty(w), { ...attrs, inputSize: [size, size] }),
    },
    {
      name: `conv weight gradient ${name}`,
      flops,
      walk: (e) => conv2dWeightGrad(e.empty(y), e.empty(x), { ...attrs, kernelSize: [kernel, kernel] }),
    },
  ];
}

const problems: readonly Problem[] = [
  ...[512, 1024, 2048, 4096].map((s) => matmulProblem([s, s], [s, s])),
  matmulProblem([2048, 2048], [2048, 2048], { transposeB: true }),
  matmulProblem([2048, 2048], [2048, 2048], { transposeA: true }),
  matmulProblem([16384, 128], [128, 128]),
  matmulProblem([64, 512], [256, 512], { transposeB: true }),
  matmulProblem([256, 256], [64, 256, 1024]),
  matmulProblem([256, 256], [64, 256, 16]),
  matmulProblem([16, 256, 128], [16, 128, 16384]),
  ...convProblems(64, 32, 128, 128),
  ...convProblems(64, 16, 256, 256),
  ...convProblems(64, 8, 256, 256),
  ...convProblems(64, 4, 256, 256),
  ...convProblems(64, 16, 512, 256),
  ...convProblems(64, 32, 128, 128, 3, 2).slice(0, 2),
  ...convProblems(64, 32, 3, 128).slice(0, 1),
];

const tiny: readonly Problem[] = [
  matmulProblem([36, 20], [20, 40]),
  ...convProblems(2, 6, 5, 8),
  ...convProblems(2, 5, 4, 6, 3, 2),
];

/** The op's own choice: those within its ways come later. */
const met = (engine: Engine, { walk }: Problem): Met =>
  engine.choices.metIn(() => engine.dry(() => walk(engine)))[0]!;

async function sweep(engine: Engine, problem: Problem, stopwatch: Stopwatch | undefined): Promise<Timed[]> {
  const { tunable, problem: sizes, inputs } = met(engine, problem);
  const xs = inputs.map(
    (t, i) => t && engine.untrack(randn(engine, t.shape, { seed: 1, purpose: "user", site: i })),
  );
  const run = (way: Variant) =>
    engine.noGrad(() => engine.forward(() => tunable.run(engine, xs, sizes, way)));
  const first = tunable.heuristic(engine.hardware, sizes);
  const ways = new Map([first, ...tunable.ways(engine.hardware, sizes)].map((w) => [wayName(w), w]));
  const expected = run(first);
  const entries: { name: string; way: Variant; ms: number; error: number; fault?: string }[] = [];
  try {
    for (const [name, way] of ways) {
      try {
        const error = await distance(engine, expected, () => run(way));
        const ms = await sample(engine, () => run(way), 1, stopwatch);
        entries.push({ name, way, ms, error, ...(error < WRONG ? {} : { fault: "wrong" }) });
      } catch (cause) {
        await engine.sync().catch(() => {}); // what it left to be reported belongs to it
        const fault = cause instanceof Error ? cause.message : String(cause);
        entries.push({ name, way, ms: Infinity, error: Infinity, fault });
      }
    }
    for (let round = 0; round < ROUNDS; round++) {
      const best = Math.min(...entries.map(({ ms }) => ms));
      for (const entry of entries) {
        if (!(entry.ms < HOPELESS * best)) continue;
        const repeats = Math.min(100, Math.max(1, Math.round(SAMPLE_MS / entry.ms)));
        entry.ms = Math.min(entry.ms, await sample(engine, () => run(entry.way), repeats, stopwatch));
      }
    }
  } finally {
    for (const t of [expected, ...xs]) t?.dispose();
  }
  return entries
    .map(({ name, ms, way: _, ...rest }) => ({
      ...{ problem: problem.name, way: name, usual: name === wayName(first) },
      ...{ ms, tflops: problem.flops / ms / 1e9, ...rest },
    }))
    .toSorted((x, y) => x.ms - y.ms);
}

async function distance(engine: Engine, expected: Tensor, run: () => Tensor): Promise<number> {
  const [off, size] = engine.noGrad(() =>
    engine.scope(() => [mean(square(sub(run(), expected))), mean(square(expected))] as const),
  );
  try {
    const error = Math.sqrt((await off.item()) / (await size.item()));
    return Number.isFinite(error) ? error : Infinity;
  } finally {
    off.dispose();
    size.dispose();
  }
}

/** Milliseconds of a run, by the device's clock where it has one. */
async function sample(
  engine: Engine,
  run: () => Tensor,
  repeats: number,
  stopwatch: Stopwatch | undefined,
): Promise<number> {
  const again = () => {
    for (let i = 0; i < repeats; i++) engine.scope(() => void run());
  };
  return (await elapsed(engine, again, { stopwatch })) / repeats;
}

const { values: options } = parseArgs({
  options: { json: { type: "string" }, only: { type: "string" }, tiny: { type: "boolean" } },
});
const engine = await Engine.create({ autotune: "cached" });
if (options.tiny) Object.assign(engine, { hardware: { ...engine.hardware, kind: "gpu" } });
const stopwatch = engine.device.features.has("timestamp-query") ? new Stopwatch(engine.device) : undefined;
const all: Timed[] = [];
const start = performance.now();
for (const problem of options.tiny ? tiny : problems) {
  if (options.only && !problem.name.includes(options.only)) continue;
  const from = performance.now();
  const timed = await sweep(engine, problem, stopwatch);
  all.push(...timed);
  console.log(
    `\n${problem.name}, ${digits(problem.flops / 1e9)} GFLOP (swept in ${digits((performance.now() - from) / 1e3)} s)`,
  );
  console.log(
    table(
      ["ms", "TFLOP/s", "off by", "", "way"],
      timed.map(({ ms, tflops, error, usual, way, fault }) => [
        digits(ms),
        digits(tflops),
        error.toExponential(1),
        usual ? "usual" : "",
        fault ? `${way} ${fault}` : way,
      ]),
    ),
  );
  if (options.json) writeFileAtomic(options.json, `${JSON.stringify(all, null, 1)}\n`);
}
const best = new Map<string, Timed>();
for (const t of all) if (!t.fault && !best.has(t.problem)) best.set(t.problem, t);
console.log(`\nThe best of each, all in ${digits((performance.now() - start) / 1e3)} s`);
const usual = new Map(all.filter((t) => t.usual).map((t) => [t.problem, t]));
console.log(
  table(
    ["problem", "ms", "usual ms", "TFLOP/s", "way"],
    [...best.values()].map((b) => [
      b.problem,
      digits(b.ms),
      digits(usual.get(b.problem)!.ms),
      digits(b.tflops),
      b.way,
    ]),
  ),
);
if (all.some(({ fault }) => fault)) process.exitCode = 1;
stopwatch?.destroy();
engine.destroy();
