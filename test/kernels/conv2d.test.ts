import { describe, expect, test } from "vitest";
import { type Array64, map } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/conv2d.ts";
import { sum } from "../../engine/oracle/reduce.ts";
import { broadcasts, LANES } from "../../kernels/broadcast.ts";
import { convPad } from "../../kernels/conv-pad.ts";
import { rowSpan } from "../../kernels/conv-span.ts";
import { convWeightTile } from "../../kernels/conv-tiles.ts";
import { convWeightRows, freshRows } from "../../kernels/conv-weight-rows.ts";
import { convPackWeight, convRows } from "../../kernels/conv2d.ts";
import type { Hardware } from "../../kernels/kernel.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { launched, variantsFor } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";
import { expectPacks, packShapes } from "../support/packs.ts";

const up4 = (n: number) => Math.ceil(n / 4) * 4;
const attrs = { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] } as const;
const [n, ci, co, h, w] = [3, 5, 13, 6, 21];
const x = normal([n, ci, h, w], 1);
const weight = normal([co, ci, 3, 3], 2);
const dy = normal([n, co, h, w], 3);
const absolute = (a: Array64) => map(a, Math.abs);

/** x in rows of `pitch`, its first element at (top, left). */
function padded(a: Array64, lines: number, pitch: number, top: number, left: number, step = [1, 1]): Array64 {
  const [planes, height, width] = [a.shape[0]! * a.shape[1]!, a.shape[2]!, a.shape[3]!];
  const data = new Float64Array(planes * lines * pitch);
  for (let p = 0; p < planes; p++)
    for (let i = 0; i < height; i++)
      for (let j = 0; j < width; j++) {
        const [row, column] = [top + i * step[0]!, left + j * step[1]!];
        if (row >= 0 && row < lines && column >= 0 && column < pitch)
          data[(p * lines + row) * pitch + column] = a.data[(p * height + i) * width + j]!;
      }
  return { shape: [planes, lines, pitch], data };
}

/** [ci, kh, kw, co up to 4]. */
function packedWeight(a: Array64, flip: boolean): Array64 {
  const [outputs, inputs, kh, kw] = a.shape as [number, number, number, number];
  const [fast, slow] = flip ? [inputs, outputs] : [outputs, inputs];
  const taps = kh * kw;
  const data = new Float64Array(slow * taps * up4(fast));
  for (let s = 0; s < slow; s++)
    for (let t = 0; t < taps; t++)
      for (let f = 0; f < fast; f++) {
        const [o, i] = flip ? [s, f] : [f, s];
        data[(s * taps + t) * up4(fast) + f] = a.data[(o * inputs + i) * taps + (flip ? taps - 1 - t : t)]!;
      }
  return { shape: [slow, kh, kw, up4(fast)], data };
}

/** Every tile for 3 x 3, and those that the weight gradient takes: its wider ones spill and take long to compile. */
const tiles = variantsFor(convRows, engine.hardware).filter(
  (v) => v.kw === 3 && v.strideX === 1 && v.dilationX === 1 && !v.bare,
);
const hardware = (kind: Hardware["kind"]): Hardware => ({
  kind,
  maxWorkgroupSize: 256,
  maxWorkgroupStorage: 16384,
  maxBinding: 2 ** 27,
  subgroups: false,
});
const weightTiles = [
  ...[1, 3].map((khs) => ({ ...convWeightTile(hardware("cpu"), { ci, co, kh: 3, kw: 3 }), khs })),
  convWeightTile(hardware("gpu"), { ci, co, kh: 3, kw: 3 }),
  { rows: 8, columns: 8, lanes: 8, khs: 1 },
].flatMap((tile) =>
  (broadcasts(engine.hardware) && tile.lanes === LANES ? [false, true] : [false]).map((broadcast) => ({
    ...tile,
    bare: false,
    broadcast,
  })),
);
if (broadcasts(engine.hardware))
  weightTiles.push(
    ...[1, 3].map((khs) => ({ rows: 16, columns: 4, bare: false, lanes: LANES, khs, broadcast: true })),
  );
const geometry = (columns: number) => {
  const across = Math.ceil(w / columns);
  const lines = h + 2;
  const pitch = up4((across - 1) * columns + up4(rowSpan({ kw: 3, strideX: 1, dilationX: 1, columns })));
  return { lines, pitch, across };
};

test.each(tiles)(
  "tiles of $rows channels and $columns columns, $lanes lanes, broadcast $broadcast, residual $residual",
  async (variant) => {
    const { lines, pitch } = geometry(variant.columns);
    const residual = normal([n, co, h, w], 5);
    for (const [useBias, each] of [
      [0, false],
      [1, false],
      [1, true],
    ] as const) {
      const bias = normal(each ? [n, co] : [co], 4);
      const mathematics = (x: Array64, w: Array64, bias: Array64, residual: Array64) => {
        const y = oracle.conv2d(x, w, useBias ? bias : null, attrs);
        return variant.residual ? oracle.addRescaled(y, residual, 0.7) : y;
      };
      const magnitude = mathematics(absolute(x), absolute(weight), absolute(bias), absolute(residual));
      const params = {
        n,
        ci,
        co,
        oh: h,
        ow: w,
        lines,
        pitch,
        coVecs: up4(co) / 4,
        kh: 3,
        strideY: 1,
        dilationY: 1,
        top: 0,
        useBias,
        biasPitch: each ? co : 0,
        rescale: 0.7,
      };
      const inputs = {
        x: padded(x, lines, pitch, 1, 1),
        w: packedWeight(weight, false),
        bias,
        ...(variant.residual && { residual }),
      };
      const { y } = await launched(convRows, variant, inputs, { y: [n, co, h, w] }, params);
      expectNear(
        y!,
        mathematics(x, weight, bias, residual),
        { terms: ci * 9, magnitude },
        `bias ${useBias}, of each sample ${each}`,
      );
    }
  },
);

test.each(weightTiles)(
  "weight gradients in tiles of $rows channels and $columns columns, $lanes lanes, broadcast $broadcast, $khs kernel rows at once",
  async (tile) => {
    const { lines, pitch, across } = geometry(tile.columns);
    const dyPitch = across * tile.columns;
    const full = { ...attrs, kernelSize: [3, 3] } as const;
    const expected = oracle.conv2dWeightGrad(dy, x, full);
    const magnitude = oracle.conv2dWeightGrad(absolute(dy), absolute(x), full);
    for (const splits of [1, 2]) {
      const params = {
        n,
        ci,
        co,
        oh: h,
        lines,
        pitch,
        dyPitch,
        kh: 3,
        strideY: 1,
        dilationY: 1,
        top: 0,
        splits,
      };
      const inputs = { x: padded(x, lines, pitch, 1, 1), dy: padded(dy, h, dyPitch, 0, 0) };
      const variant = { kw: 3, strideX: 1, dilationX: 1, fresh: freshRows(tile.khs, 1, 1), ...tile };
      const { dw } = await launched(convWeightRows, variant, inputs, { dw: [splits, co, ci, 3, 3] }, params);
      const total = sum({ shape: [splits, co, ci, 3, 3], data: Float64Array.from(dw!) }, [0]);
      expectNear(total.data, expected, { terms: n * h * w, magnitude }, `${splits} splits`);
    }
  },
);

/** Of six lines: one passes between rows with a stride of 2, none with 3; with a dilation of 2 two between every other row. */
test.each([
  { stride: 1, dilation: 2, fresh: 1 },
  { stride: 1, dilation: 3, fresh: 1 },
  { stride: 2, dilation: 1, fresh: 2 },
  { stride: 3, dilation: 1, fresh: 3 },
  { stride: 2, dilation: 2, fresh: 3 },
])("weight gradients read $fresh lines a row, $stride apart, kernel rows $dilation apart", async (t) => {
  const { stride, dilation, fresh } = t;
  const columns = 4;
  const geometric = {
    ...attrs,
    stride: [stride, 1],
    dilation: [dilation, 1],
    padding: [2, 2, 1, 1],
  } as const;
  const full = { ...geometric, kernelSize: [3, 3] } as const;
  const oh = Math.floor((h + 4 - 2 * dilation - 1) / stride) + 1;
  const slope = normal([n, co, oh, w], 6);
  const expected = oracle.conv2dWeightGrad(slope, x, full);
  const magnitude = oracle.conv2dWeightGrad(absolute(slope), absolute(x), full);
  const { pitch, across } = geometry(columns);
  const [lines, dyPitch] = [h + 4, across * columns];
  const params = {
    n,
    ci,
    co,
    oh,
    lines,
    pitch,
    dyPitch,
    kh: 3,
    strideY: stride,
    dilationY: dilation,
    top: 0,
    splits: 1,
  };
  expect(freshRows(3, stride, dilation)).toBe(fresh);
  const tile = { rows: 4, columns, bare: false, lanes: LANES, broadcast: false };
  const variant = { ...tile, kw: 3, strideX: 1, dilationX: 1, khs: 3, fresh };
  const inputs = { x: padded(x, lines, pitch, 2, 1), dy: padded(slope, oh, dyPitch, 0, 0) };
  const { dw } = await launched(convWeightRows, variant, inputs, { dw: [co, ci, 3, 3] }, params);
  expectNear(dw!, expected, { terms: n * oh * w, magnitude });
});

describe("x as it is, without a padded copy", () => {
  const wide = normal([n, ci, h, 20], 7);
  const slope = normal([n, co, h, 20], 8);
  const place = { n, ci, co, oh: h, lines: h, pitch: 20, strideY: 1 };
  const geometryOf = ({ kw, dilationX }: { kw: number; dilationX: number }) => {
    const side = (dilationX * (kw - 1)) / 2;
    return { ...attrs, padding: [2, 0, side, side], dilation: [1, dilationX] } as const;
  };

  test.each(variantsFor(convRows, engine.hardware).filter((v) => v.bare))(
    "tiles of $rows channels and $columns columns, kernels of $kw columns, $dilationX apart, residual $residual",
    async (v) => {
      const [geometric, weight] = [geometryOf(v), normal([co, ci, 3, v.kw], 9)];
      const [bias, residual] = [normal([co], 4), slope];
      const mathematics = (of: (a: Array64) => Array64) => {
        const y = oracle.conv2d(of(wide), of(weight), of(bias), geometric);
        return v.residual ? oracle.addRescaled(y, of(residual), 0.7) : y;
      };
      const inputs = { x: wide, w: packedWeight(weight, false), bias, ...(v.residual && { residual }) };
      const params = {
        ...{ ...place, ow: 20, coVecs: up4(co) / 4, kh: 3, dilationY: 1, top: 2 },
        ...{ useBias: 1, biasPitch: 0, rescale: 0.7 },
      };
      const { y } = await launched(convRows, v, inputs, { y: slope.shape }, params);
      expectNear(
        y!,
        mathematics((a) => a),
        { terms: ci * 3 * v.kw, magnitude: mathematics(absolute) },
      );
    },
  );

  test.each(variantsFor(convWeightRows, engine.hardware).filter((v) => v.bare && v.columns === 4))(
    "weight gradients of $rows channels and $columns columns, kernels of $kw columns, $dilationX apart, $khs rows at once",
    async (v) => {
      const full = { ...geometryOf(v), kernelSize: [3, v.kw] } as const;
      const expected = oracle.conv2dWeightGrad(slope, wide, full);
      const magnitude = oracle.conv2dWeightGrad(absolute(slope), absolute(wide), full);
      const dyPitch = Math.ceil(20 / v.columns) * v.columns;
      const params = { ...place, dyPitch, kh: 3, dilationY: 1, top: 2, splits: 1 };
      const inputs = { x: wide, dy: padded(slope, h, dyPitch, 0, 0) };
      const { dw } = await launched(convWeightRows, v, inputs, { dw: [co, ci, 3, v.kw] }, params);
      expectNear(dw!, expected, { terms: n * h * 20, magnitude });
    },
  );
});

describe("layouts", () => {
  test.each(convPad.variants)("padded copy, stuffed $stuffed, by $by", async (variant) => {
    const [stepY, stepX] = variant.stuffed ? [2, 3] : [1, 1];
    for (const [lines, pitch, top, left] of [
      [9, 24, 2, 1],
      [4, 8, -1, -2],
      [17, 72, 3, 5],
      [1, 4, 0, 0],
    ] as const) {
      const params = {
        planes: n * ci,
        height: h,
        width: w,
        lines,
        pitch,
        top,
        left,
        stepY,
        stepX,
        phases: 1,
      };
      const { y } = await launched(convPad, variant, { x }, { y: [n * ci, lines, pitch] }, params);
      expectNear(
        y!,
        padded(x, lines, pitch, top, left, [stepY, stepX]),
        {},
        `${lines} x ${pitch} from ${top}, ${left}`,
      );
    }
  });

  test("rows of less than a vec4, beside each other in one", async () => {
    for (const width of [1, 2, 3, 7]) {
      const [planes, height] = [11, 5];
      const narrow = normal([planes, 1, height, width], width);
      const params = {
        planes,
        height,
        width,
        lines: 7,
        pitch: 12,
        top: 1,
        left: 1,
        stepY: 1,
        stepX: 1,
        phases: 1,
      };
      const { y } = await launched(
        convPad,
        { stuffed: false, by: "fours" },
        { x: narrow },
        { y: [planes, 7, 12] },
        params,
      );
      expectNear(y!, padded(narrow, 7, 12, 1, 1), {}, `width ${width}`);
    }
  });

  test.each(["vec", "lines"] as const)("columns dealt out over three lines, by %s", async (by) => {
    const [lines, pitch, phases] = [5, 8, 3];
    const numbers = { planes: n * ci, height: h, width: w, top: 1, left: 2, stepY: 1, stepX: 1 };
    const variant = { stuffed: false, by };
    const params = { ...numbers, lines: lines * phases, pitch, phases };
    const { y } = await launched(convPad, variant, { x }, { y: [n * ci, lines * phases, pitch] }, params);
    const whole = padded(x, lines, pitch * phases, 1, 2);
    const dealt = whole.data.map((_, at) => {
      const [plane, line, column] = [
        Math.floor(at / (lines * phases * pitch)),
        Math.floor(at / pitch) % (lines * phases),
        at % pitch,
      ];
      const [row, phase] = [Math.floor(line / phases), line % phases];
      return whole.data[(plane * lines + row) * pitch * phases + column * phases + phase]!;
    });
    expectNear(y!, { shape: whole.shape, data: dealt }, {}, "dealt out");
  });

  test.each(convPackWeight.variants)("packed weight, flip $flip", async (variant) => {
    for (const shape of packShapes) {
      const [w, [co, ci, kh, kw]] = [normal(shape, 1), shape];
      const packed = (flip: boolean) => packedWeight(w, flip);
      await expectPacks(convPackWeight, variant, { pack: "y", w, packed, params: { co, ci, kh, kw } });
    }
  });
});
