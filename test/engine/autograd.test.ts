import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { UsageError } from "../../engine/errors.ts";
import { defineOp } from "../../engine/op.ts";
import {
  add,
  attention,
  conv2d,
  div,
  exp,
  floor,
  instanceNorm,
  instanceNormPlus,
  matmul,
  maximum,
  mul,
  reshape,
  silu,
  sin,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import { Sgd } from "../../engine/optim/sgd.ts";
import { type Array64, map } from "../../engine/oracle/array.ts";
import { attention as attentionOracle } from "../../engine/oracle/attention.ts";
import { conv2d as convOracle } from "../../engine/oracle/conv2d.ts";
import { norm as normOracle } from "../../engine/oracle/norm.ts";
import { applyUnary } from "../../engine/oracle/unary.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { linearUpdate } from "../../engine/updates.ts";
import { checkOp } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

const live = () => engine.memory().live;
const times = (x: Array64, s: number) => map(x, (v) => v * s);

describe("networks, held to their oracles with first and second derivative", () => {
  const conv = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
  const plain = { groups: 3, eps: 1e-5, activation: "none", plus: false } as const;

  test("convolution, norm with its activation, convolution", () =>
    checkOp({
      op: (x, w1, gamma, w2) =>
        conv2d(
          instanceNormPlus(conv2d(x!, w1!, undefined, conv), { gamma, activation: "silu" }),
          w2!,
          undefined,
          conv,
        ),
      oracle: (x, w1, gamma, w2) => {
        const h = normOracle(
          convOracle(x!, w1!, null, conv),
          { ...plain, activation: "silu", plus: true },
          gamma!,
          null,
          null,
        );
        return convOracle(h, w2!, null, conv);
      },
      inputs: [normal([2, 2, 4, 3], 1), normal([3, 2, 3, 3], 2), normal([3], 3), normal([2, 3, 3, 3], 4)],
      seed: 3,
      terms: 27 * 27,
    }));

  test("two norms that share a gamma, one behind the other", () =>
    checkOp({
      op: (x, gamma) => instanceNorm(silu(instanceNorm(x, { gamma })), { gamma }),
      oracle: (x, gamma) =>
        normOracle(applyUnary("silu", normOracle(x, plain, gamma, null, null)), plain, gamma, null, null),
      inputs: [normal([2, 3, 3, 3], 1), normal([3], 2)],
      seed: 4,
      terms: 100,
    }));

  test("attention of a tensor with itself", () =>
    checkOp({
      op: (x) => attention(x, x, x),
      oracle: (x) => attentionOracle(x, x, x, 0.5),
      inputs: [normal([2, 4, 5], 1)],
      seed: 4,
      terms: 20,
    }));

  test("attention whose queries and values are made of its keys", () =>
    checkOp({
      op: (k) => attention(mul(k, 2), k, sin(k), { scale: 0.3 }),
      oracle: (k) => attentionOracle(times(k, 2), k, applyUnary("sin", k), 0.3),
      inputs: [normal([1, 3, 4], 1)],
      seed: 4,
      terms: 20,
    }));

  test("a value used many times, by ops and by itself", () =>
    checkOp({
      op: (x) => {
        const y = sin(x);
        return add(mul(y, y), add(mul(x, y), sub(exp(mul(y, 0.5)), x)));
      },
      oracle: (x) =>
        map(x, (v) => {
          const y = Math.sin(v);
          return y * y + v * y + Math.exp(0.5 * y) - v;
        }),
      inputs: [normal([3, 4], 1)],
      seed: 2,
    }));

  test("a third derivative", async () => {
    const x = engine.variable([0.3, -1.2, 2]);
    const third = engine.scope(() => {
      let y = sum(sin(mul(x, x)));
      for (let i = 0; i < 2; i++) y = sum(grad(y, [x], { createGraph: true })[0]!);
      return grad(y, [x])[0]!;
    });
    const expected = [0.3, -1.2, 2].map((v) => -12 * v * Math.sin(v * v) - 8 * v ** 3 * Math.cos(v * v)); // of sin x^2
    for (const [i, g] of (await third.data()).entries()) expect(g).toBeCloseTo(expected[i]!, 4);
    third.dispose();
    x.dispose();
  });
});

describe("what is asked for", () => {
  test("zeros where y does not depend on x, whose handles the caller owns", async () => {
    const [x, z] = [engine.variable([1, 2]), engine.variable([3])];
    const before = live();
    const [dx, dz] = grad(
      engine.scope(() => sum(square(x))),
      [x, z],
    );
    expect([...(await dx!.data()), ...(await dz!.data())]).toEqual([2, 4, 0]);
    for (const t of [dx!, dz!]) t.dispose();
    expect(live() - before).toBeLessThanOrEqual(256); // y itself
    for (const t of [x, z]) t.dispose();
  });

  test("the gradient in values on the way, and in one tensor twice", async () => {
    const x = engine.variable([3]);
    const grads = engine.scope(() => {
      const h = square(x);
      return grad(mul(h, x), [h, x, x, mul(h, x)]);
    });
    const values = await engine.readAll(grads);
    expect(values.map((v) => v[0])).toEqual([3, 27, 27, 0]);
    for (const t of [x, ...grads]) t.dispose();
  });

  test("the gradient in a value takes nothing of what made it: neither its graph nor its derivative", async () => {
    const x = engine.variable([0.5]);
    const before = live();
    const grads = engine.scope(() => {
      const h = sin(x);
      const alone = grad(square(h), [h]);
      const [dx] = grad(mul(h, 3), [x]);
      return [...alone, dx!, ...grad(square(h), [h])]; // the last through a value whose own graph is freed
    });
    const values = (await engine.readAll(grads)).map((v) => v[0]!);
    const twice = 2 * Math.sin(0.5);
    for (const [i, v] of [twice, 3 * Math.cos(0.5), twice].entries()) expect(values[i]).toBeCloseTo(v, 5);
    for (const t of grads) t.dispose();
    expect(live()).toBe(before);
    x.dispose();
  });

  test("a parameter on which a norm does not depend has a gradient of zeros, for differentiating again too", async () => {
    const [x, alpha] = [engine.ones([2, 1, 3, 3]), engine.variable([0.7])];
    const y = () => sum(instanceNormPlus(x, { alpha }));
    const grads = engine.scope(() => [...grad(y(), [alpha]), ...grad(y(), [alpha], { createGraph: true })]);
    expect((await engine.readAll(grads)).map((v) => v[0])).toEqual([0, 0]);
    for (const t of [x, alpha, ...grads]) t.dispose();
  });

  test("y may be the variable", async () => {
    const x = engine.variable([3]);
    const [dx] = grad(x, [x]);
    expect(await dx!.item()).toBe(1);
    dx!.dispose();
    x.dispose();
  });

  test("noGrad and detach cut the graph", async () => {
    const x = engine.variable([3]);
    engine.scope(() => {
      expect(engine.noGrad(() => square(x)).requiresGrad).toBe(false);
      expect(square(x).detach().requiresGrad).toBe(false);
      expect(square(x.detach()).requiresGrad).toBe(false);
      expect(square(x).requiresGrad).toBe(true);
      expect(() =>
        engine.noGrad(() => {
          throw new UsageError("inside");
        }),
      ).toThrow("inside");
      expect(engine.recording).toBe(true);
    });
    const [dx] = engine.scope(() => grad(mul(x, square(x).detach()), [x]));
    expect(await dx!.item()).toBe(9);
    dx!.dispose();
    x.dispose();
  });

  test("gradients without createGraph carry no graph, with it they do, in noGrad too", () => {
    const x = engine.variable([3]);
    engine.scope(() => {
      for (const y of [sum(square(x)), sum(instanceNorm(reshape(x, [1, 1, 1, 1])))])
        expect(engine.noGrad(() => grad(y, [x], { createGraph: true }))[0]!.requiresGrad).toBe(true);
      expect(grad(square(x), [x])[0]!.requiresGrad).toBe(false);
      expect(grad(add(x, 1), [x], { cotangent: x })[0]!.requiresGrad).toBe(false); // which is the cotangent
      expect(grad(square(x), [x], { createGraph: true })[0]!.requiresGrad).toBe(true);
    });
    x.dispose();
  });
});

describe("memory", () => {
  const step = (x: Tensor) => sum(square(softmax(mul(silu(x), x))));

  test("a backward pass leaves what its gradients take", () => {
    const x = engine.variable(new Float32Array(1024));
    const before = live();
    engine.scope(() => {
      const [dx] = grad(step(x), [x]);
      dx!.dispose();
    });
    expect(live()).toBe(before);
    x.dispose();
  });

  test("activations go as the backward pass comes by, not at the end of the scope", () => {
    const x = engine.variable(new Float32Array(4096));
    const before = live();
    engine.scope(() => {
      const total = engine.scope(() => {
        let y = x;
        for (let i = 0; i < 10; i++) y = sin(y);
        return sum(y);
      });
      expect(live() - before).toBeGreaterThanOrEqual(9 * 4096 * 4);
      const [dx] = grad(total, [x]);
      expect(live() - before).toBeLessThanOrEqual(4096 * 4 + 512);
      dx!.dispose();
    });
    expect(live()).toBe(before);
    x.dispose();
  });

  test("a forward pass without a backward one leaves nothing", () => {
    const x = engine.variable(new Float32Array(1024));
    const before = live();
    engine.scope(() => void step(x));
    expect(live()).toBe(before);
    x.dispose();
  });

  test("a graph deeper than the stack goes too", () => {
    const x = engine.variable([1], [1]);
    const before = live();
    engine.scope(() => {
      let y = add(x, 1);
      for (let i = 0; i < 20_000; i++) {
        const next = mul(y, y);
        y.dispose();
        y = next;
      }
    });
    expect(live()).toBe(before);
    x.dispose();
  });

  test("derivatives of derivatives leave nothing", () => {
    const x = engine.variable(new Float32Array(64));
    const before = live();
    for (let i = 0; i < 3; i++)
      engine.scope(() => {
        const [dx] = grad(step(x), [x], { createGraph: true });
        grad(sum(square(dx!)), [x]);
      });
    expect(live()).toBe(before);
    x.dispose();
  });

  test("a gradient in a sum that keeps its axes stays in memory", () => {
    const x = engine.variable([1, 2, 3]);
    const before = live();
    const grads = engine.scope(() => {
      const total = sum(x, { keepDims: true });
      return grad(square(total), [total, x]);
    });
    expect(live()).toBe(before + 2 * 256);
    for (const t of grads) t.dispose();
    expect(live()).toBe(before);
    x.dispose();
  });

  test("a variable may be disposed before its graph", async () => {
    const x = engine.variable([2]);
    const before = live() - 256;
    const y = square(x);
    const handle = x.alias();
    x.dispose();
    const [dx] = grad(y, [handle]);
    expect(await dx!.item()).toBe(4);
    for (const t of [y, handle, dx!]) t.dispose();
    expect(live()).toBe(before);
  });

  test("a backward pass that fails leaves nothing", () => {
    const none = defineOp<object>({
      name: "opaque",
      forward: (e, [x]) => e.empty(x!.shape),
      vjp: "none",
      oracle: ([x]) => x!,
    });
    const x = engine.variable(new Float32Array(512));
    const before = live();
    engine.scope(() => {
      expect(() => grad(sum(mul(none(engine, [square(x)], {}), x)), [x])).toThrow(UsageError);
    });
    expect(live()).toBe(before);
    x.dispose();
  });
});

describe("a tensor written in place between an op and its gradient", () => {
  const refused =
    /^grad: a tensor \[2\] that \w+ keeps for its derivative was written after \w+ had run, expected it as it was/;
  const moved: Record<string, (x: Tensor) => void> = {
    "by the host": (x) => void x.write(new Float32Array([5, 6])),
    "by a copy": (x) => engine.copy(engine.ones([2]), x),
    "by a sampler": (x) => linearUpdate(x, engine.ones([2]), { keep: 1, pull: 1, noise: 0 }, undefined),
    "by an optimizer": (x) => {
      const sgd = new Sgd(new Map([["x", x]]), { lr: 1 });
      sgd.advance();
      sgd.apply([engine.ones([2])]);
      sgd.dispose();
    },
  };

  test.each(Object.keys(moved))("%s is refused where the derivative needs it", (name) => {
    using x = engine.variable([2, 3]);
    engine.scope(() => {
      const y = sum(square(x));
      moved[name]!(x);
      expect(() => grad(y, [x])).toThrow(refused);
    });
  });

  test.each(Object.keys(moved))("%s does not matter where it does not", async (name) => {
    using x = engine.variable([2, 3]);
    const [slope] = engine.scope(() => {
      const y = sum(mul(add(x, 1), 3));
      moved[name]!(x);
      return grad(y, [x]);
    });
    expect([...(await slope!.data())]).toEqual([3, 3]);
    slope!.dispose();
  });

  test("does not matter in a factor whose own gradient alone can be asked for", async () => {
    using w = engine.variable([2, 3]);
    using x = engine.tensor([5, 7]);
    engine.untrack(x);
    const image = (t: Tensor) => reshape(t, [1, 1, 1, 2]);
    const products: (() => Tensor)[] = [
      () => sum(mul(w, x)),
      () => sum(matmul(reshape(x, [1, 2]), reshape(w, [2, 1]))),
      () => sum(conv2d(image(x), image(w))),
    ];
    for (const product of products) {
      const [slope] = engine.scope(() => {
        const y = product();
        w.write(new Float32Array([0, 0]));
        return grad(y, [w]);
      });
      expect([...(await slope!.data())]).toEqual([5, 7]);
      slope!.dispose();
    }
  });

  test("is refused in a captured step too, and replays of a step may write what it keeps", async () => {
    using x = engine.variable([2, 3]);
    const step = () => {
      const y = sum(square(x));
      linearUpdate(x, engine.ones([2]), { keep: 1, pull: 1, noise: 0 }, undefined);
      return grad(y, [x]);
    };
    expect(() => engine.capture(step)).toThrow(refused);
    const kept = engine.capture(() => sum(square(mul(x, x))));
    kept.replay();
    const [slope] = engine.scope(() => grad(kept.result, [x], { retainGraph: true }));
    expect([...(await slope!.data())]).toEqual([4 * 27, 4 * 64]); // x was moved before its gradient was refused
    slope!.dispose();
    const both = engine.capture(() => grad(kept.result, [x], { retainGraph: true }));
    expect([...(await both.result[0]!.data())]).toEqual([4 * 27, 4 * 64]);
    x.write(new Float32Array([1, 1])); // which no replay has seen
    expect(() => grad(kept.result, [x])).toThrow(refused);
    for (const c of [both, kept]) c.dispose();
  });
});

test("an op by a number keeps its input only where the derivative needs it", () => {
  using x = engine.variable(new Float32Array(4096));
  const keptBy = (op: (x: Tensor) => Tensor) => {
    const before = live();
    return engine.scope(() => {
      const y = engine.scope(() => op(sin(x)));
      return (live() - before) / (4 * y.size) - 1;
    });
  };
  expect(
    [
      (h: Tensor) => add(h, 2),
      (h: Tensor) => sub(2, h),
      (h: Tensor) => mul(h, 2),
      (h: Tensor) => div(h, 2),
      (h: Tensor) => div(2, h),
      (h: Tensor) => maximum(h, 0),
    ].map(keptBy),
  ).toEqual([0, 0, 0, 0, 1, 1]);
});

describe("messages", () => {
  test("no graph", () => {
    expect(() => grad(engine.ones([]), [])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: grad: y has no graph; compute it from a parameter or engine.variable]`,
    );
    const x = engine.variable([1]);
    expect(() =>
      grad(
        engine.scope(() => square(x)),
        [engine.ones([2, 2])],
      ),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: grad: wrt[0] [2,2] has no graph; use engine.variable]`,
    );
  });

  test("a cotangent is needed, and of y's shape", () => {
    const x = engine.variable([1, 2]);
    expect(() =>
      grad(
        engine.scope(() => square(x)),
        [x],
      ),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: grad: got y [2] with cotangent none, expected a cotangent of y's shape (none only for one element)]`,
    );
    expect(() =>
      grad(
        engine.scope(() => square(x)),
        [x],
        { cotangent: engine.ones([3]) },
      ),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: grad: got y [2] with cotangent [3], expected a cotangent of y's shape (none only for one element)]`,
    );
  });

  test("a second backward pass without retainGraph", () => {
    const x = engine.variable([1]);
    engine.scope(() => {
      const y = sin(square(x));
      grad(y, [x], { retainGraph: true });
      grad(y, [x]);
      expect(() => grad(y, [x])).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: grad: the graph through sin was freed by an earlier grad; pass retainGraph: true]`,
      );
    });
  });

  test("an op without a derivative", () => {
    const opaque = defineOp<object>({
      name: "opaque",
      forward: (e, [x]) => e.empty(x!.shape),
      vjp: "none",
      oracle: ([x]) => x!,
    });
    const x = engine.variable([1]);
    engine.scope(() => {
      expect(() => grad(opaque(engine, [x], {}), [x])).toThrowErrorMatchingInlineSnapshot(
        `[UsageError: grad: opaque has no derivative]`,
      );
      expect(() => grad(floor(x), [x])).not.toThrow();
    });
  });
});
