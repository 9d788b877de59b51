import { describe, expect, test } from "vitest";
import { UsageError } from "../../engine/errors.ts";
import { add, mul, sum } from "../../engine/ops/index.ts";
import { Tensor } from "../../engine/tensor.ts";
import { engine } from "../support/engine.ts";

const live = () => engine.memory().live;

describe("a scope", () => {
  test("disposes what was made in it", () => {
    const before = live();
    const made: Tensor[] = [];
    engine.scope(() => {
      for (let i = 0; i < 3; i++) made.push(add(engine.ones([1000]), i));
      expect(live()).toBeGreaterThan(before);
    });
    expect(live()).toBe(before);
    expect(made.every((t) => t.disposed)).toBe(true);
  });

  test("hands on what it returns, alone or in arrays and plain objects", async () => {
    const before = live();
    const alone = engine.scope(() => add(engine.ones([2]), 1));
    const { list, deep, also } = engine.scope(() => {
      const t = engine.full([2], 3);
      return { list: [t, mul(t, 2)], deep: { a: { b: engine.full([2], 9) } }, also: t, number: 1 };
    });
    expect(also).toBe(list[0]);
    const values = await engine.readAll([alone, ...list, deep.a.b]);
    expect(values.map((v) => v[0])).toEqual([2, 3, 6, 9]);
    for (const t of [alone, ...list, deep.a.b]) t.dispose();
    expect(live()).toBe(before);
  });

  test("hands on what lies deep in what it returns, and what turns in circles", () => {
    const before = live();
    type Box = { within?: Box; of?: Box; t?: Tensor };
    const box = engine.scope(() => {
      let box: Box = { t: engine.ones([2]) };
      for (let i = 0; i < 9; i++) {
        const around: Box = { within: box };
        box.of = around;
        box = around;
      }
      return box;
    });
    let inmost = box;
    while (inmost.within) inmost = inmost.within;
    expect(inmost.t!.disposed).toBe(false);
    inmost.t!.dispose();
    expect(live()).toBe(before);
  });

  test("passes a returned tensor to the scope around, which disposes it", () => {
    const before = live();
    engine.scope(() => {
      const inner = engine.scope(() => engine.ones([8]));
      expect(inner.disposed).toBe(false);
    });
    expect(live()).toBe(before);
  });

  test("disposes everything when the function throws", () => {
    const before = live();
    expect(() =>
      engine.scope(() => {
        engine.scope(() => engine.ones([100]));
        throw new UsageError("in the middle");
      }),
    ).toThrow("in the middle");
    expect(live()).toBe(before);
    engine.scope(() => void engine.ones([5])); // the stack of scopes is whole again
    expect(live()).toBe(before);
  });

  test("refuses an async function, and what that one does later disturbs nobody", async () => {
    const before = live();
    expect(() =>
      engine.scope(async () => {
        const t = engine.ones([2]);
        await null;
        sum(t); // throws: t went with the scope. Nobody awaits it.
      }),
    ).toThrowErrorMatchingInlineSnapshot(`[UsageError: scope: got an async function, expected a plain one]`);
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(live()).toBe(before);
  });

  test("spares variables and untracked tensors", () => {
    const [variable, kept] = engine.scope(() => {
      const v = engine.variable([1]);
      const k = engine.untrack(engine.ones([1]));
      return [() => v, () => k];
    });
    expect([variable!().disposed, kept!().disposed]).toEqual([false, false]);
    engine.scope(() => void engine.track(kept!()));
    expect(kept!().disposed).toBe(true);
    variable!().dispose();
  });

  test("spares an alias and what was made outside", () => {
    const x = engine.ones([3]);
    const y = engine.scope(() => {
      add(x, 1);
      return [x.alias()];
    });
    expect([x.disposed, y[0]!.disposed]).toEqual([false, false]);
    for (const t of [x, ...y]) t.dispose();
  });
});

describe("handles", () => {
  test("memory lasts until the last handle goes; disposing twice is once", async () => {
    const before = live();
    const x = engine.full([4], 7);
    const y = x.alias([2, 2]);
    x.dispose();
    x.dispose();
    expect([...(await y.data())]).toEqual([7, 7, 7, 7]);
    y[Symbol.dispose]();
    expect(live()).toBe(before);
  });

  test("a disposed tensor says so when it is used", async () => {
    const x = engine.ones([2, 3]);
    const y = add(x, 1);
    x.dispose();
    expect(() => add(x, y)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor [2,3]: its tensor was disposed; keep it out of the scope]`,
    );
    expect(() => x.write(new Float32Array(6))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor [2,3]: its tensor was disposed; keep it out of the scope]`,
    );
    await expect(x.data()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor [2,3]: its tensor was disposed; keep it out of the scope]`,
    );
    y.dispose();
  });

  test("rank, size and lengths from either end", () => {
    const x = engine.ones([2, 3, 4]);
    expect([x.rank, x.size, x.dim(0), x.dim(-1), x.requiresGrad]).toEqual([3, 24, 2, 4, false]);
    expect(x).toBeInstanceOf(Tensor);
    x.dispose();
  });
});
