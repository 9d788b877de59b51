import { describe, expect, test } from "vitest";
import { Adam } from "../../engine/optim/adam.ts";
import { clipGradients } from "../../engine/optim/clip.ts";
import { Ema } from "../../engine/optim/ema.ts";
import { Sgd } from "../../engine/optim/sgd.ts";
import { type Array64, map, zeros } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { adam, sgd, tensorsOfStep } from "../../kernels/adam.ts";
import { range } from "../../kernels/kernel.ts";
import { fromHost, upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { choosingFor, engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const SIZE = 4101;
const STEPS = 20;
const gradient = (step: number) => map(normal([SIZE], 100 + step), (g) => Math.fround(g * (1 + 0.1 * step)));

/** What a run leaves, by name. */
async function read(tensors: Record<string, Tensor>): Promise<Record<string, Array64>> {
  const names = Object.keys(tensors);
  const host = await engine.readAll(Object.values(tensors));
  for (const t of Object.values(tensors)) t.dispose();
  return Object.fromEntries(names.map((name, i) => [name, fromHost(host[i]!, [SIZE])]));
}

const near = (got: Record<string, Array64>, expected: Record<string, Array64 | null>) => {
  for (const [name, value] of Object.entries(expected))
    if (value) expectNear(got[name]!.data, value, { terms: STEPS }, name);
};

describe("the kernels over 20 steps", () => {
  test.each(adam.variants)("adam, ema $ema, clip $clip, $vecs vec4s", async (variant) => {
    const attrs = {
      lr: 0.01,
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-6,
      weightDecay: 0.02,
      emaDecay: 0.9999,
      clipScale: variant.clip ? 0.4 : 1,
    };
    let state: oracle.AdamState = {
      param: normal([SIZE], 1),
      m: zeros([SIZE]),
      v: zeros([SIZE]),
      ema: normal([SIZE], 2),
    };
    const t = { param: upload(state.param), m: upload(state.m), v: upload(state.v), ema: upload(state.ema!) };
    const clip = engine.tensor([0.4]);
    for (let step = 1; step <= STEPS; step++) {
      const grad = gradient(step);
      state = oracle.adam({ ...state, grad }, { ...attrs, step });
      const g = upload(grad);
      const { beta1, beta2, eps, weightDecay, lr } = attrs;
      const params = {
        ...{ count: SIZE, beta1, beta2, eps, weightDecay },
        gain1: 1 - beta1,
        gain2: 1 - beta2,
        emaGain: 1 - attrs.emaDecay,
        rate: lr / (1 - beta1 ** step),
        rootScale: 1 / Math.sqrt(1 - beta2 ** step),
      };
      engine.launch(adam, variant, { ...t, grad: g, clip }, params);
      g.dispose();
    }
    clip.dispose();
    near(await read(t), { ...state, ema: variant.ema ? state.ema : normal([SIZE], 2) });
  });

  test.each(sgd.variants)("sgd, ema $ema, clip $clip, $vecs vec4s", async (variant) => {
    const [lr, momentum, weightDecay, emaDecay] = [0.01, 0.9, 0.02, 0.9];
    let state: oracle.SgdState = { param: normal([SIZE], 1), buffer: zeros([SIZE]) };
    let shadow = normal([SIZE], 2);
    const t = { param: upload(state.param), m: upload(state.buffer), ema: upload(shadow) };
    const clip = engine.tensor([0.4]);
    for (let step = 1; step <= STEPS; step++) {
      const grad = gradient(step);
      state = oracle.sgd(
        { ...state, grad: map(grad, (g) => (variant.clip ? 0.4 : 1) * g) },
        { lr, momentum, weightDecay },
      );
      if (variant.ema) shadow = map(shadow, (s, i) => s - (1 - emaDecay) * (s - state.param.data[i]!));
      const g = upload(grad);
      engine.launch(
        sgd,
        variant,
        { ...t, grad: g, clip },
        { count: SIZE, rate: lr, momentum, weightDecay, emaGain: 1 - emaDecay },
      );
      g.dispose();
    }
    clip.dispose();
    near(await read(t), { param: state.param, m: state.buffer, ema: shadow });
  });

  test.each([adam, sgd] as const)("a negative factor leaves everything as it is", async (kernel) => {
    const before = normal([SIZE], 1);
    const t = { param: upload(before), m: upload(before), v: upload(before), ema: upload(before) };
    const [grad, clip] = [upload(map(before, () => Number.NaN)), engine.tensor([-1])];
    const names = Object.keys(kernel.params).filter((name) => name !== "count");
    const params = { count: SIZE, ...Object.fromEntries(names.map((name) => [name, 0.5])) };
    engine.launch(
      kernel as typeof adam,
      { ema: true, clip: true, vecs: 1 },
      { ...t, grad, clip },
      params as never,
    );
    for (const value of Object.values(await read(t))) expect(value.data).toEqual(before.data);
    for (const x of [grad, clip]) x.dispose();
  });
});

describe("the optimizers", () => {
  const make = () => {
    const params = new Map([
      ["w", engine.asVariable(upload(normal([SIZE], 1)))],
      ["b", engine.asVariable(upload(normal([3], 2)))],
    ]);
    const grads = () => [upload(gradient(1)), upload(normal([3], 7))];
    return { params, grads };
  };

  test("Adam with warmup and a running average is the oracle's, capture or not", async () => {
    const options = { lr: 0.02, beta1: 0.5, weightDecay: 0.1, warmup: 5, emaDecay: 0.99 };
    const results = [];
    for (const captured of [false, true]) {
      const { params, grads } = make();
      const adam = new Adam(params, options);
      const g = grads();
      let capture: ReturnType<typeof engine.capture<void>> | undefined;
      for (let step = 0; step < STEPS; step++) {
        adam.advance();
        if (!captured) adam.apply(g);
        else if (!capture) capture = engine.capture(() => adam.apply(g));
        else capture.replay();
      }
      results.push(await engine.readAll([params.get("w")!, adam.tensors().get("ema.w")!]));
      expect(adam.state).toEqual({ steps: STEPS, emaUpdates: STEPS });
      capture?.dispose();
      adam.dispose();
      for (const t of [...g, ...params.values()]) t.dispose();
    }
    expect(results[1]).toEqual(results[0]);

    let state: oracle.AdamState = {
      param: normal([SIZE], 1),
      m: zeros([SIZE]),
      v: zeros([SIZE]),
      ema: normal([SIZE], 1),
    };
    for (let n = 1; n <= STEPS; n++) {
      const lr = 0.02 * Math.min((n - 1) / 5, 1);
      const emaDecay = Math.min(0.99, (1 + n) / (10 + n));
      const attrs = {
        lr,
        beta1: 0.5,
        beta2: 0.999,
        eps: 1e-8,
        weightDecay: 0.1,
        step: n,
        emaDecay,
        clipScale: 1,
      };
      state = oracle.adam({ ...state, grad: gradient(1) }, attrs);
    }
    const [w, ema] = results[0]!;
    expectNear(w!, state.param, { terms: STEPS });
    expectNear(ema!, state.ema!, { terms: STEPS });
  });

  type Of = (params: ReadonlyMap<string, Tensor>) => Adam | Sgd;
  const averaging: Of = (params) => new Adam(params, { lr: 0.02, emaDecay: 0.9 });
  const together: readonly (readonly [n: number, name: string, buffers: number, clips: boolean, of: Of])[] = [
    [2, "Adam", 8, false, (params) => new Adam(params, { lr: 0.02, weightDecay: 0.1 })],
    [2, "Sgd", 7, true, (params) => new Sgd(params, { lr: 0.02, momentum: 0.8 })],
    [2, "Adam with an average", 11, true, averaging],
    [3, "Adam with an average", 16, true, averaging],
    [5, "Sgd", 16, true, (params) => new Sgd(params, { lr: 0.02, weightDecay: 0.1 })],
  ];
  const { maxStorageBuffersPerShaderStage } = engine.device.limits;

  const bound = together.filter(([, , buffers]) => buffers <= maxStorageBuffersPerShaderStage);
  test.each(bound.flatMap((row) => [["cpu", ...row] as const, ["gpu", ...row] as const]))(
    "on a %s %d tensors a launch for %s, of %d arrays, clipped %s, move as one after the other",
    async (kind, n, _, maxStorageBuffers, clips, of) => {
      const sizes = [SIZE, 3, 1025, 1, 40];
      const run = async (hardware: { kind: "cpu" | "gpu"; maxStorageBuffers: number }) => {
        const params = new Map(sizes.map((n, i) => [`p${i}`, engine.asVariable(upload(normal([n], i)))]));
        const grads = sizes.map((n, i) => upload(normal([n], 10 + i)));
        const clip = clips ? engine.tensor([0.4]) : undefined;
        const optimizer = of(params);
        const launches: number[] = [];
        const moved = await choosingFor(hardware, async () => {
          optimizer.advance();
          engine.dry(
            () => optimizer.apply(grads, clip),
            ({ program: { variant } }) => launches.push(Number(variant.tensors ?? 1)),
          );
          optimizer.apply(grads, clip);
          return engine.readAll([...params.values(), ...optimizer.tensors().values()]);
        });
        optimizer.dispose();
        for (const t of [...params.values(), ...grads]) t.dispose();
        clip?.dispose();
        return { moved, launches };
      };
      const apart = await run({ kind, maxStorageBuffers: 6 });
      const several = await run({ kind, maxStorageBuffers });
      expect(apart.launches).toEqual([1, 1, 1, 1, 1]);
      // the last with those that are moved already
      expect(several.launches).toEqual(range(Math.ceil(sizes.length / n)).map(() => n));
      for (const [i, values] of several.moved.entries())
        expectNear(values, { shape: [values.length], data: Float64Array.from(apart.moved[i]!) });
    },
  );

  test("a gradient in another parameter's memory goes by itself", async () => {
    const params = new Map(["a", "b"].map((name, i) => [name, engine.asVariable(upload(normal([5], i)))]));
    const optimizer = new Sgd(params, { lr: 1 });
    const [a, b] = [...params.values()] as [Tensor, Tensor];
    const ones = engine.ones([5]);
    using last = a.alias();
    await choosingFor({ kind: "gpu" }, async () => {
      optimizer.advance();
      optimizer.apply([ones, last]); // a - 1, then b less what a is now
      const expected = Float64Array.from(
        (await a.data()) as Float32Array,
        (v, i) => normal([5], 1).data[i]! - v,
      );
      expectNear(await b.data(), { shape: [5], data: expected });
    });
    optimizer.dispose();
    for (const t of [a, b, ones]) t.dispose();
  });

  test.each([
    [8, 5, true, 1],
    [16, 5, true, 3],
    [16, 4, false, 4],
    [64, 3, false, 5],
    [undefined, 3, false, 2],
  ] as const)("of %s arrays, %d of a tensor, clipped %s: %d tensors a launch", (most, arrays, clip, n) => {
    expect(tensorsOfStep({ ...engine.hardware, maxStorageBuffers: most }, arrays, clip)).toBe(n);
  });

  test("Sgd with momentum is the oracle's", async () => {
    const { params, grads } = make();
    const sgd = new Sgd(params, { lr: 0.01, momentum: 0.8 });
    const g = grads();
    let state: oracle.SgdState = { param: normal([SIZE], 1), buffer: zeros([SIZE]) };
    for (let step = 0; step < 5; step++) {
      sgd.advance();
      sgd.apply(g);
      state = oracle.sgd({ ...state, grad: gradient(1) }, { lr: 0.01, momentum: 0.8, weightDecay: 0 });
    }
    expectNear(await params.get("w")!.data(), state.param);
    sgd.dispose();
    for (const t of [...g, ...params.values()]) t.dispose();
  });

  test("clipGradients: factor and joint norm, none above, a mark when they are not finite", async () => {
    const a = engine.tensor([3, 0, 0], [3]);
    const b = engine.tensor(new Float32Array(16).fill(1), [4, 4]); // norm 4
    const results = engine.scope(() => [
      clipGradients([a, b], 1),
      clipGradients([a, b], 10),
      clipGradients([a, b]),
      clipGradients([a, engine.tensor([Number.NaN])]),
      clipGradients([engine.tensor([3e38, 3e38])]),
    ]);
    const [clipped, loose, absent, nan, overflow] = (await engine.readAll(results)).map((v) => [...v]);
    expect(clipped![0]).toBeCloseTo(0.2, 6);
    expect(clipped![1]).toBeCloseTo(5, 5);
    expect(loose![0]).toBe(1);
    expect(absent![0]).toBe(1);
    expect([nan![0], overflow![0]]).toEqual([-1, -1]);
    for (const t of [a, b, ...results]) t.dispose();
  });

  test.each([
    ["Adam", (params: ReadonlyMap<string, Tensor>) => new Adam(params, { lr: 1 })],
    ["Sgd", (params: ReadonlyMap<string, Tensor>) => new Sgd(params, { lr: 1 })],
  ] as const)("%s names gradients that are not its parameters'", (who, of) => {
    const { params, grads } = make();
    const optimizer = of(params);
    const [w, b] = grads() as [Tensor, Tensor];
    expect(() => optimizer.apply([w])).toThrow(
      `${who}: got 1 gradients for 2 parameters, expected one for each, in their order`,
    );
    expect(() => optimizer.apply([b, w])).toThrow(
      `${who}: got gradient [3] for w [${SIZE}], expected its shape; give them in the order of the parameters`,
    );
    using itself = params.get("b")!.alias();
    expect(() => optimizer.apply([w, itself])).toThrow(
      `${who}: got b and its gradient in the same memory, expected two tensors; copy one of them before`,
    );
    optimizer.dispose();
    for (const t of [w, b, ...params.values()]) t.dispose();
  });

  test("one tensor under two names is refused", () => {
    const { params } = make();
    const tied = new Map([...params, ["again", params.get("w")!]]);
    expect(() => new Adam(tied, { lr: 1 })).toThrow(
      "Adam: got w and again in one memory, expected each parameter once; give a shared one under one name",
    );
    for (const t of params.values()) t.dispose();
  });

  test("options out of range", () => {
    const { params } = make();
    expect(() => new Adam(params, { lr: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Adam: got lr 0, expected a positive number]`,
    );
    expect(() => new Adam(params, { lr: 1, beta1: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Adam: got beta1 1, beta2 0.999, eps 1e-8, expected betas in [0, 1) and eps > 0]`,
    );
    expect(() => new Adam(params, { lr: 1, weightDecay: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Adam: got weightDecay -1, expected 0 or more]`,
    );
    expect(() => new Adam(params, { lr: 1, warmup: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Adam: got warmup -1, expected 0 or more steps]`,
    );
    expect(() => new Adam(params, { lr: 1, emaDecay: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Adam: got emaDecay 1, expected a number in [0, 1)]`,
    );
    expect(() => new Sgd(params, { lr: 1, momentum: 1 })).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: Sgd: got momentum 1, expected a number in [0, 1)]`,
    );
    expect(() => clipGradients([])).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: clipGradients: got no gradients, expected at least one]`,
    );
    for (const most of [0, -1, Number.NaN])
      expect(() => clipGradients([...params.values()], most)).toThrow(
        `clipGradients: got maxNorm ${most}, expected a positive number`,
      );
    for (const limit of [1, -0.5, Number.NaN])
      expect(() => new Ema(params, { limit, warmup: true })).toThrow(
        `Ema: got limit ${limit}, expected a number in [0, 1)`,
      );
  });

  test("integers", () => {
    const { params } = make();
    const whole = new Map([...params].map(([name, t]) => [name, engine.ones(t.shape, "i32")]));
    const optimizer = new Adam(params, { lr: 1 });
    for (const use of [
      () => new Adam(whole, { lr: 1 }),
      () => optimizer.apply([...whole.values()]),
      () => clipGradients([...whole.values()]),
    ])
      expect(use).toThrow("got dtype i32, expected f32");
    optimizer.dispose();
    for (const t of [...params.values(), ...whole.values()]) t.dispose();
  });
});

test("the average's decay rises as (1 + n) / (10 + n), or is the limit from the first update on", () => {
  const gains = (warmup: boolean) => {
    const ema = new Ema(new Map(), { limit: 0.25, warmup });
    return Array.from({ length: 4 }, () => {
      ema.advance();
      return ema.gain.value;
    });
  };
  expect(gains(true)).toEqual([1 - 2 / 11, 0.75, 0.75, 0.75]); // 3 / 12 is the limit
  expect(gains(false)).toEqual([0.75, 0.75, 0.75, 0.75]);
});

test("an average by itself follows weights that others move, in a captured step too", async () => {
  using w = engine.variable([1, -2]);
  const params = new Map([["w", w]]);
  const ema = new Ema(params, { limit: 0.75, warmup: false });
  const follow = engine.capture(() => ema.apply(params)); // the first time with a gain of 1: nothing was advanced
  const expected = [1, -2];
  for (const target of [3, 5]) {
    w.write(new Float32Array([target, -target]));
    ema.advance();
    follow.replay();
    expected.forEach((v, i) => {
      expected[i] = 0.75 * v + 0.25 * (i === 0 ? target : -target);
    });
  }
  const [average] = [...ema.shadow.values()];
  expect([...(await average!.data())]).toEqual(expected);
  expect(() => ema.apply(new Map())).toThrow(
    "Ema: got no parameter w, expected those whose averages it keeps",
  );
  follow.dispose();
  average!.dispose();
});

test("parameters that are no map are refused", () => {
  const list = [engine.ones([1])] as unknown as ReadonlyMap<string, Tensor>;
  expect(() => new Sgd(list, { lr: 1 })).toThrow(
    "Sgd: got parameters that are no Map, expected them by name",
  );
});
