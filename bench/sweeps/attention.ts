/**
 * Attention in every way that this adapter takes, at the sizes of published networks, and where the time of the products
 * goes, kernel by kernel. Run it with: npx tsx bench/sweeps/attention.ts [BATCH] > table.txt
 * BATCH is 64 on a GPU and 1 on a software driver unless given.
 */
import { grad } from "../../engine/autograd.ts";
import { Engine } from "../../engine/engine.ts";
import { attention } from "../../engine/ops/index.ts";
import { profile } from "../../engine/profiler.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { type AttentionWay, attentionWays } from "../../kernels/attention-ways.ts";
import { aligned, digits } from "../format.ts";
import { type Case, measure } from "../harness.ts";
import { drawn, recorded, release, times, variable } from "../inputs.ts";
import { nodeHost } from "../node-host.ts";
import { aloneTime } from "../processor.ts";

const engine = await Engine.create({ autotune: "off" });
const cpu = engine.hardware.kind === "cpu";
const batch = Number(process.argv[2] ?? (cpu ? 1 : 64));
const host = nodeHost();

/** NCSN++ for CIFAR-10 at 16 x 16, its deep and wide kin; DDPM; 256 x 256 images at 16 x 16; 32 x 32. */
const shapes = [
  [batch, 128, 256],
  [batch, 256, 256],
  [Math.max(1, batch / 4), 512, 256],
  [batch, 256, 64],
  [Math.max(1, batch / 4), 128, 1024],
  [1, 128, 1024],
] as const;

const forced = <T>(way: AttentionWay, work: () => T): T =>
  engine.choices.forcing("attention", way, () => engine.choices.forcing("attention_grad", way, work));

/** Largest difference between two results over the largest value. */
async function apart(make: () => Tensor[], ways: readonly [AttentionWay, AttentionWay]) {
  const results = await Promise.all(
    ways.map(async (way) => {
      const tensors = engine.scope(() => forced(way, make));
      const values = await engine.readAll(tensors);
      for (const t of tensors) t.dispose();
      return values;
    }),
  );
  let worst = 0;
  for (const [i, expected] of results[0]!.entries()) {
    let [error, largest] = [0, 1e-30];
    for (const [k, value] of expected.entries()) {
      const e = Math.abs(value - results[1]![i]![k]!);
      error = e >= 0 ? Math.max(error, e) : Infinity;
      largest = Math.max(largest, Math.abs(value));
    }
    worst = Math.max(worst, error / largest);
  }
  return worst;
}

console.log(
  `${engine.driver.device || engine.driver.description}${engine.driver.software ? ", software" : ""}`,
);
for (const shape of shapes) {
  const [n, channels, positions] = shape;
  const inputs = () => [1, 2, 3].map((seed) => variable(engine, shape, seed)) as [Tensor, Tensor, Tensor];
  const forward = () => attention(...inputs());
  const both = () => {
    const xs = inputs();
    const y = attention(...xs);
    return [y, ...grad(y, xs, { cotangent: drawn(engine, shape, 9) })];
  };
  const ways = attentionWays(engine.hardware, { channels, t: positions, s: positions });
  const pairs = 2 * n * positions * positions * channels;
  const rows: [way: string, pass: string, ms: string, rate: string, off: string][] = [];
  for (const way of ways) {
    const off = await apart(both, [ways[0]!, way]);
    const cases = [
      ["forward", 2, forward],
      ["both passes", 7, both],
    ] as const;
    const { timings, faults } = await measure(
      engine,
      cases.map(
        ([pass, products, work]): Case => ({
          name: pass,
          group: "attention",
          shape: times(shape),
          bound: "compute",
          bytes: 0,
          flops: products * pairs,
          run: () => void forced<unknown>(way, work),
        }),
      ),
      { rounds: cpu ? 3 : 5, warmUps: 1, host },
    );
    for (const timing of timings) {
      const { median } = timing[timing.by === "median" ? "wall" : timing.by]!;
      const rate = `${digits(timing.case.flops / median / 1e9)} TFLOP/s`;
      rows.push([
        JSON.stringify(way),
        timing.case.name,
        `${digits(median)} ms (${timing.by})`,
        rate,
        off.toExponential(1),
      ]);
    }
    for (const fault of faults) rows.push([JSON.stringify(way), fault.case.name, fault.what, "", ""]);
  }
  console.log(`\n${times(shape)}`);
  for (const line of aligned([["way", "pass", "time", "rate", "off the first by"], ...rows], 2))
    console.log(`  ${line}`);

  const step = recorded(engine, `sweep ${shape}`, both);
  const {
    ms,
    clock,
    rows: kernels,
  } = await profile(engine, step, { repeats: cpu ? 2 : 5, processorTime: aloneTime });
  console.log(`  the way taken, both passes, kernel by kernel: ${digits(ms)} ms by ${clock}`);
  const table = kernels.map((k) => [
    `${k.kernel} ${k.variant}`,
    `${k.calls} calls`,
    `${digits(k.ms)} ms`,
    `${digits(k.gigaflops / 1000)} TFLOP/s`,
    `${digits(k.gigabytesPerSecond)} GB/s`,
  ]);
  for (const line of aligned(table, 1)) console.log(`    ${line}`);
  release(engine);
}
engine.destroy();
