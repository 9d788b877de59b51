/** What is told of a device that is gone: by every wait, every time, and nothing waits for ever. */
import { afterAll, describe, expect, test } from "vitest";
import type { Capture } from "../../engine/capture.ts";
import { Engine } from "../../engine/engine.ts";
import { add, matmul, sum } from "../../engine/ops/index.ts";
import { profile } from "../../engine/profiler.ts";
import type { Tensor } from "../../engine/tensor.ts";

const lost = /^the device was lost \(.+\); create another engine$/;
const destroyed = /^engine: it was destroyed; create another$/;

const engines: Engine[] = [];
afterAll(() => {
  for (const engine of engines) engine.destroy();
});

interface Open {
  readonly engine: Engine;
  readonly x: Tensor;
  readonly capture: Capture<Tensor>;
  /** Not computed yet. */
  readonly pending: Tensor;
}

async function opened(): Promise<Open> {
  const engine = await Engine.create({ quiet: true });
  engines.push(engine);
  const x = engine.ones([64, 64]);
  const capture = engine.capture(() => add(x, 1));
  const pending = matmul(x, x);
  return { engine, x, capture, pending };
}

const waits: Record<string, (open: Open) => Promise<unknown>> = {
  sync: ({ engine }) => engine.sync(),
  data: ({ pending }) => pending.data(),
  readAll: ({ engine, x, pending }) => engine.readAll([x, pending]),
  item: async ({ pending }) => sum(pending).item(),
  "a replay and sync": async ({ engine, capture }) => {
    capture.replay();
    await engine.sync();
  },
  write: async ({ engine, x }) => {
    x.write(new Float32Array(x.size));
    await engine.sync();
  },
  prepare: ({ engine, x }) => engine.prepare(() => engine.scope(() => void matmul(add(x, 2), x))),
  verify: ({ engine, x }) => engine.verify(() => engine.scope(() => void sum(x))),
  profile: ({ engine, capture }) => profile(engine, capture),
};

describe.each([
  ["lost", ({ engine }: Open): void => engine.device.destroy(), lost],
  ["destroyed", ({ engine }: Open): void => engine.destroy(), destroyed],
] as const)("an engine whose device was %s", (_, end, message) => {
  test("breaks off what waits for it", { timeout: 20_000 }, async () => {
    const open = await opened();
    const told = Object.entries(waits).map(([name, wait]) =>
      expect(wait(open), name).rejects.toMatchObject(fault(message)),
    );
    end(open);
    await Promise.all(told);
  });

  test("tells every wait, every time", { timeout: 20_000 }, async () => {
    const open = await opened();
    end(open);
    for (const [name, wait] of Object.entries(waits))
      for (const time of [1, 2])
        await expect(wait(open), `${name}, time ${time}`).rejects.toMatchObject(fault(message));
    expect(() => add(open.x, 1)).toThrow(message);
    expect(() => open.engine.tensor([1])).toThrow(message);
  });
});

const fault = (message: RegExp) => ({ name: "DeviceError", message: expect.stringMatching(message) });

test("a tensor of another engine is refused by name", async () => {
  const [a, b] = [await opened(), await opened()];
  expect(() => add(a.x, b.x)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: binary: got y [64,64] of another engine, expected all of one; make it on this engine]`,
  );
  await b.engine.sync();
});

test("engines in one process do not know of each other", async () => {
  const [a, b] = [await opened(), await opened()];
  expect(await sum(a.pending).item()).toBe(64 ** 3);
  a.engine.device.destroy();
  await expect(a.engine.sync()).rejects.toThrow(lost);
  expect(await sum(b.pending).item()).toBe(64 ** 3);
  b.capture.replay();
  expect((await b.capture.result.data())[0]).toBe(2);
});
