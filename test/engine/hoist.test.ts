/** What a captured step makes of constants, taken out of it: the same numbers, whatever is written between replays. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { Engine } from "../../engine/engine.ts";
import {
  add,
  attention,
  conv2d,
  div,
  matmul,
  mul,
  scale,
  silu,
  softmax,
  square,
  sub,
  sum,
} from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { engine } from "../support/engine.ts";
import { plain } from "../support/plain.ts";
import { check, seed } from "../support/property.ts";

const normal = (device: Engine, shape: number[], seed: number): Tensor =>
  device.untrack(randn(device, shape, { seed, purpose: "user" }));

const values = async (t: Tensor): Promise<number[]> => [...(await t.data())];

/** Dispatches that `fn` sends. */
function sent(device: Engine, fn: () => void): number {
  device.stream.flush();
  const before = device.stream.dispatches;
  fn();
  device.stream.flush();
  return device.stream.dispatches - before;
}

test.each(["poisoned", "plain"])(
  "a command that writes two arrays, one of them in place, runs once (%s)",
  async (which) => {
    const device = which === "plain" ? plain : engine;
    const [q, k, v] = [1, 2, 3].map((seed) => normal(device, [2, 6, 4], seed)) as [Tensor, Tensor, Tensor];
    const x = normal(device, [2, 6, 4], 4);
    const step = () => device.noGrad(() => add(x, attention(q, k, v)));
    const capture = device.capture(step, { hoist: true });
    const left = which === "plain" ? 1 : 2; // the addition, and the poison of its result
    expect(capture.commands.length).toBe(left);
    for (const changed of [x, q, v]) {
      for (let i = 0; i < 2; i++) capture.replay();
      const eager = step();
      expect(await values(capture.result)).toEqual(await values(eager));
      eager.dispose();
      device.copy(scale(changed, 2), changed);
    }
    capture.dispose();
    for (const t of [q, k, v, x]) t.dispose();
  },
);

describe("a score of two convolutions, with a chain that it moves", () => {
  const make = (device: Engine, channels = 4) => {
    const [v, w] = [normal(device, [channels, 2, 3, 3], 1), normal(device, [2, channels, 3, 3], 2)];
    const x = normal(device, [2, 2, 8, 8], 3);
    const rate = new Scalar(0.01);
    const step = () =>
      device.noGrad(() => {
        const s = conv2d(silu(conv2d(x, v, undefined, { padding: 1 })), w, undefined, { padding: 1 });
        device.copy(add(x, mul(s, rate)), x);
      });
    return { v, w, x, rate, step };
  };

  test.each(["poisoned", "plain"])("takes the steps that it took (%s)", async (which) => {
    const device = which === "plain" ? plain : engine;
    const before = device.memory().live;
    const run = async (hoist: boolean) => {
      const { v, w, x, rate, step } = make(device);
      const states: number[][] = [];
      const capture = device.capture(step, { hoist });
      const halve = device.capture(() => device.copy(scale(w, 0.5), w));
      const between = [
        () => void v.write(Float32Array.from({ length: v.size }, (_, i) => Math.sin(i))),
        () => {
          rate.value = 0.02;
        },
        () => device.scope(() => device.copy(scale(w, -1), w)),
        () => halve.replay(),
        () => void x.write(new Float32Array(x.size).fill(0.5)),
        () => {},
      ];
      for (const change of between) {
        change();
        capture.replay();
        states.push(await values(x));
      }
      for (const c of [capture, halve]) c.dispose();
      for (const t of [v, w, x]) t.dispose();
      return states;
    };
    expect(await run(true)).toEqual(await run(false));
    expect(device.memory().live, "bytes in use afterwards").toBe(before);
  });

  test("packs weights once, and again after they were written", () => {
    const { v, w, x, step } = make(plain);
    const whole = plain.capture(step);
    const capture = plain.capture(step, { hoist: true });
    const replay = () => sent(plain, () => capture.replay());
    const all = sent(plain, () => whole.replay());
    expect(replay()).toBe(all);
    const rest = replay();
    expect(rest).toBe(all - 2);
    expect(rest).toBe(capture.commands.length);
    w.write(new Float32Array(w.size));
    expect(replay(), "one of two weights written").toBe(rest + 1);
    expect(replay()).toBe(rest);
    for (const c of [whole, capture]) c.dispose();
    for (const t of [v, w, x]) t.dispose();
  });

  test.each(["poisoned", "plain"])(
    "keeps both packs that one launch makes for a gradient (%s)",
    async (which) => {
      const device = which === "plain" ? plain : engine;
      const run = async (hoist: boolean) => {
        const w = device.asVariable(normal(device, [2, 2, 3, 3], 1));
        const x = normal(device, [1, 2, 8, 8], 2);
        const step = () => {
          const z = device.asVariable(x.detach());
          const [g] = grad(sum(square(conv2d(z, w, undefined, { padding: 1 }))), [z]);
          device.copy(scale(g!, 0.01), x);
        };
        const capture = device.capture(step, { hoist });
        const states: number[][] = [];
        for (const at of [1, 2, 3]) {
          capture.replay();
          states.push(await values(x));
          if (at === 2) w.write(Float32Array.from({ length: w.size }, (_, i) => Math.sin(i)));
        }
        const packs = capture.commands.filter((c) =>
          /pack|winograd_weight/.test(c.program.kernel.name),
        ).length;
        capture.dispose();
        for (const t of [w, x]) t.dispose();
        return { states, packs };
      };
      const [whole, hoisted] = [await run(false), await run(true)];
      expect([whole.packs, hoisted.packs]).toEqual([1, 0]);
      expect(hoisted.states).toEqual(whole.states);
    },
  );

  test("keeps what an eighth of the budget holds, the smallest first", async () => {
    const poor = await Engine.create({ quiet: true, memoryBudget: 2 ** 16 });
    const rest = (channels: number) => {
      const { step } = make(poor, channels);
      return poor.capture(step, { hoist: true }).commands.length - poor.capture(step).commands.length;
    };
    expect(rest(4), "packs of 4 channels").toBe(-2);
    expect(rest(40), "of 40: one").toBe(-1);
    poor.destroy();
  });
});

/** Commands that replays are spared of a step that moves x by what it makes of a constant and of x, and may return another. */
function spared(step: (c: Tensor, x: Tensor) => { to: Tensor; result?: Tensor }, inputs = false): number {
  const [c, x] = [normal(plain, [4, 4], 1), normal(plain, [4, 4], 2)];
  const run = () => {
    const { to, result } = step(c, x);
    plain.copy(to, x);
    return result;
  };
  const captures = [plain.capture(run), plain.capture(run, { hoist: true, inputs: inputs ? [c] : [] })];
  const [whole, rest] = captures.map((capture) => capture.commands.length);
  for (const capture of captures) capture.dispose();
  for (const t of [c, x]) t.dispose();
  return whole! - rest!;
}

describe("what moves out", () => {
  const total = (t: Tensor) => sum(t, { axis: 0, keepDims: true });

  test("is made of constants, in however many steps", () => {
    expect(spared((c, x) => ({ to: add(x, total(c)) }))).toBe(1);
    expect(spared((c, x) => ({ to: add(x, softmax(total(softmax(c)))) }))).toBe(3);
  });

  test("is not what the step, a Scalar or the host changes, nor what is returned", () => {
    const s = new Scalar(2);
    expect(spared((_, x) => ({ to: add(x, total(x)) }))).toBe(0);
    expect(spared((c, x) => ({ to: add(x, total(scale(c, s))) }))).toBe(0);
    expect(spared((c, x) => ({ to: add(x, total(c)) }), true)).toBe(0);
    expect(spared((c, x) => ({ to: scale(x, 0.5), result: total(c) }))).toBe(0);
  });

  test("comes about once, however often it is asked for", () => {
    const [c, x] = [normal(plain, [4, 4], 1), normal(plain, [4, 4], 2)];
    const step = () => {
      for (let i = 0; i < 3; i++) plain.scope(() => plain.copy(add(softmax(x), total(c)), x));
    };
    const [whole, capture] = [plain.capture(step), plain.capture(step, { hoist: true })];
    const [all, first, later] = [whole, capture, capture].map((k) => sent(plain, () => k.replay()));
    expect([first, later]).toEqual([all! - 2, all! - 3]);
    for (const k of [whole, capture]) k.dispose();
    for (const t of [c, x]) t.dispose();
  });

  test("0 and -0 are two numbers", async () => {
    const c = plain.untrack(plain.tensor([1]));
    const capture = plain.capture(() => [0, -0].map((zero) => div(c, mul(c, zero))), { hoist: true });
    capture.replay();
    const quotients = (await plain.readAll(capture.result)).map((q) => q[0]);
    expect(quotients).toEqual([Infinity, -Infinity]);
    capture.dispose();
    c.dispose();
  });
});

test("whatever is computed of whatever, and written in between", async () => {
  const ops = [
    (a: Tensor, b: Tensor) => add(a, b),
    (a: Tensor, b: Tensor) => sub(a, b),
    (a: Tensor, b: Tensor) => matmul(scale(a, 0.1), b),
    (a: Tensor) => silu(a),
    (a: Tensor) => mul(a, 0.5),
    (a: Tensor) => sub(a, sum(scale(square(a), 0.01), { axis: 0, keepDims: true })),
  ];
  const place = fc.nat({ max: 100 });
  const instruction = fc.record({
    op: fc.nat({ max: ops.length - 1 }),
    a: place,
    b: place,
    into: fc.nat({ max: 9 }),
  });
  const program = fc.record({
    instructions: fc.array(instruction, { minLength: 1, maxLength: 12 }),
    /** Which tensor is written before each replay, if any. */
    writes: fc.array(fc.nat({ max: 4 }), { minLength: 2, maxLength: 5 }),
    seed,
  });
  await check(
    program,
    async ({ instructions, writes, seed }) => {
      const run = async (hoist: boolean) => {
        const outer = [0, 1, 2].map((i) => normal(engine, [3, 3], seed + i));
        const step = () => {
          const made = [...outer];
          for (const { op, a, b, into } of instructions) {
            const y = ops[op]!(made[a % made.length]!, made[b % made.length]!);
            const old = made[into];
            if (old && y.storage !== old.storage) engine.copy(y, old);
            else made.push(y);
          }
          return made.at(-1)!.storage === outer[2]!.storage ? undefined : made.at(-1)!;
        };
        const capture = engine.capture(step, { hoist });
        const states: number[][] = [];
        for (const [i, at] of writes.entries()) {
          outer[at]?.write(Float32Array.from({ length: 9 }, (_, k) => Math.cos(9 * i + k)));
          capture.replay();
          const seen = capture.result && !outer.includes(capture.result) ? [...outer, capture.result] : outer;
          states.push((await engine.readAll(seen)).flatMap((data) => [...data]));
        }
        capture.dispose();
        for (const t of outer) t.dispose();
        return states;
      };
      expect(await run(true)).toEqual(await run(false));
    },
    40,
  );
});
