/**
 * Does a long training lose memory? Takes 5,000 steps (or as many as the argument says) of a tiny network and prints
 * what stays: bytes in tensors, buffers created, the process's memory. Run it with: npx tsx --expose-gc bench/leak.ts
 */
import { parseConfig } from "../cli/config.ts";
import { openRun } from "../cli/run.ts";
import { Engine } from "../engine/engine.ts";

const config = parseConfig(
  `
data: { count: 64, heldBack: 16, size: 8 }
model: { name: ncsn-small, channels: [8, 8, 8] }
sigmas: { count: 3 }
training: { steps: 1, batchSize: 4 }
`,
  "bench/leak.ts",
);
const steps = Number(process.argv[2] ?? 5000);
const ROWS = 20;

const engine = await Engine.create();
const { trainer } = openRun(engine, config, "");
const start = performance.now();
console.log("  step   seconds    live bytes  pooled bytes  buffers created    heap MiB     RSS MiB");
for (let row = 0; row <= ROWS; row++) {
  while (trainer.step < Math.max(1, (row * steps) / ROWS)) {
    trainer.advance();
    if (trainer.step % 16 === 0) await trainer.reports();
  }
  await trainer.reports();
  globalThis.gc?.();
  const { live, pooled, created } = engine.memory();
  const { rss, heapUsed } = process.memoryUsage();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);
  const cells = [seconds, live, pooled, created, mebibytes(heapUsed), mebibytes(rss)];
  const widths = [10, 14, 14, 17, 12, 12];
  console.log(
    String(trainer.step).padStart(6) + cells.map((v, i) => String(v).padStart(widths[i]!)).join(""),
  );
}
engine.destroy();
