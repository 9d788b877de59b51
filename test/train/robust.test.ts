/** What a run survives: real processes that are killed, interrupted, or lose their device. */
import { type ChildProcess, execFile } from "node:child_process";
import { appendFileSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Metrics } from "../../cli/metrics-log.ts";
import { type Checkpoint, readCheckpoint } from "../../train/index.ts";
import { newFolder, removeFolders, stein, steinHere, tiny } from "../cli/stein.ts";

afterAll(removeFolders);

const checkpointOf = (run: string): Checkpoint => {
  const path = join(run, "checkpoint.safetensors");
  return readCheckpoint(readFileSync(path), path);
};

/** Everything a run writes down of its steps but the time they took. */
const metricsOf = (run: string) =>
  readFileSync(join(run, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => {
      const { seconds, imagesPerSecond, ...rest } = JSON.parse(line) as Metrics;
      expect(seconds).toBeGreaterThan(0);
      expect(imagesPerSecond).toBeGreaterThan(0);
      return rest;
    });

const linesOf = (run: string): number => {
  const path = join(run, "metrics.jsonl");
  return existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0;
};

/** Waits until a run has written so many lines of metrics; what checkpoint there is meanwhile is a whole one. */
async function untilLines(child: ChildProcess, run: string, lines: number): Promise<void> {
  while (child.exitCode === null && linesOf(run) < lines) {
    if (existsSync(join(run, "checkpoint.safetensors"))) checkpointOf(run);
    await sleep(5);
  }
}

/** Runs stein and does `act` to the child meanwhile. */
async function during(args: readonly string[], cwd: string, act: (child: ChildProcess) => Promise<void>) {
  let acting: Promise<void> | undefined;
  const outcome = await stein(args, { cwd, onStart: (child) => (acting = act(child)) });
  await acting;
  return outcome;
}

describe("killed and resumed, a run ends in the same bits as one that was left alone:", {
  timeout: 240_000,
}, () => {
  const training = {
    ...{ steps: 40, batchSize: 4, accumulate: 2, evaluateEvery: 7, sampleEvery: 10, sampleCount: 2 },
    ...{ checkpointEvery: 3, keepLast: 3, keepEvery: 12 },
  };
  const cwd = newFolder({ "run.yaml": tiny({ training, data: { flip: true } }) });
  const whole = join(cwd, "whole");
  const goOn = (out: string) => ["train", "run.yaml", "--out", out, "--resume"];

  beforeAll(async () => {
    const { code, complaints } = await stein(["train", "run.yaml", "--out", "whole"], { cwd });
    expect(code, complaints.join("\n")).toBe(0);
  });

  /** Every file but those that tell times and speeds; of metrics.jsonl all else. */
  function expectAsWhole(broken: string): void {
    const of = (run: string) => (readdirSync(run, { recursive: true }) as string[]).sort();
    expect(of(broken)).toEqual(of(whole));
    expect(metricsOf(broken)).toEqual(metricsOf(whole));
    expect(metricsOf(broken).map(({ step }) => step)).toEqual([...Array(40).keys()]);
    const same = of(whole).filter((name) => /\.(safetensors|png|yaml)$/.test(name));
    expect(same.length).toBe(1 + 1 + 4 + 4); // config, newest, 2 before it and 2 more of keepEvery, samples
    for (const name of same)
      expect(readFileSync(join(broken, name)).equals(readFileSync(join(whole, name))), name).toBe(true);
  }

  test("at any moment", async () => {
    const broken = join(cwd, "broken");
    const go = goOn("broken");
    const stopped: number[] = []; // the step that each start left in the checkpoint
    let killed = 0;
    for (const more of [0, 8, 10, 8]) {
      const { code } = await during(go, cwd, async (child) => {
        await untilLines(child, broken, Math.max(linesOf(broken) - 3, 0) + more);
        await sleep(Math.random() * (more === 0 ? 1500 : 60)); // the first is killed while it starts
        child.kill("SIGKILL");
      });
      if (code === null) killed++;
      if (existsSync(join(broken, "checkpoint.safetensors"))) stopped.push(checkpointOf(broken).step);
    }
    expect(killed).toBeGreaterThanOrEqual(2); // all four, unless the device is fast
    expect(stopped.length).toBeGreaterThanOrEqual(2);
    expect(stopped).toEqual([...stopped].sort((a, b) => a - b));

    // What a crash may leave besides: half a line, lines of steps that will be taken again, half a file.
    appendFileSync(
      join(broken, "metrics.jsonl"),
      '{"step":39,"loss":1,"gradNorm":1,"seconds":1}\n{"step":40,"lo',
    );
    writeFileSync(join(broken, "checkpoint.safetensors.4711-3.tmp"), "half");
    const { code, stdout } = await stein(go, { cwd });
    expect(stdout.split("\n")[0]).toBe(`broken: going on at step ${stopped.at(-1)}`);
    expect(code).toBe(0);
    expectAsWhole(broken);

    const again = await steinHere(go, { cwd }); // which opens no device
    expect(again.stdout).toBe("broken has taken 40 of 40 steps: raise training.steps to go on\n");
    expect(again.code).toBe(0);
  });

  test("in the middle of whatever it writes", async () => {
    const broken = join(cwd, "torn");
    const preload = new URL("child/kill-at.mjs", import.meta.url).href;
    for (const [at, left] of [
      ["writeSync checkpoint.safetensors 2", 3],
      ["renameSync checkpoint.safetensors 3", 9],
      ["writeSync samples/00000010.png 1", 10],
      ["linkSync checkpoint.safetensors 2", 12],
      ["appendFileSync metrics.jsonl 3", 12],
      ["rmSync checkpoints 2", undefined],
    ] as const) {
      const env = { NODE_OPTIONS: `--import=${preload}`, KILL_AT: at };
      const { code } = await stein(goOn("torn"), { cwd, env });
      expect(code, at).toBe(null);
      if (left !== undefined) expect(checkpointOf(broken).step, at).toBe(left);
    }
    const { code, complaints } = await stein(goOn("torn"), { cwd });
    expect(code, complaints.join("\n")).toBe(0);
    expectAsWhole(broken);
  });
});

describe("asked to stop", () => {
  test.each([
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)("by %s, a run ends at a whole step with a checkpoint and code %i", async (signal, code) => {
    const cwd = newFolder({ "run.yaml": tiny({ training: { steps: 100_000, checkpointEvery: 50_000 } }) });
    const run = join(cwd, "run");
    const outcome = await during(["train", "run.yaml", "--out", "run"], cwd, async (child) => {
      await untilLines(child, run, 5);
      child.kill(signal);
    });
    expect(outcome.code).toBe(code);
    const { step } = checkpointOf(run);
    expect(step).toBeGreaterThanOrEqual(5);
    expect(metricsOf(run).map((m) => m.step)).toEqual([...Array(step).keys()]);
    expect(outcome.complaints).toContain("stopping after this step; once more to stop at once");
    expect(outcome.complaints.at(-1)).toBe(
      `stein: stopped after ${step} of 100000 steps; go on with: stein train run/config.yaml --out run --resume`,
    );
    expect(outcome.stdout).not.toContain("draw images with");
  });
});

describe("a run that diverges", () => {
  const diverge = async (training: Record<string, unknown>) => {
    const cwd = newFolder({ "run.yaml": tiny({ training: { steps: 30, ...training } }) });
    const outcome = await stein(["train", "run.yaml", "--out", "run"], { cwd });
    expect(outcome.code).toBe(2);
    return { said: outcome.complaints.at(-1)!, run: join(cwd, "run") };
  };

  const where =
    /^stein: train: the loss is not finite at step (\d), first in NcsnSmall\.[\w.]+, op \w+ \[[\d,]+\]; /
      .source;
  const says = (end: string) =>
    expect.stringMatching(
      RegExp(`${where}lower training\\.lr or set training\\.gradClip; the last good checkpoint is ${end}$`),
    );

  test("stops with the step and the layer, keeps the last good checkpoint, and goes on from it", async () => {
    const { said, run } = await diverge({ lr: 1e30, warmup: 3, checkpointEvery: 1 });
    // The first step of a warmup moves nothing, the second far: the checkpoint after it would diverge again.
    expect(said).toEqual(says("run/checkpoint\\.safetensors of step 1"));
    const { step, network, ema } = checkpointOf(run);
    expect(step).toBe(1);
    for (const [name, { data }] of [...network, ...ema]) expect(data.every(Number.isFinite), name).toBe(true);
    expect(metricsOf(run).map((m) => m.step)).toEqual([0, 1]);

    const cwd = newFolder({ "run.yaml": tiny({ training: { steps: 4, lr: 1e-3 } }) });
    const { code, stdout } = await stein(["train", "run.yaml", "--out", run, "--resume"], { cwd });
    expect(stdout).toContain("going on at step 1");
    expect([code, checkpointOf(run).step]).toEqual([0, 4]);
    expect(metricsOf(run).map((m) => m.step)).toEqual([0, 1, 2, 3]);
  });

  test("from the first step on has no good checkpoint, and one of finite weights", async () => {
    const { said, run } = await diverge({ lr: 1e30, checkpointEvery: 1 });
    expect(said).toEqual(says("none"));
    for (const [name, { data }] of checkpointOf(run).network)
      expect(data.every(Number.isFinite), name).toBe(true);
  });

  test("by an infinite step writes no checkpoint of it", async () => {
    const { said, run } = await diverge({ lr: 1e39, warmup: 3, checkpointEvery: 1 });
    expect(said).toMatch(
      /^stein: train: \S+ is not finite after step 1; lower training\.lr or set training\.gradClip; the last good checkpoint is run\/checkpoint\.safetensors of step 1$/,
    );
    expect(checkpointOf(run).step).toBe(1);
  });
});

test("a run whose device is lost says so, and its last checkpoint is whole", async () => {
  const cwd = newFolder({ "run.yaml": tiny({ training: { steps: 100_000, checkpointEvery: 4 } }) });
  const run = join(cwd, "run");
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const child = fileURLToPath(new URL("child/lost.ts", import.meta.url));
  const args = ["--import", "tsx", child, join(cwd, "run.yaml"), run, "9"];
  const printed = await new Promise<string>((resolve) => {
    execFile(process.execPath, args, { cwd: root, timeout: 110_000 }, (_, stdout) => resolve(stdout));
  });
  const { name, message } = JSON.parse(printed.trimEnd().split("\n").at(-1)!) as Error;
  expect(name).toBe("DeviceError");
  expect(message).toMatch(
    /^the device was lost \(.*\).*; go on from .*checkpoint\.safetensors with --resume$/,
  );
  const { step } = checkpointOf(run);
  expect(step % 4).toBe(0);
  expect(step).toBeGreaterThanOrEqual(8);
  expect(metricsOf(run).length).toBeGreaterThanOrEqual(step);
});
