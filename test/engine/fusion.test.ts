import { describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import type { Block } from "../../engine/buffers.ts";
import type { Engine } from "../../engine/engine.ts";
import { Releases, usesOf } from "../../engine/lifetimes.ts";
import { add, dropout, elu, mul, neg, reshape, silu, sub, sum, tanh } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Command } from "../../engine/stream.ts";
import type { HostData, Tensor } from "../../engine/tensor.ts";
import { linearUpdate } from "../../engine/updates.ts";
import { source } from "../../kernels/kernel.ts";
import { defineLanewise } from "../../kernels/lanewise.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { plain } from "../support/plain.ts";

/** Samples of a multiple of four elements, which draws share with their neighbours, and others. */
const SHAPES = [
  [2, 3, 5, 7],
  [3, 4, 2, 5],
];
const STATES = 3;
const REPLAYS = 3;

/** Whole numbers below `n`, the same for a seed. */
function numbers(seed: number): (n: number) => number {
  let state = (seed * 0x9e3779b9) >>> 0;
  return (n) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * n);
  };
}

/** Ops on tensors out of a growing list, by place; copies into states that outlive the step; values given up early. */
function randomStep(seed: number, states: readonly Tensor[], s: Scalar, count: Scalar): Tensor[] {
  const below = numbers(seed);
  const device = states[0]!.engine;
  const alive = [...states];
  const made: Tensor[] = [];
  const any = () => alive[below(alive.length)]!;
  const ops: (() => Tensor)[] = [
    () => add(any(), any()),
    () => sub(any(), any()),
    () => mul(any(), 0.5),
    () => mul(any(), s),
    () => neg(any()),
    () => silu(any()),
    () => elu(any()),
    () => add(tanh(any()), any()),
    () => device.scope(() => sub(mul(any(), any()), any())),
    () => dropout(any(), 0.3, { seed, purpose: "dropout", site: made.length, step: count }),
    () => randn(device, states[0]!.shape, { seed, purpose: "user", sampleOffset: made.length }, { scale: 3 }),
    () => {
      const x = states[below(STATES)]!;
      const coefficients = { keep: 0.9, pull: s, noise: 0.1 };
      const draw = { seed, purpose: "sampler", site: made.length, step: count } as const;
      linearUpdate(x, any(), coefficients, below(3) > 0 ? draw : undefined);
      return neg(x);
    },
    () => {
      const x = states[below(STATES)]!;
      const samples = x.size % 8 === 0 ? x.size / 8 : 1; // others than the states', and so are those of its draws
      const view = reshape(x, [samples, x.size / samples]);
      const draw = { seed, purpose: "sampler", site: made.length, sampleOffset: count } as const;
      linearUpdate(view, reshape(any(), view.shape), { keep: s, pull: 0.3, noise: s }, draw);
      return mul(x, 1);
    },
    () => {
      const x = states[0]!; // as one sample, drawn past its end where that is no multiple of four
      return reshape(randn(device, [1, x.size], { seed, purpose: "user", site: made.length }), x.shape);
    },
    () => add(any(), mul(sum(any()), 1e-3)), // a sum ends a run
  ];
  for (let k = 0, length = 5 + below(24); k < length; k++) {
    const y = ops[below(ops.length - (below(4) === 0 ? 0 : 1))]!();
    alive.push(y);
    made.push(y);
    if (below(3) === 0 && made.length > 2) {
      const [gone] = made.splice(below(made.length), 1);
      alive.splice(alive.indexOf(gone!), 1);
      device.untrack(gone!).dispose();
    }
    if (below(8) === 0) device.copy(tanh(any()), states[below(STATES)]!);
  }
  return made.filter(() => below(4) === 0);
}

/** What steps in a row leave in the states, and what each returns. */
async function values(
  device: Engine,
  seed: number,
  { shape, captured, autocast }: { shape: readonly number[]; captured: boolean; autocast: boolean },
): Promise<HostData[]> {
  const states = Array.from({ length: STATES }, (_, i) =>
    device.untrack(device.tensor(Float32Array.from(normal(shape, seed + i).data), shape)),
  );
  const s = new Scalar(0);
  const count = new Scalar(0);
  const step = () => device.noGrad(() => device.autocast(() => randomStep(seed, states, s, count), autocast));
  const out: HostData[] = [];
  let capture: ReturnType<typeof device.capture<Tensor[]>> | undefined;
  for (let i = 0; i <= REPLAYS + (captured ? 0 : 2); i++) {
    s.value = 1 / (i + 2);
    count.value = i;
    if (captured && capture) capture.replay();
    else if (captured) capture = device.capture(step);
    const results = capture?.result ?? device.scope(step);
    if (i <= REPLAYS) out.push(...(await device.readAll([...results, ...states])));
    if (!captured) for (const t of results) t.dispose();
  }
  capture?.dispose();
  for (const t of states) t.dispose();
  return out;
}

const bits = (all: readonly HostData[]) =>
  all.map((v) => [...new Uint8Array(v.buffer, v.byteOffset, v.byteLength)].join());

const seeds = [1, 2, 3];

describe.each([false, true].flatMap((autocast) => SHAPES.map((shape) => ({ autocast, shape }))))(
  "random programs, f16 $autocast, [$shape]",
  ({ autocast, shape }) => {
    test.each(seeds)("compute bit for bit what they do op by op, recorded and eager (%i)", async (seed) => {
      const apart = bits(await values(engine, seed, { shape, captured: false, autocast }));
      expect(bits(await values(plain, seed, { shape, captured: true, autocast }))).toEqual(apart);
      expect(bits(await values(plain, seed, { shape, captured: false, autocast }))).toEqual(apart);
    });
  },
);

const wgslOf = ({ program }: Command) => source(program.kernel, program.variant, program.halves);

describe("a recorded chain", () => {
  test("of a thousand sums is four kernels, each with three arrays", async () => {
    const [x, d] = [plain.tensor([1, 2, 3]), plain.tensor([1, 10, 100])];
    const capture = plain.capture(() => {
      let y = x;
      for (let i = 0; i < 1000; i++) y = add(y, d);
      return y;
    });
    expect(capture.commands.map(({ ranges }) => ranges.length)).toEqual(Array(4).fill(3));
    capture.replay();
    expect([...(await capture.result.data())]).toEqual([1001, 10002, 100003]);
    capture.dispose();
    for (const t of [x, d]) t.dispose();
  });

  test("writes what the step returns, what a graph saved, and nothing else", async () => {
    const x = plain.variable([0.5, -0.25, 0.125]);
    const capture = plain.capture(() => {
      const a = mul(x, 3); // for nobody
      const b = tanh(a); // saved for its gradient
      return [sum(mul(b, 2)), neg(a.detach())] as const;
    });
    const [chain] = capture.commands;
    expect(wgslOf(chain!).match(/read_write/g)).toHaveLength(3); // b, 2 b for the sum, and -a
    capture.replay();
    const [dx] = grad(capture.result[0], [x]);
    const truth = [0.5, -0.25, 0.125].map((v) => 6 * (1 - Math.tanh(3 * v) ** 2));
    for (const [i, v] of (await dx!.data()).entries()) expect(v).toBeCloseTo(truth[i]!, 6);
    expect([...(await capture.result[1].data())]).toEqual([-1.5, 0.75, -0.375]);
    capture.dispose();
    for (const t of [x, dx!]) t.dispose();
  });

  test("computes as often as it was asked to what nobody reads", () => {
    const x = plain.tensor([1, 2, 3]);
    const capture = plain.capture(() => {
      for (let i = 0; i < 3; i++) plain.scope(() => void silu(x)); // in one piece of memory
    });
    expect(capture.commands.map((c) => wgslOf(c).match(/read_write/g)?.length)).toEqual([1, 1, 1]);
    capture.dispose();
    x.dispose();
  });

  test("of updates with their scores, draws inside, is one kernel with the chain alone in memory", async () => {
    const host = Float32Array.from(normal([4, 3, 4, 4], 1).data);
    const count = new Scalar(0);
    const made = (device: Engine) => {
      const x = device.tensor(host, [4, 3, 4, 4]);
      const step = () => {
        for (let site = 0; site < 4; site++)
          device.scope(() =>
            linearUpdate(
              x,
              neg(x),
              { keep: 1, pull: 0.1, noise: 0.4 },
              { seed: 1, purpose: "sampler", step: count, site },
            ),
          );
      };
      return { x, step };
    };
    const [one, apart] = [made(plain), made(engine)];
    const capture = plain.capture(one.step);
    expect(capture.commands.map(({ program }) => program.kernel.name)).toEqual(["fused_8"]);
    expect(wgslOf(capture.commands[0]!).match(/var<storage/g)).toHaveLength(1);
    engine.scope(apart.step);
    count.value = 1;
    capture.replay();
    engine.scope(apart.step);
    expect([...(await one.x.data())]).toEqual([...(await apart.x.data())]);
    expect(await one.x.data()).not.toEqual(host);
    capture.dispose();
    for (const { x } of [one, apart]) x.dispose();
  });

  test("rounds to f16 what is stored so, in registers too", async () => {
    const host = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i) * 4 ** ((i % 16) - 8));
    const x = plain.tensor(host, [1, 1, 8, 8]);
    const capture = plain.capture(() =>
      plain.noGrad(() => plain.autocast(() => mul(mul(x, Math.fround(1 / 3)), 3))),
    );
    expect(capture.commands.length).toBe(1);
    capture.replay();
    const truth = host.map((v) => f16(3 * f16(Math.fround(v * Math.fround(1 / 3)))));
    const found = capture.result.dtype === "f16" ? await plain.read(capture.result) : undefined;
    expect([...(found as Float32Array)]).toEqual([...truth]);
    capture.dispose();
    x.dispose();
  });

  test("keeps apart elements of two sizes in one piece of memory", async () => {
    const host = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const x = plain.tensor(host, [1, 1, 8, 8]);
    const capture = plain.capture(() =>
      plain.noGrad(() => {
        const half = plain.autocast(() => mul(x, 3));
        plain.untrack(half).dispose();
        return neg(mul(x, 3)); // where half was
      }),
    );
    capture.replay();
    expect([...(await capture.result.data())]).toEqual([...host.map((v) => -Math.fround(3 * v))]);
    capture.dispose();
    x.dispose();
  });
});

/** The nearest f16, ties to even. */
function f16(v: number): number {
  const step = 2 ** Math.max(-24, Math.floor(Math.log2(Math.abs(v))) - 10);
  const [low, rest] = [Math.floor(v / step), v / step - Math.floor(v / step)];
  return v === 0 ? v : step * (rest > 0.5 || (rest === 0.5 && low % 2 !== 0) ? low + 1 : low);
}

test("kernels of one name are told apart", async () => {
  const kernel = (expression: string) =>
    defineLanewise({
      name: "namesake",
      inputs: ["x"],
      output: "y",
      params: {},
      lib: () => [],
      expression: () => expression,
      variants: [{ vecs: 1 }],
      flops: 1,
    });
  const [twice, squared] = ["x * 2.0", "x * x"].map(kernel);
  const x = plain.tensor([3, 5]);
  const launch = (k: typeof twice, t: Tensor): Tensor => {
    const y = plain.empty(t.shape);
    plain.launch(k!, { vecs: 1 }, { x: t, y }, { count: t.size });
    return y;
  };
  for (const [k, expected] of [
    [twice, [-6, -10]],
    [squared, [-9, -25]],
  ] as const) {
    const step = plain.capture(() => neg(launch(k, x)));
    step.replay();
    expect(step.commands).toHaveLength(1);
    expect([...(await step.result.data())]).toEqual(expected);
    step.dispose();
  }
  x.dispose();
});

test("uses are counted until an array is released, and only then", () => {
  const [a, b] = [0, 1].map((id) => ({ id }) as Block);
  const command = (...blocks: Block[]) =>
    ({ ranges: blocks.map((block) => ({ block, offset: 0, size: 4 })) }) as unknown as Command;
  const commands = [command(b!, a!), command(a!, a!, b!), command(b!, a!), command(a!, b!)];
  const releases = new Releases();
  releases.add(a!, 2); // taken again by the third command, and kept
  const uses = usesOf(commands, releases);
  expect(commands.map((c) => uses.get(c))).toEqual([1, undefined, undefined, undefined]);
});
