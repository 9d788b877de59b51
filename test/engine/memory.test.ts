import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { Engine } from "../../engine/engine.ts";
import { DeviceError } from "../../engine/errors.ts";
import { add, conv2d, instanceNorm, mul, square, sub, sum } from "../../engine/ops/index.ts";
import { engine } from "../support/engine.ts";

describe("the report", () => {
  test("counts what tensors hold, the most there was, and what waits for reuse", () => {
    engine.trim();
    const start = engine.memory();
    engine.resetPeak();
    const x = engine.ones([256]); // 1 KiB
    const y = engine.ones([1024]); // 4 KiB
    expect(engine.memory()).toMatchObject({ live: start.live + 5120, peak: start.live + 5120, pooled: 0 });
    x.dispose();
    expect(engine.memory()).toMatchObject({ live: start.live + 4096, peak: start.live + 5120, pooled: 1024 });
    const z = engine.ones([200]); // of the same class, so the same buffer
    expect(engine.memory()).toMatchObject({ live: start.live + 5120, pooled: 0, created: start.created + 2 });
    for (const t of [y, z]) t.dispose();
    engine.resetPeak();
    expect(engine.memory().peak).toBe(start.live);
    engine.trim();
    expect(engine.memory()).toMatchObject({ live: start.live, pooled: 0 });
  });

  test("a tensor takes memory when it is first used, not before", () => {
    const before = engine.memory().live;
    const y = engine.scope(() => {
      const big = engine.variable([1]);
      return big;
    });
    expect(engine.memory().live).toBe(before + 256);
    y.dispose();
  });

  test("trim spares what is in use and what is pending", async () => {
    const x = engine.full([5000], 2);
    const y = engine.scope(() => add(mul(x, 3), 1));
    engine.trim();
    expect((await y.data()).every((v) => v === 7)).toBe(true);
    for (const t of [x, y]) t.dispose();
  });
});

test("a training loop of 1,000 steps is flat: no byte and no buffer more after the first", async () => {
  const x = engine.tensor(
    Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
    [4, 1, 4, 4],
  );
  const w = engine.variable(new Float32Array(18).fill(0.1), [2, 1, 3, 3]);
  const step = (rate: number) =>
    engine.scope(() => {
      const loss = sum(square(sub(instanceNorm(conv2d(x, w, undefined, { padding: 1 })), 1)));
      const [dw] = grad(loss, [w]);
      const next = sub(w.detach(), mul(dw!, rate));
      engine.copy(next, w);
    });
  step(1e-3);
  const { live, pooled, created } = engine.memory();
  for (let i = 0; i < 1000; i++) step(1e-3);
  await engine.sync();
  expect(engine.memory()).toMatchObject({ live, pooled, created });
  expect((await w.data()).every((v) => Number.isFinite(v))).toBe(true);
  for (const t of [x, w]) t.dispose();
});

describe("the budget", () => {
  let small: Engine;
  beforeAll(async () => {
    small = await Engine.create({ poison: true, quiet: true, memoryBudget: 1 << 20 });
  });
  afterAll(() => small.destroy());

  test("what exceeds it is refused, by name, with both numbers", () => {
    const x = small.ones([200_000]);
    expect(() => small.ones([100, 1000])).toThrowErrorMatchingInlineSnapshot(
      `[DeviceError: tensor [100,1000]: out of memory: asked for 0.4 MiB with 0.8 MiB in use, the budget is 1.0 MiB; use a smaller batch, or raise Engine.create({ memoryBudget })]`,
    );
    expect(() => small.ones([100, 1000])).toThrow(DeviceError);
    x.dispose();
    const y = small.ones([100, 1000]); // there is room now
    y.dispose();
  });

  test("waiting buffers make room, even while work on them is pending", async () => {
    const x = small.full([100_000], 2);
    const y = small.full([25_000], 3);
    const kept = small.scope(() => sum(add(x, 1))); // leaves a large buffer in the pool, used by what is not sent yet
    x.dispose();
    const other = small.full([220_000], 1); // has room only in its place, and x's
    expect(await kept.item()).toBe(300_000);
    expect((await other.data()).every((v) => v === 1)).toBe(true);
    expect(await small.scope(() => sum(y)).item()).toBe(75_000);
    for (const t of [y, kept, other]) t.dispose();
  });

  test("where it is short, a captured step keeps what its replays will want", async () => {
    small.full([100_000], 1).dispose(); // waits in the engine's own pool
    const x = small.full([25_000], 1);
    const capture = small.capture(() => {
      small.full([50_000], 5).dispose(); // free, and the replay will fill it again
      small.full([130_000], 6); // has room only in place of what waits
      small.copy(
        small.scope(() => add(x, x)),
        x,
      );
    });
    capture.replay();
    await small.sync();
    expect((await x.data()).every((v) => v === 4)).toBe(true);
    capture.dispose();
    x.dispose();
  });

  test("one buffer cannot exceed what the adapter allows", async () => {
    const huge = engine.device.limits.maxBufferSize;
    expect(() => engine.ones([Math.floor(huge / 2)])).toThrow(
      /^tensor \[\d+\]: out of memory: asked for [\d.]+ MiB, one buffer of this adapter holds at most [\d.]+ MiB; use a smaller batch or image$/,
    );
  });
});
