/** Weights packed for a convolution and for the gradient in its input by one launch: when, and that it changes no number. */
import { afterAll, describe, expect, test } from "vitest";
import { grad } from "../../engine/autograd.ts";
import { conv2d, conv2dInputGrad, mul, sum } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { convTile } from "../../kernels/conv-tiles.ts";
import type { ConvWay } from "../../kernels/conv-ways.ts";
import type { VariantValue } from "../../kernels/kernel.ts";
import { sharedTiles } from "../../kernels/tile-choice.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
const size = [7, 9] as const;

const ways: Record<string, ConvWay> = {
  rows: { kernel: "rows", ...convTile(engine.hardware, { co: 8, ow: size[1] }) },
  gemm: { kernel: "gemm", ...sharedTiles[0]! },
  "winograd 2": { kernel: "winograd", tile: 2 },
  "winograd 4": { kernel: "winograd", tile: 4 },
};
const names = Object.keys(ways);
const taking = <T>(way: string, fn: () => T): T => engine.choices.forcing("conv2d", ways[way]!, fn);

/** What is packed in a walk: `flip` of each launch. */
function packed(fn: () => unknown): VariantValue[] {
  const flips: VariantValue[] = [];
  engine.dry(fn, ({ program: { variant } }) => {
    if (variant.flip !== undefined) flips.push(variant.flip);
  });
  return flips;
}

const [ci, co] = [6, 10];
const x = engine.asVariable(upload(normal([2, ci, ...size], 1)));
const w = engine.asVariable(upload(normal([co, ci, 3, 3], 2)));
const dy = engine.untrack(upload(normal([2, co, ...size], 3)));
afterAll(() => {
  for (const t of [x, w, dy]) t.dispose();
});

const forward = (x: Tensor, w: Tensor) => conv2d(x, w, undefined, attrs);
const toInput = (y: Tensor) => grad(y, [x], { cotangent: dy })[0]!;
const direct = () => engine.noGrad(() => conv2dInputGrad(dy, w, { ...attrs, inputSize: size }));

async function values(fn: () => Tensor): Promise<number[]> {
  const t = engine.scope(fn);
  const numbers = [...(await t.data())];
  t.dispose();
  return numbers;
}

describe.each(names)("by %s", (way) => {
  test("one launch packs for both passes", () => {
    expect(taking(way, () => packed(() => toInput(forward(x, w))))).toEqual(["both"]);
  });

  test("values are those of packs apart, to the last bit", async () => {
    const plain = await taking(way, () => values(() => engine.noGrad(() => forward(x, w))));
    expect(await taking(way, () => values(() => forward(x, w)))).toEqual(plain);
    const apart = await taking(way, () => values(direct));
    expect(await taking(way, () => values(() => toInput(forward(x, w))))).toEqual(apart);
  });

  test("a derivative that goes another way packs for itself", async () => {
    for (const other of names.filter((name) => name !== way)) {
      const apart = await taking(other, () => values(direct));
      const turned = () => {
        const y = taking(way, () => forward(x, w));
        return taking(other, () => toInput(y));
      };
      expect(packed(turned)).toEqual(["both", true]);
      expect(await values(turned)).toEqual(apart);
    }
  });
});

test("without a gradient in x to come, the forward pass packs for itself", () => {
  const still = engine.scope(() => engine.untrack(x.detach()));
  expect(packed(() => forward(still, w))).toEqual([false]);
  expect(packed(() => engine.noGrad(() => forward(x, w)))).toEqual([false]);
  still.dispose();
});

test("packs of more than 256 KiB are made when they are wanted", () => {
  const step = (c: number) => () => {
    const [x, w] = [engine.asVariable(engine.zeros([1, c, 8, 8])), engine.zeros([c, c, 3, 3])];
    sum(grad(sum(forward(x, w)), [x])[0]!);
    x.dispose();
  };
  const flips = (c: number) => taking("winograd 4", () => packed(step(c)));
  expect(flips(40)).toEqual(["both"]);
  expect(flips(44)).toEqual([false, true]);
});

test("a graph that is differentiated twice, or kept, has its pack still", async () => {
  const first = () => grad(sum(mul(forward(x, w), dy)), [x], { createGraph: true })[0]!;
  expect(await values(first)).toEqual(await values(direct));
  const twice = () => {
    const y = forward(x, w);
    grad(y, [x], { cotangent: dy, retainGraph: true });
    return toInput(y);
  };
  expect(packed(twice)).toEqual(["both"]);
  expect(await values(twice)).toEqual(await values(direct));
});
