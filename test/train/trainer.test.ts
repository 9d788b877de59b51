import { describe, expect, test } from "vitest";
import { Engine } from "../../engine/engine.ts";
import { DeviceError, UsageError } from "../../engine/errors.ts";
import { mean, scale, square } from "../../engine/ops/index.ts";
import {
  Batches,
  DivergedError,
  type Objective,
  packCheckpoint,
  readCheckpoint,
  restore,
  samplingState,
} from "../../train/index.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { losses, smallRun } from "./small-run.ts";

describe("a step", () => {
  test("gives the same losses and weights recorded and replayed as step by step", async () => {
    using captured = smallRun(engine);
    using plain = smallRun(engine, { capture: false });
    expect(await losses(captured, 5)).toEqual(await losses(plain, 5));
    const [a, b] = [await captured.network.state(), await plain.network.state()];
    for (const [name, { data }] of a) expect(data, name).toEqual(b.get(name)!.data);
  });

  test("does not depend on how many are taken between two readings", async () => {
    using together = smallRun(engine);
    using apart = smallRun(engine);
    const one = [await losses(apart, 1), await losses(apart, 3), await losses(apart, 2)].flat();
    expect(one).toEqual(await losses(together, 6));
    expect(together.trainer.step).toBe(6);
  });

  test("clips gradients to a positive norm, or to none", async () => {
    for (const gradClip of [0, -1, Number.NaN])
      expect(() => smallRun(engine, { gradClip })).toThrow(
        `train: got gradClip ${gradClip}, expected a positive number; leave it out for no limit`,
      );
    using loose = smallRun(engine, { gradClip: Infinity });
    using plain = smallRun(engine);
    expect(await losses(loose, 2)).toEqual(await losses(plain, 2));
  });

  test("is refused when too many are unread", async () => {
    using run = smallRun(engine);
    await losses(run, 1);
    for (let i = 0; i < 64; i++) run.trainer.advance();
    expect(() => run.trainer.advance()).toThrow(
      new UsageError("advance: 64 steps are unread; await reports() first"),
    );
    const reports = await run.trainer.reports();
    expect(reports.map((r) => r.step)).toEqual(Array.from({ length: 64 }, (_, i) => 1 + i));
  });
});

test("the first ten losses are those of the day this was written", async () => {
  using run = smallRun(engine);
  // Mesa's lavapipe and SwiftShader agree on them to 2e-7.
  const pinned = [
    38.4714, 36.52135, 32.41677, 28.93658, 31.12107, 27.20744, 25.58033, 32.66912, 24.97776, 23.96863,
  ];
  const found = await losses(run, 10);
  expect(found.length).toBe(pinned.length);
  for (const [i, loss] of found.entries())
    expect(Math.abs(loss / pinned[i]! - 1), `step ${i}: ${loss}`).toBeLessThan(1e-4);
});

test("the loss falls, to less than a third in 150 steps", async () => {
  using run = smallRun(engine, { shape: [16, 1, 8, 8], optimizer: { lr: 5e-3 } });
  const mean = (values: number[]) => values.reduce((a, b) => a + b) / values.length;
  const first = mean(await losses(run, 10));
  for (let i = 0; i < 3; i++) await losses(run, 45);
  const last = mean(await losses(run, 10));
  expect(last).toBeLessThan(first / 3);
});

test("the running average is that of the weights of all steps", async () => {
  const [limit, steps] = [0.3, 6]; // the decay rises to it in three steps
  using run = smallRun(engine, { optimizer: { lr: 5e-2, emaDecay: limit } });
  const weights = [...run.network.parameters().values()];
  const averages = (await engine.readAll(weights)).map((w) => Float64Array.from(w));
  for (let n = 1; n <= steps; n++) {
    await losses(run, 1);
    const decay = Math.min(limit, (1 + n) / (10 + n));
    for (const [i, w] of (await engine.readAll(weights)).entries())
      averages[i] = averages[i]!.map((average, k) => decay * average + (1 - decay) * w[k]!);
  }
  const { shadow } = run.trainer.optimizer.ema!;
  expect([...shadow.keys()]).toEqual([...run.network.parameters().keys()]);
  for (const [i, got] of (await engine.readAll([...shadow.values()])).entries())
    expectNear(got, { shape: weights[i]!.shape, data: averages[i]! }, { terms: steps });
});

describe("a checkpoint", () => {
  test("goes on to the same bits as a run that never stopped", async () => {
    using whole = smallRun(engine);
    const first = await losses(whole, 4);
    const bytes = await packCheckpoint(whole.network, whole.trainer, "a: 1");
    const rest = await losses(whole, 4);

    using resumed = smallRun(engine);
    await losses(resumed, 2); // a run that has gone somewhere else already
    const checkpoint = readCheckpoint(bytes, "test");
    expect(checkpoint).toMatchObject({
      step: 4,
      emaUpdates: 4,
      config: "a: 1",
      image: [1, 8, 8],
      imageCount: 64,
    });
    restore(checkpoint, resumed.network, resumed.trainer);
    expect(resumed.trainer.step).toBe(4);
    expect(await losses(resumed, 4)).toEqual(rest);
    expect(first).not.toEqual(rest);
    expect(await packCheckpoint(resumed.network, resumed.trainer, "")).toEqual(
      await packCheckpoint(whole.network, whole.trainer, ""),
    );
  });

  test("is sampled with the running average of what has one", async () => {
    using run = smallRun(engine);
    await losses(run, 3);
    const checkpoint = readCheckpoint(await packCheckpoint(run.network, run.trainer, ""), "test");
    const state = samplingState(checkpoint);
    expect([...state.keys()]).toEqual([...checkpoint.network.keys()]);
    expect(state.get("end_conv.bias")).toBe(checkpoint.ema.get("end_conv.bias"));
    expect(state.get("sigmas")).toBe(checkpoint.network.get("sigmas"));
  });

  test("of a run without a running average does not fit one with", async () => {
    using plain = smallRun(engine, { optimizer: { lr: 1e-3 } });
    using averaged = smallRun(engine);
    await losses(plain, 2);
    const before = await averaged.network.state();
    const checkpoint = readCheckpoint(await packCheckpoint(plain.network, plain.trainer, ""), "test");
    expect(() => restore(checkpoint, averaged.network, averaged.trainer)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: checkpoint: ema.begin_conv.weight is missing; was the model or emaDecay changed since?]`,
    );
    expect(averaged.trainer.step).toBe(0);
    expect(await averaged.network.state(), "nothing was changed").toEqual(before);
  });
});

describe("a run that diverges", () => {
  test("names the step and the layer, and keeps the weights it had", async () => {
    using run = smallRun(engine, { optimizer: { lr: 1e30 } });
    for (let i = 0; i < 6; i++) run.trainer.advance();
    const fault = await run.trainer.reports().catch((e: unknown) => e);
    expect(fault).toBeInstanceOf(DivergedError);
    const { message, step, before } = fault as DivergedError;
    expect(step).toBe(1);
    expect(before.map((r) => r.step)).toEqual([0]);
    expect(message).toMatch(
      /^train: the loss is not finite at step 1, first in NcsnSmall\.[\w.]+, op \w+ \[[\d,]+\]; lower training\.lr or set training\.gradClip$/,
    );
    for (const [name, { data }] of await run.network.state())
      expect(data.every(Number.isFinite), name).toBe(true);
  });

  test("in the gradients alone says so", async () => {
    const loss: Objective["loss"] = (network, x) =>
      mean(square(scale(network(x, engine.zeros([x.dim(0)], "i32")), 1e18)));
    using run = smallRun(engine, { objective: () => ({ loss }) });
    run.trainer.advance();
    await expect(run.trainer.reports()).rejects.toThrow(
      /^train: the (loss|gradient) is not finite at step 0, first in /,
    );
  });

  test("by an infinite step leaves no checkpoint behind", async () => {
    using run = smallRun(engine, { optimizer: { lr: 1e39 } }); // more than float32 holds
    run.trainer.advance();
    await run.trainer.reports();
    await expect(packCheckpoint(run.network, run.trainer, "")).rejects.toThrow(
      /^train: \S+ is not finite after step 0; lower training\.lr or set training\.gradClip$/,
    );
  });
});

describe("a device too small", () => {
  test("says what asked for how much, and what it asked for is given back", async () => {
    const small = await Engine.create({ memoryBudget: 600_000, quiet: true });
    using run = smallRun(small, { shape: [64, 1, 8, 8] });
    const { live } = small.memory();
    let fault: unknown;
    try {
      run.trainer.advance();
    } catch (e) {
      fault = e;
    }
    expect(fault).toBeInstanceOf(DeviceError);
    expect((fault as Error).message).toMatch(
      /^tensor \[[\d,]+\]: out of memory: asked for 0\.\d MiB with 0\.\d MiB in use, the budget is 0\.6 MiB; use a smaller batch, or raise Engine\.create\({ memoryBudget }\)$/,
    );
    expect(small.memory().live).toBe(live);
    small.destroy();
  });
});

describe("batches", () => {
  const ascending = (_: number, epoch: number, count: number) =>
    Uint32Array.from({ length: count }, (_, i) => 10 * epoch + i);

  test("lay shuffled epochs end to end, whatever the batch", () => {
    const batches = new Batches({ count: 5, size: 3, seed: 0, order: ascending });
    expect([0, 1, 2, 3].map((step) => [...batches.images(step)])).toEqual([
      [0, 1, 2],
      [3, 4, 10],
      [11, 12, 13],
      [14, 20, 21],
    ]);
    expect([...batches.images(1)]).toEqual([3, 4, 10]); // again, as a resumed run asks
    const big = new Batches({ count: 2, size: 5, seed: 0, order: ascending });
    expect([...big.images(1)]).toEqual([21, 30, 31, 40, 41]);
  });

  test("need images, and a seed that is a whole number below 2^53", () => {
    const of = (count: number, seed: number) => new Batches({ count, size: 1, seed, order: ascending });
    for (const seed of [0, 2 ** 32 - 1, 2 ** 53 - 1])
      for (const label of of(1, seed).labels(0, 4)) expect([0, 1, 2, 3]).toContain(label);
    for (const seed of [-1, 0.5, 2 ** 53])
      expect(() => of(1, seed)).toThrow(
        `Batches: got seed ${seed}, expected a whole number from 0 to 2^53 - 1`,
      );
    expect(() => of(0, 0)).toThrow("Batches: got count 0, expected a whole number of images from 1");
    expect(() => new Batches({ count: 1, size: 0, seed: 1, order: ascending })).toThrow(
      "Batches: got size 0, expected a whole number of images from 1",
    );
  });

  test("draw labels evenly, as a function of seed and step", () => {
    const of = (seed: number) => new Batches({ count: 5, size: 500, seed, order: ascending });
    const counts = [0, 0, 0, 0];
    for (let step = 0; step < 8; step++) for (const label of of(3).labels(step, 4)) counts[label]!++;
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(5 * Math.sqrt(750));
    expect(of(3).labels(7, 4)).toEqual(of(3).labels(7, 4));
    expect(of(3).labels(7, 4)).not.toEqual(of(3).labels(8, 4));
    expect(of(3).labels(7, 4)).not.toEqual(of(4).labels(7, 4));
    expect(of(3).labels(7, 4)).not.toEqual(of(3 + 2 ** 32).labels(7, 4));
  });
});

describe.runIf(engine.device.features.has("shader-f16"))("mixed precision", () => {
  test("learns as f32 does, says how far it is off, and keeps weights and averages in f32", async () => {
    using full = smallRun(engine);
    using mixed = smallRun(engine, { precision: "mixed" });
    const error = await mixed.trainer.precisionError();
    expect(error.loss).toBeLessThan(0.01);
    expect(error.gradients).toBeGreaterThan(0);
    expect(error.gradients).toBeLessThan(0.02);
    const [a, b] = [await losses(full, 10), await losses(mixed, 10)];
    expect(b).not.toEqual(a);
    for (const [i, loss] of a.entries()) expect(Math.abs(b[i]! / loss - 1)).toBeLessThan(0.03);
    for (const t of mixed.trainer.optimizer.tensors().values()) expect(t.dtype).toBe("f32");
    expect(mixed.trainer.memory().saved).toBeLessThan(0.7 * full.trainer.memory().saved);
  });
});
