import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { checkpoint } from "../../engine/checkpointing.ts";
import { add, mean, mul, sin, square, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { Block, setCheckpointing } from "../../models/blocks/index.ts";
import { Init } from "../../models/init.ts";
import { Ncsn } from "../../models/ncsn.ts";
import { engine } from "../support/engine.ts";

const values = Float32Array.from({ length: 12 }, (_, i) => 0.1 * i - 0.4);

describe("checkpoint", () => {
  const x = engine.variable(values);
  const w = engine.variable(values.map((v) => 1 - v));
  afterAll(() => {
    x.dispose();
    w.dispose();
  });
  let runs = 0;
  const f = (t: Tensor): Tensor => {
    runs++;
    return square(sin(mul(sin(t), w)));
  };
  const kept = (t: Tensor): Tensor => checkpoint(([a]) => f(a!), [t]);

  const gradients = async (through: (t: Tensor) => Tensor) => {
    const results = engine.scope(() => {
      const h = mul(x, 2); // the graph before the block is reached too
      return grad(sum(through(h)), [x, w]);
    });
    return (await engine.readAll(results)).map((v) => [...v]);
  };

  test("gives the gradients of the plain graph, to inputs and parameters", async () => {
    expect(await gradients(kept)).toEqual(await gradients(f));
  });

  test("runs once more in the backward pass, and only there", () => {
    runs = 0;
    engine.scope(() => {
      const y = sum(kept(x));
      expect(runs).toBe(1);
      grad(y, [x]);
      expect(runs).toBe(2);
    });
  });

  test("second derivatives pass through it", async () => {
    const second = async (through: (t: Tensor) => Tensor) => {
      const results = engine.scope(() => {
        const [first] = grad(sum(through(x)), [x], { createGraph: true });
        return grad(sum(square(first!)), [x, w]);
      });
      return (await engine.readAll(results)).map((v) => [...v]);
    };
    const [got, plain] = [await second(kept), await second(f)];
    for (const [k, row] of plain.entries())
      for (const [i, v] of row.entries()) expect(got[k]![i]).toBeCloseTo(v, 4);
  });
});

describe("a checkpoint whose inputs and parameters hang together", () => {
  type Body = (a: Tensor, b: Tensor, w: Tensor) => Tensor;
  const product: Body = (a, b, w) => mul(mul(sin(a), b), w);
  const [x, p] = [engine.variable([0.3, -0.7]), engine.variable([1.2, 0.4])];
  afterAll(() => {
    x.dispose();
    p.dispose();
  });

  /** First derivatives as they are asked for, and derivatives of theirs, through the plain graph and a checkpoint. */
  const both = async (given: () => readonly [a: Tensor, b: Tensor, w: Tensor]) => {
    const before = engine.memory().live;
    const through = async (kept: boolean) => {
      const results = engine.scope(() => {
        const run = () => {
          const [a, b, w] = given();
          if (!kept) return sum(product(a, b, w));
          return sum(checkpoint(([s, t]) => product(s!, t!, w), [a, b]));
        };
        const first = grad(run(), [x, p], { createGraph: true });
        const total = sum(add(mul(first[0]!, 2), mul(first[1]!, 3)));
        return [...grad(run(), [x, p]), ...first, ...grad(total, [x, p])];
      });
      const values = (await engine.readAll(results)).flatMap((v) => [...v]);
      for (const t of results) t.dispose();
      return values;
    };
    const [plain, kept] = [await through(false), await through(true)];
    kept.forEach((v, i) => {
      expect(v, `number ${i}`).toBeCloseTo(plain[i]!, 5);
    });
    expect(engine.memory().live).toBe(before);
  };

  test("an input twice", () => both(() => [x, x, p]));
  test("an input made from the other", () => both(() => [x, sin(x), p]));
  test("an input made from the parameter", () => both(() => [x, sin(p), p]));
  test("an input that is the parameter too", () => both(() => [x, p, p]));
  test("a parameter that was computed", () => both(() => [x, x, sin(p)]));
  test("inputs without a graph", () => both(() => [x.detach(), x.detach(), sin(p)]));
});

test("a block's weights count wherever it has them from", async () => {
  class Scaled extends Block<[x: Tensor]> {
    readonly #hidden = engine.variable([3]);
    readonly shared = () => shared;
    get hidden() {
      return this.#hidden;
    }
    forward(x: Tensor): Tensor {
      return mul(square(x), add(this.#hidden, square(this.shared())));
    }
  }
  const shared = engine.variable([2]);
  const block = new Scaled();
  block.checkpointing = true;
  const [dHidden, dShared] = engine.scope(() =>
    grad(sum(block.run(engine.tensor([5]))), [block.hidden, shared]),
  );
  expect([await dHidden!.item(), await dShared!.item()]).toEqual([25, 100]);
  for (const t of [dHidden!, dShared!, shared, block.hidden]) t.dispose();
});

describe("a checkpoint whose function", () => {
  const w = engine.variable([3]);
  const constant = engine.untrack(engine.tensor([4]));
  afterAll(() => {
    w.dispose();
    constant.dispose();
  });
  const slopes = async (f: (x: Tensor) => Tensor) => {
    using x = engine.variable([2]);
    const before = engine.memory().live;
    const results = engine.scope(() => grad(sum(checkpoint(([a]) => f(a!), [x])), [x, w]));
    const values = await Promise.all(results.map((t) => t.item()));
    for (const t of results) t.dispose();
    expect(engine.memory().live).toBe(before);
    return values;
  };

  test("records a graph of its own on the way", async () => {
    expect(await slopes((x) => square(engine.withGrad(() => mul(x, w))))).toEqual([36, 24]);
    expect(await slopes((x) => engine.withGrad(() => mul(x, w)))).toEqual([3, 2]);
  });
  test("returns its input, or a tensor that it knows", async () => {
    expect(await slopes((x) => x)).toEqual([1, 0]);
    expect(await slopes(() => w)).toEqual([0, 1]);
    using x = engine.variable([2]);
    engine.scope(() => expect(checkpoint(() => constant, [x]).requiresGrad).toBe(true));
    expect(constant.requiresGrad).toBe(false);
  });
});

test("a checkpoint without a tensor is refused", () => {
  expect(() => checkpoint(() => engine.ones([1]), [undefined])).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: checkpoint: got no tensor among the inputs, expected at least one]`,
  );
});

describe("setCheckpointing", () => {
  const net = new Ncsn(new Init(engine, 1), { channels: 1, imageSize: 12, ngf: 4, numClasses: 3 });
  afterAll(() => net.dispose());
  const params = [...net.parameters().values()];

  async function step(on: boolean) {
    setCheckpointing(net, on);
    await engine.sync();
    const before = engine.memory().live;
    engine.resetPeak();
    let saved = 0;
    const results = engine.scope(() => {
      const x = engine.tensor(
        Float32Array.from({ length: 4 * 144 }, (_, i) => Math.sin(i)),
        [4, 1, 12, 12],
      );
      const labels = engine.tensor(Int32Array.from([0, 1, 2, 1]));
      const loss = mean(square(net.run(x, labels)));
      saved = engine.memory().live - before;
      return [loss, ...grad(loss, params)];
    });
    const peak = engine.memory().peak - before;
    const data = await engine.readAll(results);
    for (const t of results) t.dispose();
    return { data, saved, peak };
  }

  test("loss and gradients stay, but for the order of sums; less is kept and the peak is lower", async () => {
    const plain = await step(false);
    const blocks = await step(true);
    for (const [k, row] of plain.data.entries()) {
      const scale = Math.max(1e-6, ...[...row].map(Math.abs));
      for (const [i, v] of row.entries())
        expect(Math.abs(blocks.data[k]![i]! - v) / scale).toBeLessThan(1e-4);
    }
    expect(blocks.saved).toBeLessThan(0.5 * plain.saved);
    expect(blocks.peak).toBeLessThan(0.8 * plain.peak);
  });

  test("a fault inside a block is named in the second run too", () => {
    setCheckpointing(net, true);
    const paths = new Set<string>();
    engine.observer = ({ path }) => paths.add(path);
    try {
      engine.scope(() => {
        const x = engine.zeros([1, 1, 12, 12]);
        const loss = mean(square(net.run(x, engine.zeros([1], "i32"))));
        paths.clear();
        grad(loss, params);
      });
    } finally {
      engine.observer = undefined;
    }
    expect([...paths].some((p) => p.includes("refine4.output_convs"))).toBe(true);
  });
});
