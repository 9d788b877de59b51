import { describe, expect, test, vi } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { UsageError } from "../../engine/errors.ts";
import {
  add,
  conv2d,
  crossEntropy,
  exp,
  mul,
  reshape,
  silu,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { fromHost, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";
import { plain } from "../support/plain.ts";

const memory = () => {
  const { live, pooled } = engine.memory();
  return { live, pooled };
};

describe("replays", () => {
  test.each(["poisoned", "plain"])(
    "of a training step are the eager steps, while Scalars and inputs change (%s)",
    async (which) => {
      const device = which === "plain" ? plain : engine;
      const first = normal([3, 2, 3, 3], 1);
      const inputs = Array.from({ length: 5 }, (_, i) =>
        Float32Array.from(normal([4, 2, 5, 5], 10 + i).data),
      );

      const run = async (captured: boolean): Promise<Float32Array[]> => {
        const w = device.variable(Float32Array.from(first.data), first.shape);
        const x = device.tensor(inputs[0]!, [4, 2, 5, 5]);
        const [rate, step] = [new Scalar(0), new Scalar(0)];
        const body = (): { loss: Tensor } => {
          const noise = randn(device, x.shape, { seed: 7, purpose: "user", step });
          const y = silu(conv2d(add(x, mul(noise, rate)), w, undefined, { padding: 1 }));
          const loss = sum(square(sub(y, exp(mul(y, 0.1)))));
          const [dw] = grad(loss, [w]);
          device.copy(sub(w.detach(), mul(dw!, rate)), w);
          return { loss };
        };
        const results: Float32Array[] = [];
        let capture: ReturnType<typeof engine.capture<{ loss: Tensor }>> | undefined;
        for (const [i, data] of inputs.entries()) {
          x.write(data);
          rate.value = 1e-3 * (i + 1);
          step.value = i;
          if (!captured) {
            const { loss } = device.scope(body);
            results.push(Float32Array.of(await loss.item()));
            loss.dispose();
          } else {
            if (!capture) capture = device.capture(body);
            else capture.replay();
            results.push((await capture.result.loss.data()) as Float32Array);
          }
        }
        results.push((await w.data()) as Float32Array);
        capture?.dispose();
        for (const t of [w, x]) t.dispose();
        return results;
      };

      const before = device.memory().live;
      const [eager, replayed] = [await run(false), await run(true)];
      expect(device.memory().live).toBe(before);
      for (const [i, values] of eager.entries())
        expectNear(replayed[i]!, fromHost(values, [values.length]), { terms: 100 }, `step ${i}`);
    },
  );

  test("neighbouring elementwise kernels run as one, with the same results", async () => {
    const x = plain.tensor([1, 2, 3, 4, 5]);
    const s = new Scalar(1);
    const capture = plain.capture(() => {
      const a = add(x, s);
      const b = mul(a, a);
      return [sub(b, x), mul(exp(mul(b, -0.1)), s)];
    });
    expect(capture.commands.length).toBe(1);
    for (const value of [1, 2, -0.5]) {
      s.value = value;
      capture.replay();
      const eager = plain.scope(() => [sub(square(add(x, s)), x), mul(exp(mul(square(add(x, s)), -0.1)), s)]);
      const values = await plain.readAll([...capture.result, ...eager]);
      for (const i of [0, 1]) expectNear(values[i]!, fromHost(values[i + 2]!, [5]));
      for (const t of eager) t.dispose();
    }
    capture.dispose();
    x.dispose();
  });

  test("keep host constants made inside, whatever memory they were given", async () => {
    const x = engine.tensor([1, 2, 3, 4]);
    const capture = engine.capture(() => {
      engine.scope(() => void mul(x, 100)); // scratch of the same size, free again
      const table = engine.tensor([5, 6, 7, 8]);
      return add(table, x);
    });
    for (let i = 0; i < 3; i++) {
      expect([...(await capture.result.data())]).toEqual([6, 8, 10, 12]);
      capture.replay();
    }
    capture.dispose();
    x.dispose();
  });

  test("crossEntropy, which makes a constant inside, replays", async () => {
    const logits = upload(normal([4, 4], 1));
    const labels = engine.tensor(Int32Array.of(0, 3, 1, 1));
    const capture = engine.capture(() => crossEntropy(softmax(mul(logits, 2)), labels));
    const first = await capture.result.item();
    for (let i = 0; i < 3; i++) capture.replay();
    expect(await capture.result.item()).toBe(first);
    capture.dispose();
    for (const t of [logits, labels]) t.dispose();
  });

  test("leave alone a tensor that was made inside and is first written afterwards", async () => {
    const x = plain.tensor([1, 2, 3, 4]);
    const capture = plain.capture(() => {
      plain.scope(() => void softmax(x)); // scratch of the same size, free again
      return plain.empty([4]);
    });
    capture.result.write(Float32Array.of(5, 6, 7, 8));
    capture.replay();
    expect([...(await capture.result.data())]).toEqual([5, 6, 7, 8]);
    capture.dispose();
    x.dispose();
  });

  test("see a tensor that is updated in place", async () => {
    const x = engine.full([3], 1);
    const capture = engine.capture(() => {
      engine.copy(mul(x, 2), x);
    });
    for (let i = 0; i < 4; i++) capture.replay();
    expect([...(await x.data())]).toEqual([32, 32, 32]);
    capture.dispose();
    x.dispose();
  });

  test("write() waits for the replays before it", async () => {
    const x = engine.tensor([1]);
    const total = engine.zeros([1]);
    const capture = engine.capture(() => engine.copy(add(total, x), total));
    for (const v of [10, 100]) {
      x.write(Float32Array.of(v));
      capture.replay();
    }
    x.write(Float32Array.of(1000));
    expect(await total.item()).toBe(111);
    capture.dispose();
    for (const t of [x, total]) t.dispose();
  });

  test("send what changed of their Scalars in one piece, and nothing where nothing did", async () => {
    const x = engine.tensor([1, 2, 3, 4]);
    const [first, last] = [new Scalar(1), new Scalar(2)];
    const capture = engine.capture(() => {
      let y = add(x, first);
      for (let i = 0; i < 20; i++) y = add(y, 1);
      return mul(y, last);
    });
    await engine.sync();
    const write = vi.spyOn(engine.device.queue, "writeBuffer");
    try {
      capture.replay();
      expect(write).not.toHaveBeenCalled();
      [first.value, last.value] = [5, 10];
      capture.replay();
      expect(write).toHaveBeenCalledTimes(1);
    } finally {
      write.mockRestore();
    }
    expect([...(await capture.result.data())]).toEqual([260, 270, 280, 290]);
    capture.dispose();
    x.dispose();
  });

  test("in pieces are the whole", async () => {
    const x = engine.full([4], 1);
    const capture = engine.capture(() => {
      engine.copy(add(mul(x, 2), 1), x);
      return sum(x);
    });
    const n = capture.commands.length;
    capture.replayRange(0, 1, () => ({}));
    capture.replayRange(1, n, () => ({}));
    expect(await capture.result.item()).toBe(28);
    capture.dispose();
    x.dispose();
  });

  test("many steps, many captures: memory comes back", async () => {
    const x = engine.ones([1000]);
    const before = memory();
    for (let i = 0; i < 20; i++) {
      const capture = engine.capture(() => sum(mul(add(x, 1), add(x, 2))));
      for (let k = 0; k < 3; k++) capture.replay();
      expect(await capture.result.item()).toBe(6000);
      capture.dispose();
    }
    expect(memory()).toEqual(before);
    x.dispose();
  });
});

describe("disposing", () => {
  test("work on the result that is not sent yet is done first", async () => {
    const x = engine.ones([5]);
    const capture = engine.capture(() => add(x, 1));
    const after = mul(capture.result, 10);
    capture.dispose();
    expect([...(await after.data())]).toEqual([20, 20, 20, 20, 20]);
    for (const t of [x, after]) t.dispose();
  });

  test("leaves what it did not make to whom it belongs", async () => {
    const before = engine.memory().live;
    const a = engine.untrack(engine.tensor([1, 2]));
    const view = engine.capture(() => ({ a, column: reshape(a, [2, 1]) }));
    view.replay();
    expect([...(await view.result.column.data())]).toEqual([1, 2]);
    view.dispose();
    expect([...(await a.data())]).toEqual([1, 2]);
    a.dispose();
    engine.scope(() => {
      const t = engine.zeros([600]);
      const same = engine.capture(() => t);
      same.replay();
      same.dispose();
      expect(t.disposed).toBe(false);
    });
    expect(engine.memory().live).toBe(before);
  });

  test("the result is unusable then, and says so", async () => {
    const x = engine.ones([5]);
    const capture = engine.capture(() => add(x, 1));
    capture.dispose();
    await expect(engine.read(capture.result)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor [5]: its capture was disposed; read or copy it before]`,
    );
    expect(await engine.scope(() => sum(x)).item()).toBe(5); // the engine goes on
    x.dispose();
  });

  test("twice is once, and there is no replay afterwards", () => {
    using x = engine.ones([5]);
    const capture = engine.capture(() => add(x, 1));
    const before = memory();
    capture.dispose();
    const after = memory();
    expect(after.live).toBeLessThan(before.live);
    capture.dispose();
    expect(memory()).toEqual(after);
    expect(() => capture.replay()).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: replay: got a capture that was disposed, expected one in use; capture the step again]`,
    );
  });
});

describe("messages", () => {
  test("captures do not nest, and do not wait", async () => {
    const x = engine.ones([2]);
    expect(() => engine.capture(() => engine.capture(() => x))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: capture: already recording; captures do not nest]`,
    );
    let reading: Promise<unknown> | undefined;
    const capture = engine.capture(() => {
      reading = engine.read(x);
      reading.catch(() => {});
    });
    await expect(reading).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UsageError: read: a captured step cannot wait for the device]`,
    );
    capture.dispose();
    x.dispose();
  });

  test("a captured step takes no values from the host", () => {
    using x = engine.ones([2]);
    expect(() => engine.capture(() => x.write(new Float32Array(2)))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: write: got values for a tensor [2] within capture, whose replays would not write them; write before each replay instead]`,
    );
  });

  test("a step that throws leaves the engine as it was", async () => {
    const x = engine.ones([1000]);
    await engine.sync();
    const before = memory();
    expect(() =>
      engine.capture(() => {
        sum(mul(x, 2));
        throw new UsageError("halfway");
      }),
    ).toThrow("halfway");
    expect(memory()).toEqual(before);
    const y = engine.scope(() => reshape(add(x, 1), [10, 100]));
    expect((await y.data()).every((v) => v === 2)).toBe(true);
    for (const t of [x, y]) t.dispose();
  });
});
