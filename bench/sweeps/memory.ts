/**
 * Ops that memory bounds, in every way that this adapter takes, at the shapes of NCSN++ for CIFAR-10 and of training steps.
 * Run it with: npx tsx bench/sweeps/memory.ts [BATCH] > table.txt
 * BATCH is 64 on a GPU and 1 on a software driver unless given.
 */
import { grad } from "../../engine/autograd.ts";
import { Engine } from "../../engine/engine.ts";
import {
  groupNorm,
  instanceNorm,
  instanceNormPlus,
  softmax,
  sum,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import { measureRoofline } from "../../engine/roofline.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { aligned, digits } from "../format.ts";
import { drawn, release, variable } from "../inputs.ts";

const engine = await Engine.create({ autotune: "on" });
const batch = Number(process.argv[2] ?? (engine.hardware.kind === "cpu" ? 1 : 64));
const GROUPS = 32;

const { gigabytesPerSecond: copied } = await measureRoofline(engine);
console.log(`copy: ${digits(copied)} GB/s`);

/** Numbers read and written in so many milliseconds, in thousands of millions of bytes a second, and as a share of a copy's. */
const rates = (numbers: number, ms: number): string[] => {
  const rate = (4 * numbers) / ms / 1e6;
  return [digits(rate), `${Math.round((100 * rate) / copied)} %`];
};

interface Problem {
  readonly name: string;
  /** Numbers that have to be read and written, by the family of ways. */
  readonly moved: Readonly<Record<string, number>>;
  readonly work: () => unknown;
}

/** Channels, length of a side, groups: those of NCSN++, and larger groups. */
const maps = [
  [128, 32, GROUPS],
  [256, 32, GROUPS],
  [384, 32, GROUPS],
  [256, 16, GROUPS],
  [512, 16, GROUPS],
  [256, 8, GROUPS],
  [512, 8, GROUPS],
  [256, 4, GROUPS],
  [256, 32, 8],
  [256, 32, 256],
] as const;

const differentiated = (x: Tensor, op: (x: Tensor) => Tensor): unknown => {
  const y = op(x);
  return grad(y, [x], { cotangent: drawn(engine, y.shape, 9) });
};

const norms = maps.map(([channels, side, groups]): Problem => {
  const shape = [batch, channels, side, side];
  const size = batch * channels * side * side;
  const moved = {
    ...{ norm: 2 * size, norm_grad: 3 * size, norm_moments: size, norm_grad_sums: 2 * size },
    ...{ norm_apply: 2 * size, norm_grad_apply: 3 * size },
  };
  const [gamma, beta] = [drawn(engine, [channels], 2), drawn(engine, [channels], 3)];
  return {
    name: `group norm ${shape.join("x")} in ${groups} groups`,
    moved,
    work: () =>
      differentiated(variable(engine, shape), (x) =>
        groupNorm(x, groups, { gamma, beta, activation: "silu" }),
      ),
  };
});

const small = [batch, 128, 16, 16];
const elements = batch * 128 * 256;
const instance = (
  [
    ["instance norm", instanceNorm],
    ["instance norm++", instanceNormPlus],
  ] as const
).map(
  ([name, op]): Problem => ({
    name: `${name} ${small.join("x")}`,
    moved: {
      ...{ norm: 2 * elements, norm_grad: 3 * elements, norm_moments: elements },
      ...{ norm_apply: 2 * elements, norm_grad_sums: 2 * elements, norm_grad_apply: 3 * elements },
    },
    work: () => differentiated(variable(engine, small), (x) => op(x, { activation: "elu" })),
  }),
);

const filter = engine.untrack(
  engine.tensor(
    [1, 3, 3, 1].flatMap((a) => [1, 3, 3, 1].map((b) => (a * b) / 64)),
    [4, 4],
  ),
);
const resampled = [32, 16, 8].flatMap((side): Problem[] => {
  const shape = [batch, 256, side, side];
  const size = batch * 256 * side * side;
  const [up, down] = [drawn(engine, [batch, 256, side / 2, side / 2]), drawn(engine, shape)];
  const moved = { upfirdn2d: 1.25 * size };
  return [
    { name: `FIR to ${shape.join("x")}`, moved, work: () => upfirdn2d(up, filter, { up: 2, pad: [2, 1] }) },
    {
      name: `FIR from ${shape.join("x")}`,
      moved,
      work: () => upfirdn2d(down, filter, { down: 2, pad: [1, 1] }),
    },
  ];
});

const rows = [batch * 256, 256];
const table = batch * 256 * 256;
const folds: Problem[] = [
  {
    name: `softmax ${rows.join("x")}`,
    moved: { softmax: 2 * table, softmax_grad: 3 * table },
    work: () => differentiated(variable(engine, rows), softmax),
  },
  ...[16, 64, 256, 1024, 4096].map((length): Problem => {
    const x = drawn(engine, [(batch * 2 ** 18) / length, length]);
    return { name: `sum of rows of ${length}`, moved: { reduce: x.size }, work: () => sum(x, { axis: 1 }) };
  }),
  {
    name: "sum over the batch",
    moved: { reduce: batch * 2 ** 16 },
    work: () => sum(drawn(engine, [batch, 2 ** 16]), { axis: 0 }),
  },
];

for (const { name, moved, work } of [...norms, ...instance, ...resampled, ...folds]) {
  engine.scope(() => void work()); // makes the inputs, which a walk may not
  const { tuned } = await engine.tune(work, { compare: true });
  for (const { key, trials } of tuned) {
    const family = key.split(" ")[0]!;
    const lines = trials
      .toSorted((a, b) => a.ms - b.ms)
      .map(({ way, ms, fault }, i) => [
        i === 0 ? "*" : "",
        way === trials[0]!.way ? "usual" : "",
        way,
        digits(ms * 1000),
        ...(moved[family] === undefined ? ["", ""] : rates(moved[family], ms)),
        fault ?? "",
      ]);
    console.log(`\n${name}: ${key}`);
    console.log(aligned([["", "", "way", "us", "GB/s", "of a copy", ""], ...lines], 3).join("\n"));
  }
}
release(engine);
engine.destroy();
