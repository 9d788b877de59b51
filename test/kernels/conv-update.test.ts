import { expect, test } from "vitest";
import { array64 } from "../../engine/oracle/array.ts";
import { conv2d } from "../../engine/oracle/conv2d.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import { linearUpdate } from "../../engine/oracle/updates.ts";
import { type Draw, drawNumbers, purposes } from "../../engine/random.ts";
import { convUpdate } from "../../kernels/conv-update.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { variantsFor } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const draw: Draw = { seed: 42, purpose: "sampler", step: 9, sampleOffset: 2 };
const coefficients = { keep: 0.9, pull: 0.3, noise: 0.7 };
const [n, ci, oh, ow] = [3, 5, 6, 12];

const variants = variantsFor(convUpdate, engine.hardware);
test.each(variants)(
  "$rows x $columns, bare $bare, $lanes lanes, broadcast $broadcast, factor $factor, draws: $draws",
  async (v) => {
    const co = v.rows - 1; // the last channel of the tile is none
    const x = normal([n, ci, oh + 2, ow + 2], 1);
    const w = normal([co, ci, 3, 3], 2);
    const bias = normal([co], 3);
    const each = array64([n], [2, -0.5, 4]);
    const chain = normal([n, co, oh, ow], 4);

    const pitch = Math.ceil(ow / v.columns) * v.columns + 4;
    const coVecs = Math.ceil(co / 4);
    const padded = array64([n, ci, oh + 2, pitch], new Float64Array(n * ci * (oh + 2) * pitch));
    for (let row = 0; row < n * ci * (oh + 2); row++)
      padded.data.set(x.data.subarray(row * (ow + 2), (row + 1) * (ow + 2)), row * pitch);
    const packed = array64([ci, 3, 3, 4 * coVecs], new Float64Array(ci * 9 * 4 * coVecs));
    for (let o = 0; o < co; o++)
      for (let k = 0; k < ci * 9; k++) packed.data[k * 4 * coVecs + o] = w.data[o * ci * 9 + k]!;

    const middle = array64([n, ci, oh, ow], new Float64Array(n * ci * oh * ow)); // a bare x has zeros around
    if (v.bare)
      for (let row = 0; row < n * ci * oh; row++) {
        const at = (row + 2 * Math.floor(row / oh) + 1) * (ow + 2) + 1;
        middle.data.set(x.data.subarray(at, at + ow), row * ow);
      }

    const t = {
      x: upload(v.bare ? middle : padded),
      w: upload(packed),
      bias: upload(bias),
      each: upload(each),
      chain: upload(chain),
    };
    engine.launch(convUpdate, v, t, {
      ...drawNumbers(chain.shape, draw),
      ...coefficients,
      n,
      ci,
      co,
      oh,
      ow,
      lines: v.bare ? oh : oh + 2,
      pitch: v.bare ? ow : pitch,
      top: v.bare ? 1 : 0,
      coVecs,
      kh: 3,
      strideY: 1,
      dilationY: 1,
      useBias: 1,
      biasPitch: 0,
    });
    const attrs = { stride: [1, 1], dilation: [1, 1] } as const;
    const score = v.bare
      ? conv2d(middle, w, bias, { ...attrs, padding: [1, 1, 1, 1] })
      : conv2d(x, w, bias, { ...attrs, padding: [0, 0, 0, 0] });
    const sample = co * oh * ow;
    const of = { none: () => 1, mul: (i: number) => each.data[i]!, div: (i: number) => 1 / each.data[i]! };
    const scaled = score.data.map((s, i) => s * of[v.factor](Math.floor(i / sample)));
    const z = randomNormal(chain.shape, {
      seed: [42, 0],
      step: 9,
      purpose: purposes.sampler,
      sampleOffset: 2,
    });
    const noise = v.draws ? coefficients.noise : 0;
    const expected = linearUpdate(chain, { ...score, data: scaled }, z, { ...coefficients, noise });
    expect(scaled.some((s) => Math.abs(s) > 1)).toBe(true);
    expectNear(await t.chain.data(), expected, { terms: 9 * ci });
    for (const tensor of Object.values(t)) tensor.dispose();
  },
);
