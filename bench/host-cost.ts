/**
 * What does the host pay for a dispatch? Runs the demo's training step and tiny sums on Dawn's null backend, which
 * executes nothing, so that all the time there is is JavaScript's, the binding's and Dawn's front end. Prints
 * microseconds of the main thread's processor time, which other processes hardly add to: the middle of so many rounds (9,
 * or as the argument says), and the least. Run it with: npx tsx bench/host-cost.ts
 */
import { Engine } from "../engine/engine.ts";
import { add } from "../engine/ops/index.ts";
import { Scalar } from "../engine/scalar.ts";
import { demoTrainer } from "./demo.bench.ts";
import { drawn } from "./inputs.ts";
import { mainThreadTime } from "./processor.ts";

process.env["DAWNNODE_BACKEND"] = "null"; // Dawn reads it when an adapter is asked for
const rounds = Number(process.argv[2] ?? 9);

/** Milliseconds of a round, far more than the clock's step. */
const ROUND = 200;
const SUMS = 1000;

const engine = await Engine.create({ quiet: true });
const trainer = demoTrainer(engine);
const capture = trainer.captured!;
const commands = capture.commands.length;
await engine.sync();

/** Sums that each wait for the one before. */
const sums = () => {
  let x = drawn(engine, [256], 1);
  for (let i = 0; i < SUMS; i++) x = add(x, drawn(engine, [256], 2));
};
/** The same with a number that changes, of shapes that take turns, so that no two become one kernel. */
const scalar = new Scalar(1);
const apart = () => {
  for (let i = 0; i < SUMS; i++) engine.scope(() => add(drawn(engine, [256 + (i % 2)], 1), scalar));
};

interface Work {
  readonly name: string;
  /** What the time is of one of. */
  readonly each: string;
  readonly count: number;
  run(): void;
}

const dispatches = (run: () => void): number => {
  const before = engine.stream.dispatches;
  engine.scope(run);
  engine.stream.flush();
  return engine.stream.dispatches - before;
};
const passes = () => trainer.passes();
const launches = () => {
  let count = 0;
  engine.dry(passes, () => count++);
  return count;
};

const work: readonly Work[] = [
  { name: "demo step, replayed", each: "dispatch", count: commands, run: () => capture.replay() },
  { name: "demo passes, eager", each: "dispatch", count: dispatches(passes), run: passes },
  { name: "demo passes, walked", each: "launch", count: launches(), run: () => engine.dry(passes) },
  { name: "tiny sums in a chain", each: "op", count: SUMS, run: sums },
  { name: "tiny sums apart", each: "op", count: SUMS, run: apart },
];

const times = work.map((): number[] => []);
for (let round = -2; round < rounds; round++)
  for (const [i, { count, run }] of work.entries()) {
    const time = await microseconds(run);
    if (round >= 0) times[i]!.push(time / count);
  }
console.log("what                      each        count   middle us   least us");
for (const [i, { name, each, count }] of work.entries()) {
  const sorted = times[i]!.toSorted((a, b) => a - b);
  const cells = [String(count), ...[sorted[sorted.length >> 1]!, sorted[0]!].map((us) => us.toFixed(2))];
  console.log(name.padEnd(26) + each.padEnd(9) + cells.map((c, k) => c.padStart([8, 12, 11][k]!)).join(""));
}
engine.destroy();

/** Of one run and its submits. */
async function microseconds(run: () => void): Promise<number> {
  await engine.sync();
  const end = performance.now() + ROUND;
  const start = mainThreadTime() ?? performance.now();
  let runs = 0;
  while (performance.now() < end || runs === 0) {
    engine.scope(run);
    engine.stream.flush();
    runs++;
  }
  return (1e3 * ((mainThreadTime() ?? performance.now()) - start)) / runs;
}
