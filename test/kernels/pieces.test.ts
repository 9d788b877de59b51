/** Tensors larger than what one binding of the adapter may hold: an adapter of 1 MiB is imitated. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine } from "../../engine/engine.ts";
import { DeviceError } from "../../engine/errors.ts";
import { add, conv2d, matmul, mul, relu, sum } from "../../engine/ops/index.ts";
import { Adam } from "../../engine/optim/adam.ts";
import { zeros } from "../../engine/oracle/array.ts";
import { adam as adamOracle } from "../../engine/oracle/updates.ts";
import { unary } from "../../kernels/unary.ts";
import { normal } from "../support/draw.ts";
import { expectNear } from "../support/near.ts";

const SIZE = 700_001; // 2.67 MiB: three pieces, the last one odd
let small: Engine;
beforeAll(async () => {
  small = await Engine.create({
    poison: true,
    quiet: true,
    limits: { maxStorageBufferBindingSize: 1 << 20 },
  });
});
afterAll(() => small.destroy());

describe("in pieces", () => {
  test("fill, and elementwise ops of one and two arrays and with numbers", async () => {
    const data = Float32Array.from({ length: SIZE }, (_, i) => (i % 1001) - 500);
    const x = small.tensor(data);
    const y = small.scope(() => add(mul(relu(x), x), mul(small.full([SIZE], 3), 2)));
    const got = await y.data();
    for (let i = 0; i < SIZE; i++)
      if (got[i] !== Math.max(data[i]!, 0) * data[i]! + 6) expect.fail(`element ${i}: ${got[i]}`);
    for (const t of [x, y]) t.dispose();
  });

  test("copies, and captured steps", async () => {
    const x = small.tensor(Float32Array.from({ length: SIZE }, (_, i) => i % 17));
    const capture = small.capture(() => small.copy(add(mul(x, 2), 1), x));
    capture.replay();
    const got = await x.data();
    for (let i = 0; i < SIZE; i++) if (got[i] !== 4 * (i % 17) + 3) expect.fail(`element ${i}: ${got[i]}`);
    capture.dispose();
    x.dispose();
  });

  test("Adam with a factor and a running average, beside a small parameter", async () => {
    const [w, b] = [normal([SIZE], 1), normal([5], 2)];
    const params = new Map(
      [w, b].map((p, i) => [`p${i}`, small.variable(Float32Array.from(p.data), p.shape)]),
    );
    const adam = new Adam(params, { lr: 0.1, emaDecay: 0.5 });
    const grads = [normal([SIZE], 3), normal([5], 4)];
    const given = grads.map((g) => small.tensor(Float32Array.from(g.data)));
    const clip = small.tensor([0.25, 1]);
    adam.advance();
    adam.apply(given, clip);
    const attrs = {
      lr: 0.1,
      beta1: 0.9,
      beta2: 0.999,
      eps: 1e-8,
      weightDecay: 0,
      step: 1,
      emaDecay: 2 / 11,
      clipScale: 0.25,
    };
    for (const [i, param] of [w, b].entries()) {
      const zero = zeros(param.shape);
      const expected = adamOracle({ param, m: zero, v: zero, ema: param, grad: grads[i]! }, attrs);
      expectNear(await params.get(`p${i}`)!.data(), expected.param);
      expectNear(await adam.tensors().get(`ema.p${i}`)!.data(), expected.ema!);
    }
    adam.dispose();
    for (const t of [...params.values(), ...given, clip]) t.dispose();
  });
});

describe("whole or not at all", () => {
  test("other kernels name themselves, the tensor and both sizes, before any work", async () => {
    const image = small.zeros([1, 3, 400, 400]);
    const weight = small.zeros([2, 3, 3, 3]);
    expect(() => conv2d(image, weight, undefined, { padding: 1 })).toThrow(
      /^conv_\w+: x \[1,3,400,400\] takes 1.8 MiB, this adapter binds at most 1.0 MiB at once; use a smaller batch, image or parameter$/,
    );
    expect(() => sum(image)).toThrowErrorMatchingInlineSnapshot(
      `[DeviceError: reduce: x [1,3,400,400] takes 1.8 MiB, this adapter binds at most 1.0 MiB at once; use a smaller batch, image or parameter]`,
    );
    expect(() => matmul(small.zeros([600, 500]), small.zeros([500, 3]))).toThrow(DeviceError);
    expect(() => sum(image)).toThrow(expect.objectContaining({ kernel: "reduce" }));
    const rest = small.scope(() => sum(small.ones([1000])));
    expect(await rest.item()).toBe(1000);
    for (const t of [image, weight, rest]) t.dispose();
  });

  test("a tensor of another size beside what goes in pieces", async () => {
    const [x, y] = [small.zeros([SIZE - 300_000]), small.zeros([SIZE])];
    const copy = () => small.launchLinear(unary, { op: "copy", vecs: 1 }, { x, y }, { a: 0 }, SIZE);
    expect(copy).toThrowErrorMatchingInlineSnapshot(
      `[DeviceError: unary: x [400001] takes 1.5 MiB, this adapter binds at most 1.0 MiB at once; use a smaller batch, image or parameter]`,
    );
    await small.sync();
    for (const t of [x, y]) t.dispose();
  });

  test("a buffer above a limit of its own", async () => {
    using tiny = await Engine.create({ quiet: true, limits: { maxBufferSize: 1 << 16 } });
    expect(() => tiny.ones([100_000])).toThrowErrorMatchingInlineSnapshot(
      `[DeviceError: tensor [100000]: out of memory: asked for 0.4 MiB, one buffer of this adapter holds at most 0.1 MiB; use a smaller batch or image]`,
    );
  });
});
