import { describe, expect, test } from "vitest";
import type { Capture } from "../../engine/capture.ts";
import { add, conv2d, div, mul, reshape, scale, sum } from "../../engine/ops/index.ts";
import { type Draw, randn } from "../../engine/random.ts";
import { Scalar } from "../../engine/scalar.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { linearUpdate } from "../../engine/updates.ts";
import { engine } from "../support/engine.ts";
import { expectNear } from "../support/near.ts";

const STEPS = 4;
const step = new Scalar(0);
const pull = new Scalar(0);
const draw: Draw = { seed: 3, purpose: "sampler", step, sampleOffset: 5 };

interface Parts {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly bias: Tensor;
  /** [n,1,1,1] */
  readonly each: Tensor;
}
type Move = (parts: Parts) => unknown;

const update = (x: Tensor, score: Tensor, drawn: Draw | undefined = draw) =>
  linearUpdate(x, score, { keep: 0.9, pull, noise: 0.5 }, drawn);

/** A network whose last kernel is a convolution, though not its only one. */
const net = ({ x, w, bias }: Parts) => conv2d(scale(x, 0.5), w, bias, { padding: 1 });

/** The chain after a few replays, and the kernels of a step. */
async function replayed(move: Move, shape: readonly number[], fuseUpdates: boolean) {
  const [n, c] = shape as [number, number];
  const made = (of: readonly number[], site: number) => randn(engine, of, { seed: 1, purpose: "user", site });
  const parts = {
    x: made(shape, 0),
    w: made([c, c, 3, 3], 1),
    bias: made([c], 2),
    each: made([n, 1, 1, 1], 3),
  };
  let capture: Capture<unknown> | undefined;
  for (let k = 0; k < STEPS; k++) {
    step.value = k;
    pull.value = 0.1 / (k + 1);
    if (capture) capture.replay();
    else capture = engine.capture(() => engine.noGrad(() => move(parts)), { fuseUpdates });
  }
  const values = await parts.x.data();
  const kernels = capture!.commands.map((c) => c.program.kernel.name);
  capture!.dispose();
  for (const t of Object.values(parts)) t.dispose();
  return { values, kernels };
}

describe("a convolution and the update that takes its sums become one kernel", () => {
  const moves: Record<string, Move> = {
    "of the score itself": (p) => update(p.x, net(p)),
    "without noise": (p) => update(p.x, net(p), undefined),
    "of the score over a number for each sample": (p) => update(p.x, div(net(p), p.each)),
    "of the score times one": (p) => update(p.x, mul(net(p), p.each)),
    "made between convolution and division": (p) => {
      const score = net(p);
      update(p.x, div(score, scale(p.each, 3)));
    },
    "twice in a step": (p) => {
      engine.scope(() => update(p.x, net(p), { ...draw, site: 1 }));
      update(p.x, div(net(p), p.each));
    },
  };

  for (const [name, move] of Object.entries(moves))
    for (const shape of [
      [2, 3, 8, 8],
      [1, 2, 8, 20],
      [3, 6, 4, 20],
    ])
      test(`${name}, [${shape}]: the same chain`, async () => {
        const one = await replayed(move, shape, true);
        const two = await replayed(move, shape, false);
        expect(one.kernels).toContain("conv_update");
        expect(one.kernels).not.toContain("linear_update");
        expect(one.kernels).not.toContain("conv_rows");
        expect(two.kernels).not.toContain("conv_update");
        expectNear(one.values, { shape, data: Float64Array.from(two.values) }, { terms: 9 * STEPS });
      });

  test("and a step less of memory: the score is nowhere", async () => {
    const { kernels } = await replayed((p) => update(p.x, div(net(p), p.each)), [2, 3, 8, 8], true);
    expect(kernels.filter((name) => !["fill", "conv_pad"].includes(name))).toEqual([
      "binary_scalar",
      "conv_pack_weight",
      "conv_update",
    ]);
  });
});

describe("what must not be joined is left as it is, and right", () => {
  const kept: { t?: Tensor } = {};
  const moves: Record<string, readonly [Move, shape?: readonly number[]]> = {
    "rows that are no multiple of four": [(p) => update(p.x, net(p)), [2, 3, 5, 6]],
    "a score that is read once more": [
      (p) => {
        const score = net(p);
        update(p.x, score);
        update(p.x, score, { ...draw, site: 1 });
      },
    ],
    "a score that is the step's result": [
      (p) => {
        const score = net(p);
        update(p.x, score);
        return score;
      },
    ],
    "a score that is kept": [
      (p) => {
        kept.t = engine.untrack(net(p));
        update(p.x, kept.t);
      },
    ],
    "a convolution that the division is not alone to read": [
      (p) => {
        const y = net(p);
        update(p.x, div(y, p.each));
        update(p.x, y, { ...draw, site: 1 });
      },
    ],
    "a number for each channel": [(p) => update(p.x, mul(net(p), reshape(p.bias, [-1, 1, 1])))],
    "a number for each sample that is divided": [(p) => update(p.x, div(p.each, net(p)))],
    "weights that change meanwhile": [
      (p) => {
        const score = net(p);
        engine.copy(add(p.bias, 0.25), p.bias);
        update(p.x, score);
      },
    ],
    "a number for each sample that changes meanwhile": [
      (p) => {
        const score = div(net(p), p.each);
        engine.copy(scale(p.each, 1.5), p.each);
        update(p.x, score);
      },
    ],
    "a number for each sample whose memory is another's by then": [
      (p) => {
        const score = engine.scope(() => div(net(p), scale(p.each, 3)));
        engine.scope(() => void scale(p.each, 7));
        update(p.x, score);
      },
    ],
    "a residual": [
      (p) => update(p.x, conv2d(scale(p.x, 0.5), p.w, p.bias, { padding: 1, residual: p.x, rescale: 0.5 })),
    ],
    "a step in a measured unit": [
      (p) => {
        const unit = reshape(sum(p.each), [1]);
        linearUpdate(p.x, net(p), { keep: 0.9, pull, noise: 0, unit }, undefined);
      },
    ],
  };

  for (const [name, [move, shape = [2, 3, 8, 8]]] of Object.entries(moves))
    test(name, async () => {
      const one = await replayed(move, shape, true);
      kept.t = undefined;
      const two = await replayed(move, shape, false);
      kept.t = undefined;
      expect(one.kernels).not.toContain("conv_update");
      expect(one.kernels).toEqual(two.kernels);
      expect(one.values).toEqual(two.values);
    });
});
