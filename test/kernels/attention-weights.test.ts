import { test } from "vitest";
import { array64, map } from "../../engine/oracle/array.ts";
import { logsumexp } from "../../engine/oracle/reduce.ts";
import { permute } from "../../engine/oracle/shape.ts";
import { softmax } from "../../engine/oracle/softmax.ts";
import { attentionSlopes, attentionWeights } from "../../kernels/attention-weights.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { eachVariant } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const shapes: readonly (readonly [batch: number, t: number, s: number])[] = [
  [1, 1, 1],
  [2, 5, 3],
  [3, 4, 1],
  [1, 8, 17],
  [3, 44, 9],
  [2, 100, 7],
  [2, 3, 300],
];
const [SCALE, NEGATIVE] = [0.7, -1.3];

test.each(eachVariant(attentionWeights))("%s: softmax down the columns, in place", async (_, v) => {
  for (const [batch, t, s] of shapes.filter(([, t]) => !v.vec || t % 4 === 0)) {
    for (const scale of [SCALE, NEGATIVE]) {
      const products = normal([batch, s, t], 1);
      const [x, lse] = [upload(products), engine.empty([batch, t])];
      engine.launch(attentionWeights, v, { x, lse }, { batch, t, s, scale });
      const rows = permute(
        map(products, (value) => scale * value),
        [0, 2, 1],
      );
      const what = `${batch} x ${t} queries, ${s} keys`;
      expectNear(await x.data(), permute(softmax(rows), [0, 2, 1]), { terms: s }, what);
      expectNear(await lse.data(), logsumexp(rows, [-1]), { terms: s, magnitude: 5 }, `${what}: lse`);
      for (const t of [x, lse]) t.dispose();
    }
  }
});

test.each(eachVariant(attentionSlopes))("%s: weights and slopes, in place", async (_, v) => {
  for (const [batch, t, s] of shapes.filter(([, , s]) => !v.vec || s % 4 === 0)) {
    const [products, slopes] = [normal([batch, t, s], 1), normal([batch, t, s], 2)];
    const scaled = map(products, (value) => SCALE * value);
    const [top, mean] = [logsumexp(scaled, [-1]), normal([batch, t], 3)];
    const [x, g, lse, delta] = [products, slopes, top, mean].map((a) => upload(a));
    const tensors = { x: x!, g: g!, lse: lse!, delta: delta! };
    engine.launch(attentionSlopes, v, tensors, { rows: batch * t, columns: s, scale: SCALE });
    const weights = softmax(scaled);
    const what = `${batch} x ${t} queries, ${s} keys`;
    expectNear(await x!.data(), weights, { terms: 10 }, what);
    const exact = weights.data.map((p, i) => SCALE * p * (slopes.data[i]! - mean.data[Math.floor(i / s)]!));
    expectNear(
      await g!.data(),
      array64(weights.shape, exact),
      { terms: 10, magnitude: 5 },
      `${what}: slopes`,
    );
    for (const t of [x, g, lse, delta]) t!.dispose();
  }
});
