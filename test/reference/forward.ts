/**
 * How much time lies between the kernels of a network? For each network of a reference folder: a forward pass,
 * captured and replayed, against the sum of its kernels' own times, each measured alone by running it many times over.
 * Times are the least of the rounds, for what a busy machine adds is never negative.
 * Run it with: npx tsx test/reference/forward.ts FOLDER [--case TEXT] [--json]
 */
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Capture } from "../../engine/capture.ts";
import { Engine } from "../../engine/engine.ts";
import type { Command } from "../../engine/stream.ts";
import { Init } from "../../models/init.ts";
import { type ReferenceCase, readCases } from "./case.ts";
import { ModelContext } from "./model-context.ts";
import { networks } from "./networks.ts";

const ROUNDS = 9;
/** Runs of a kernel in one submit: what a submit costs is then a small part. */
const REPEATS = 32;

interface Row {
  readonly name: string;
  readonly kernels: number;
  readonly forwardMs: number;
  readonly kernelsMs: number;
  /** kernelsMs / forwardMs: 1 where nothing is lost between kernels. */
  readonly share: number;
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { case: { type: "string", default: "" }, json: { type: "boolean", default: false } },
});
const [folder] = positionals;
if (folder === undefined) {
  console.error("test/reference/forward: got no folder, expected that of the reference data");
  process.exit(2);
}
const engine = await Engine.create();
const cases = readCases(folder).filter((c) => c.kind === "models" && c.name.includes(values.case));
if (!values.json) console.log("network                          kernels  forward ms  kernels ms   share");
for (const c of cases) {
  const row = await time(c);
  if (values.json) console.log(JSON.stringify(row));
  else
    console.log(
      row.name.padEnd(32) +
        String(row.kernels).padStart(8) +
        row.forwardMs.toFixed(2).padStart(12) +
        row.kernelsMs.toFixed(2).padStart(12) +
        `${(100 * row.share).toFixed(0)} %`.padStart(8),
    );
}
engine.destroy();

async function time(c: ReferenceCase): Promise<Row> {
  const { module, score } = networks[c.attrs.string("network")]!(new Init(engine), c);
  const context = new ModelContext(engine, c, score);
  const inputs = [context.in("x"), context.optional("labels")] as const;
  const capture = engine.capture(() => engine.noGrad(() => score(...inputs)));
  const own = new Map<string, Capture<void>>();
  for (const command of capture.commands)
    if (!own.has(keyOf(command)))
      own.set(
        keyOf(command),
        new Capture(
          engine.device,
          engine.stream,
          [],
          { commands: new Array(REPEATS).fill(command) },
          undefined,
        ),
      );
  const forward: number[] = [];
  const kernels = new Map([...own.keys()].map((key) => [key, [] as number[]]));
  for (let round = -2; round < ROUNDS; round++) {
    const whole = await replay(capture);
    if (round >= 0) forward.push(whole);
    for (const [key, alone] of own) {
      const ms = (await replay(alone)) / REPEATS;
      if (round >= 0) kernels.get(key)!.push(ms);
    }
  }
  const forwardMs = Math.min(...forward);
  const kernelsMs = capture.commands.reduce(
    (sum, command) => sum + Math.min(...kernels.get(keyOf(command))!),
    0,
  );
  for (const alone of own.values()) alone.dispose();
  const count = capture.commands.length;
  capture.dispose();
  module.dispose();
  return { name: c.name, kernels: count, forwardMs, kernelsMs, share: kernelsMs / forwardMs };
}

function keyOf({ program, params, groups }: Command): string {
  return `${program.label} ${params} ${groups}`;
}

/** Milliseconds from submit to the end, without the binding's polling: see the harness. */
async function replay(capture: Capture<unknown>): Promise<number> {
  await sleep(1);
  const start = performance.now();
  capture.replay();
  await engine.sync();
  return performance.now() - start;
}
