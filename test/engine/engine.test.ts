import { describe, expect, test, vi } from "vitest";
import { defineOp } from "../../engine/op.ts";
import { add, conv2d, instanceNorm, log, matmul, mul, silu, sum } from "../../engine/ops/index.ts";
import { Scalar } from "../../engine/scalar.ts";
import { findNonFinite, verify } from "../../engine/verify.ts";
import { unary } from "../../kernels/unary.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

describe("tensors from the host and back", () => {
  test("of each dtype, with the bits they came with", async () => {
    const floats = new Float32Array(Uint32Array.of(0x7fc01234, 0x80000000, 0x00000001, 0x7f800000).buffer);
    for (const data of [floats, Int32Array.of(-1, 2 ** 31 - 1, 1), Uint32Array.of(0, 2 ** 32 - 1, 7)]) {
      const t = engine.tensor(data);
      const copy = engine.empty(t.shape, t.dtype);
      engine.copy(t, copy);
      for (const host of await engine.readAll([t, copy])) {
        expect(host.constructor).toBe(data.constructor);
        expect(new Uint32Array(host.buffer)).toEqual(new Uint32Array(data.buffer));
      }
      for (const x of [t, copy]) x.dispose();
    }
  });

  test("a copy into another type is refused, but of floats in another size", async () => {
    const whole = engine.tensor([1, -2], [2], "i32");
    const floats = engine.empty([2]);
    expect(() => engine.copy(whole, floats)).toThrow(
      "copy: got i32 into f32, expected one type, or two of floats; cast it first",
    );
    expect(() => engine.copy(floats, whole)).toThrow("copy: got f32 into i32");
    if (engine.device.features.has("shader-f16")) {
      const halves = engine.empty([2], "f16");
      engine.copy(engine.tensor([0.1, 3]), halves);
      expect([...(await halves.data())]).toEqual([0.0999755859375, 3]);
      halves.dispose();
    }
    for (const t of [whole, floats]) t.dispose();
  });

  test("numbers become the dtype asked for, f32 if none", async () => {
    expect(await engine.tensor([1, 2]).data()).toEqual(Float32Array.of(1, 2));
    expect(await engine.tensor([1, -2], [2, 1], "i32").data()).toEqual(Int32Array.of(1, -2));
    expect(await engine.tensor([1, 2], [2], "u32").data()).toEqual(Uint32Array.of(1, 2));
    expect(engine.tensor([5], []).shape).toEqual([]);
  });

  test("a part of a larger buffer", async () => {
    const whole = Float32Array.of(1, 2, 3, 4, 5);
    expect([...(await engine.tensor(whole.subarray(1, 4)).data())]).toEqual([2, 3, 4]);
  });

  test("full, zeros, ones, of any length", async () => {
    for (const n of [1, 3, 4, 5, 255, 1025]) {
      const all = [
        engine.full([n], -2.5),
        engine.zeros([n]),
        engine.ones([n], "i32"),
        engine.full([n], 7, "u32"),
      ];
      const values = await engine.readAll(all);
      for (const [i, v] of [-2.5, 0, 1, 7].entries())
        expect([...values[i]!], `${n}`).toEqual(Array(n).fill(v));
      for (const t of all) t.dispose();
    }
  });

  test("empty is NaN while poisoned, so that a gap is seen", async () => {
    expect((await engine.empty([70]).data()).every(Number.isNaN)).toBe(true);
  });

  test("many at once, views among them, none at all", async () => {
    const x = engine.tensor([1, 2, 3, 4]);
    const values = await engine.readAll([x, x.alias([2, 2]), sum(x)]);
    expect(values.map((v) => [...v])).toEqual([[1, 2, 3, 4], [1, 2, 3, 4], [10]]);
    expect(await engine.readAll([])).toEqual([]);
  });

  test("write comes after every use made of the old values", async () => {
    const x = engine.tensor([1, 1]);
    const results = [];
    for (let i = 2; i < 6; i++) {
      results.push(mul(x, 10));
      x.write(Float32Array.of(i, i));
    }
    const values = await engine.readAll([...results, x]);
    expect(values.map((v) => v[0])).toEqual([10, 20, 30, 40, 5]);
  });

  test("more kernels than one submit takes", async () => {
    let x = engine.zeros([3]);
    for (let i = 0; i < 1000; i++) x = engine.scope(() => add(x, new Scalar(1)));
    expect([...(await x.data())]).toEqual([1000, 1000, 1000]);
  });

  test("messages", async () => {
    const x = engine.ones([2, 3]);
    expect(() => engine.tensor([1, 2, 3], [2])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got 3 values for shape [2], expected 2]`,
    );
    expect(() => engine.tensor([], [0])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got shape [0], expected whole lengths of at least 1]`,
    );
    expect(() => engine.empty([2, Number.NaN])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: empty: got shape [2,NaN], expected whole lengths of at least 1]`,
    );
    expect(() => engine.zeros([2, -1])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: full: got shape [2,-1], expected whole lengths of at least 1]`,
    );
    expect(() => x.write(new Float32Array(5))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: write: got 5 values for a tensor [2,3], expected 6]`,
    );
    expect(() => x.write(new Int32Array(6))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: write: got i32 for a tensor of f32]`,
    );
    expect(() => engine.tensor(Int32Array.of(1), [1], "f32")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got i32 values, expected f32]`,
    );
    expect(() => engine.tensor(Float64Array.of(1) as never)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got a Float64Array, expected a Float32Array, Int32Array or Uint32Array]`,
    );
    const odd = (data: unknown, dtype?: "i32" | "u32") => () =>
      engine.tensor(data as number[], undefined, dtype);
    expect(
      odd([
        [1, 2],
        [3, 4],
      ]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got an array of arrays, expected numbers in one array; flatten it and give the shape]`,
    );
    expect(odd(5)).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got 5, expected an array of numbers, such as [1, 2]]`,
    );
    expect(odd([1, undefined])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got undefined at place 1, expected a number]`,
    );
    expect(odd(["1"])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got "1" at place 0, expected a number]`,
    );
    expect(odd([0, 3e9], "i32")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got 3000000000 at place 1, expected a whole number that i32 holds]`,
    );
    expect(odd([-1], "u32")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got -1 at place 0, expected a whole number that u32 holds]`,
    );
    expect(() => engine.full([2], 0.5, "i32")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: tensor: got 0.5 at place 0, expected a whole number that i32 holds]`,
    );
    expect(() => engine.copy(x, engine.ones([5]))).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: copy: got [2,3] into [5], expected equal sizes]`,
    );
    await expect(x.item()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[UsageError: item: got a tensor [2,3], expected one element; use data()]`,
    );
  });
});

describe("prepare", () => {
  test("compiles what a step needs, and runs and holds nothing", async () => {
    const x = engine.full([2, 3, 4, 4], 2);
    const w = engine.variable(new Float32Array(27), [1, 3, 3, 3]);
    const { live } = engine.memory();
    const { dispatches } = engine.stream;
    const progress: number[] = [];
    const step = () => engine.scope(() => sum(silu(instanceNorm(conv2d(x, w)))));
    await engine.prepare(step, { onProgress: (done, total) => progress.push(done / total) });
    expect(engine.stream.dispatches).toBe(dispatches);
    expect(engine.memory().live).toBe(live);
    if (progress.length > 0) expect(progress.at(-1)).toBe(1);
    const { compiled } = engine.programs;
    const y = step();
    expect(engine.programs.compiled).toBe(compiled);
    expect(await y.item()).toBe(0);
    for (const t of [x, w, y]) t.dispose();
  });
});

describe("finding faults", () => {
  test("NaN goes through to the result, and its origin is named with the modules around it", async () => {
    const x = engine.tensor([1, -1]);
    const step = () => {
      engine.path.push("net", "head");
      const y = mul(log(add(x, 0.5)), 2);
      engine.path.length -= 2;
      return add(y, 1);
    };
    const y = engine.scope(step);
    expect([...(await y.data())].map(Number.isNaN)).toEqual([false, true]);
    expect(await findNonFinite(engine, step)).toMatchObject({ op: "log", path: "net.head", index: 1 });
    expect(await findNonFinite(engine, () => add(x, 1))).toBeUndefined();
    for (const t of [x, y]) t.dispose();
  });

  test.runIf(engine.device.features.has("shader-f16"))("of halves that overflow too", async () => {
    const x = engine.full([1, 2, 2, 2], 300);
    const step = () => engine.autocast(() => mul(mul(mul(x, 100), 100), 0));
    expect(await findNonFinite(engine, step)).toMatchObject({ op: "mul_scalar", index: 1 });
    x.dispose();
  });

  test("a step or an oracle that fails leaves no copies behind", async () => {
    const x = engine.ones([5]);
    const { live } = engine.memory();
    const failing = defineOp<object>({
      name: "failing",
      forward: (_, [t]) => mul(t!, 2),
      vjp: "none",
      oracle: () => {
        throw new Error("no oracle");
      },
    });
    await expect(verify(engine, () => failing(engine, [add(x, 1)], {}))).rejects.toThrow("no oracle");
    const step = () => {
      add(x, 1);
      throw new Error("no step");
    };
    await expect(verify(engine, step)).rejects.toThrow("no step");
    await expect(findNonFinite(engine, step)).rejects.toThrow("no step");
    expect(engine.memory().live).toBe(live);
    x.dispose();
  });

  test("verify finds all well, or names the op that departs from its oracle", async () => {
    const x = upload(normal([2, 3, 4, 4], 1));
    const w = upload(normal([2, 3, 3, 3], 2));
    const good = await verify(engine, () => sum(silu(instanceNorm(conv2d(x, w)))));
    expect(good).toMatchObject({ ops: 4, departed: undefined });
    expect(good.worst!.error).toBeLessThan(1e-5);

    const wrong = defineOp<object>({
      name: "twice",
      forward: (e, [t]) => {
        const y = e.empty(t!.shape);
        e.launchLinear(unary, { op: "square", vecs: 1 }, { x: t!, y }, { a: 0 }, t!.size);
        return y;
      },
      vjp: "none",
      oracle: ([t]) => ({ shape: t!.shape, data: t!.data.map((v) => 2 * v) }),
    });
    const bad = await verify(engine, () => sum(wrong(engine, [silu(x)], {})));
    expect(bad.departed).toMatchObject({ op: "twice", index: 1, shapes: "[2,3,4,4]" });
    for (const t of [x, w]) t.dispose();
  });

  test("verify measures a sum that cancels by what it sums up", async () => {
    const { data } = normal([500], 1);
    const x = upload({ shape: [1001], data: Float64Array.from([...data, 1e-6, ...data.map((v) => -v)]) });
    const { departed, worst } = await verify(engine, () => sum(x));
    expect(departed).toBeUndefined();
    expect(worst!.error).toBeLessThan(1e-5);
    x.dispose();
  });
});

test("a wait for a software driver leaves it the processor", async () => {
  const a = engine.ones([512, 512]);
  await engine.sync();
  const nap = vi.spyOn(Atomics, "wait");
  const y = matmul(a, a); // milliseconds at least
  await engine.sync();
  const naps = nap.mock.calls.length;
  nap.mockRestore();
  expect(naps > 0).toBe(engine.hardware.kind === "cpu");
  for (const t of [a, y]) t.dispose();
});
