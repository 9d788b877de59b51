/** Walks without the device: what is told of a step is what the step does. */
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { boundBytes, flopsOf, type Launch } from "../../engine/dry.ts";
import { add, conv2d, matmul, mean, square } from "../../engine/ops/index.ts";
import { Adam } from "../../engine/optim/adam.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Init } from "../../models/init.ts";
import { NcsnSmall } from "../../models/ncsn-small.ts";
import { stepMemory } from "../../train/memory.ts";
import { engine } from "../support/engine.ts";

const walk = (fn: () => unknown): Launch[] => {
  const seen: Launch[] = [];
  engine.dry(fn, (launch) => seen.push(launch));
  return seen;
};

const normal = (shape: number[]): Tensor => randn(engine, shape, { seed: 1, purpose: "user" });

describe("a walk", () => {
  test("takes no memory and dispatches nothing, for tensors of any size", () => {
    const before = [engine.memory(), engine.stream.dispatches];
    const shape = engine.dry(() => add(normal([1 << 16, 1 << 16]), 1).shape); // 16 GiB
    expect(shape).toEqual([1 << 16, 1 << 16]);
    expect([engine.memory(), engine.stream.dispatches]).toEqual(before);
  });

  test("counts what would be in use", () => {
    engine.dry(() => {
      expect(engine.memory()).toMatchObject({ live: 0, peak: 0, budget: Infinity });
      const x = normal([1 << 20]);
      expect(engine.memory().live).toBe(4 << 20);
      x.dispose();
      expect(engine.memory()).toMatchObject({ live: 0, peak: 4 << 20 });
    });
  });

  test("says so when what was made in it is wanted outside", () => {
    const x = engine.dry(() => engine.untrack(normal([4])));
    expect(() => add(x, 1)).toThrow(
      "tensor [4]: it was made in a walk without the device, by prepare or dry; make it before",
    );
    x.dispose();
  });

  test("complains as a run does", () => {
    expect(() => engine.dry(() => matmul(normal([2, 3]), normal([2, 3])))).toThrow(
      "matmul: got [2,3] and [2,3], inner lengths 3 and 2 differ",
    );
    expect(engine.memory().budget).not.toBe(0); // and leaves the engine as it was
    const y = normal([4]);
    expect(y.shape).toEqual([4]);
    y.dispose();
  });

  test("stands within another", () => {
    engine.dry(() => {
      const x = normal([256]);
      const outer = engine.memory();
      engine.dry(() => add(x, normal([1 << 12, 256])));
      expect(engine.memory()).toEqual(outer);
    });
  });

  test("tells the operations of a matrix product and of a convolution, and what has to be bound", () => {
    const flops = (launches: Launch[], kernel: string) =>
      launches
        .filter(({ program }) => program.kernel.name.startsWith(kernel))
        .reduce((sum, launch) => sum + flopsOf(launch), 0);
    const product = walk(() => matmul(normal([32, 64]), normal([64, 16])));
    expect(flops(product, "matmul")).toBe(2 * 32 * 64 * 16);
    const convolution = walk(() =>
      conv2d(normal([2, 4, 8, 8]), normal([8, 4, 3, 3]), undefined, { padding: 1 }),
    );
    expect(flops(convolution, "conv")).toBe(2 * 2 * 8 * 8 * 8 * 4 * 9);
    expect(Math.max(...convolution.map(boundBytes))).toBeGreaterThanOrEqual(4 * 2 * 8 * 8 * 8);
  });

  test("tells the operations that mathematics asks for, whichever way computes with fewer", () => {
    const launches = walk(() =>
      conv2d(normal([2, 64, 16, 16]), normal([64, 64, 3, 3]), undefined, { padding: 1 }),
    ).filter(({ program }) => program.kernel.name !== "random_fill");
    expect(launches.some(({ program }) => program.kernel.name === "winograd_input")).toBe(true);
    expect(launches.reduce((sum, launch) => sum + flopsOf(launch), 0)).toBe(2 * 2 * 64 * 64 * 16 * 16 * 9);
  });

  test("binds nothing whole that may be cut in pieces", () => {
    const [elementwise] = walk(() => square(normal([1 << 20]))).filter(({ inPieces }) => inPieces);
    expect(boundBytes(elementwise!)).toBe(0);
  });
});

test("the memory of a training step is what the step takes, byte for byte", () => {
  const measure = () =>
    engine.scope(() => {
      const net = new NcsnSmall(new Init(engine, 1), {
        imageChannels: 1,
        imageSize: 16,
        channels: [8, 8, 8],
        sigmas: [1, 0.5, 0.1],
      });
      const params = net.parameters();
      const adam = new Adam(params, { lr: 1e-3, emaDecay: 0.9 });
      const x = normal([4, 1, 16, 16]);
      const labels = engine.tensor(Int32Array.of(0, 1, 2, 0));
      const memory = stepMemory(
        engine,
        adam,
        () => mean(square(net.run(x, labels))),
        (loss) => grad(loss, [...params.values()]),
      );
      adam.dispose();
      net.dispose();
      return memory;
    });
  const real = measure();
  expect(engine.dry(measure)).toEqual(real);
  expect(real.saved).toBeGreaterThan(0);
  expect(real.peak).toBeGreaterThan(real.saved + real.weights);
});
