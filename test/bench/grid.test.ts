/** The grid of shapes out of the networks: what is found in them, what is chosen, what is left out and why. */
import { afterAll, describe, expect, test } from "vitest";
import { type GridNetwork, gridOf } from "../../bench/grid/grid.ts";
import { gridNetworks } from "../../bench/grid/networks.ts";
import { walkOps } from "../../bench/grid/walk.ts";
import { release } from "../../bench/inputs.ts";
import { readConfig } from "../../cli/config.ts";
import { describeModel } from "../../cli/describe.ts";
import { packaged } from "../../cli/packaged.ts";
import { add, conv2d, elu, softmax } from "../../engine/ops/index.ts";
import { engine } from "../support/engine.ts";

/** Two convolutions of one shape, one with a dilation, a residual sum. x [2,8,16,16] */
const toy: GridNetwork = {
  name: "toy",
  open() {
    const x = engine.zeros([2, 8, 16, 16]);
    const w = engine.zeros([8, 8, 3, 3]);
    return () => {
      const h = conv2d(elu(conv2d(x, w, undefined, { padding: 1 })), w, undefined, { padding: 1 });
      return add(x, conv2d(h, w, undefined, { padding: 2, dilation: 2 }));
    };
  },
};
const fast = { gigaflops: 1000, gigabytesPerSecond: 100 };
const convFlops = 2 * 2 * 8 * 8 * 9 * 16 * 16;
const elements = 2 * 8 * 16 * 16;

afterAll(() => release(engine));

describe("a walk", () => {
  const ops = walkOps(engine, toy.open);

  test("finds the distinct ops of the pass and how often they come, not those that build the network", () => {
    expect(ops.map((op) => [op.spec.name, op.calls])).toEqual([
      ["conv2d", 2],
      ["elu", 1],
      ["conv2d", 1],
      ["add", 1],
    ]);
  });

  test("counts operations and bytes as the mathematics asks for", () => {
    expect(ops[0]!.flops).toBe(convFlops);
    expect(ops[0]!.bytes).toBe(4 * (2 * elements + 8 * 8 * 9));
    expect(ops[1]!.bytes).toBe(8 * elements);
    expect(ops[3]!.bytes).toBe(12 * elements);
  });

  test("loses nothing of a published network", () => {
    const file = packaged("configs/ncsn/cifar10.yaml");
    const network = gridNetworks(engine, 1).find((n) => n.name === "ncsn 32")!;
    const total = walkOps(engine, network.open).reduce((sum, op) => sum + op.calls * op.flops, 0);
    expect(total).toBe(describeModel(engine, readConfig(file), 1).flops.forward);
  });

  test("leaves the engine as it was", () => {
    expect(engine.observer).toBeUndefined();
    expect(() =>
      walkOps(engine, () => () => engine.scope(() => conv2d(engine.zeros([1]), engine.zeros([1])))),
    ).toThrow();
    expect(engine.observer).toBeUndefined();
  });
});

describe("the grid", () => {
  test("takes what holds most operations and most bytes, and tells of the rest", () => {
    const { cases, leftOut } = gridOf(engine, [toy], "small", fast);
    // The twice applied convolution holds two thirds of the operations, and with the sum 64 % of the bytes.
    expect(cases.map((c) => [c.name, c.group, c.bound, c.shape])).toEqual([
      ["toy: conv2d 2x8x16x16 by 8x8x3x3", "conv2d", "compute", "2 in a forward pass"],
      ["toy: add 2x8x16x16 by 2x8x16x16", "binary", "memory", "1 in a forward pass"],
    ]);
    expect(leftOut).toEqual([
      {
        name: "toy: 2 lighter ops",
        reason: "33 % of the network's operations and 36 % of its bytes; --grid full takes more",
      },
    ]);
    expect(gridOf(engine, [toy], "full", fast).cases.map((c) => c.name)).toEqual([
      "toy: conv2d 2x8x16x16 by 8x8x3x3",
      "toy: conv2d 2x8x16x16 by 8x8x3x3, dilation 2",
      "toy: add 2x8x16x16 by 2x8x16x16",
      "toy: elu 2x8x16x16",
    ]);
  });

  test("leaves out what would take too long here, with the time", () => {
    const { cases, leftOut } = gridOf(engine, [toy], "small", { gigaflops: 1e-3, gigabytesPerSecond: 1 });
    expect(cases.map((c) => c.group)).toEqual(["binary"]);
    // 589,824 operations at 0.001 GFLOP/s are 0.59 s at the roof, of which a fifth is expected.
    expect(leftOut[0]!.reason).toBe("about 2.9 s a call here, the limit of this grid is 0.25 s");
  });

  test("leaves out what the adapter cannot bind, with the sizes", () => {
    const huge: GridNetwork = {
      name: "huge",
      open() {
        const [x, w] = [engine.zeros([1, 8, 1 << 15, 1 << 15]), engine.zeros([8, 8, 3, 3])];
        return () => conv2d(x, w, undefined, { padding: 1 });
      },
    };
    const { cases, leftOut } = gridOf(engine, [huge], "full", { gigaflops: 1e9, gigabytesPerSecond: 1e9 });
    expect(cases).toEqual([]);
    expect(leftOut[0]!.reason).toMatch(/^binds [\d,.]+ .iB, the adapter allows [\d,.]+ .iB$/);
  });

  test("leaves out what nothing small stands for", () => {
    const odd: GridNetwork = {
      name: "odd",
      open() {
        const x = engine.zeros([4, 8]);
        return () => softmax(x);
      },
    };
    expect(gridOf(engine, [odd], "full", fast).leftOut).toEqual([
      { name: "odd: softmax 4x8", reason: "no smaller size to check it at" },
    ]);
  });

  test("measures an op of two networks once", () => {
    expect(gridOf(engine, [toy, { ...toy, name: "twin" }], "small", fast).cases).toHaveLength(2);
  });

  test("every case of the published networks is right", async () => {
    const { cases } = gridOf(engine, gridNetworks(engine, 1), "small", fast);
    expect(cases.length).toBeGreaterThan(8);
    for (const c of cases) expect([c.name, await c.check!(engine)]).toEqual([c.name, undefined]);
  });
});
