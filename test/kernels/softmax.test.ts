import { describe, test } from "vitest";
import { logsumexp } from "../../engine/oracle/reduce.ts";
import * as oracle from "../../engine/oracle/softmax.ts";
import { softmax, softmaxGrad } from "../../kernels/softmax.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const sizes = [
  [1, 1],
  [3, 2],
  [65, 7],
  [5, 63],
  [2, 64],
  [7, 65],
  [1, 1000],
] as const;

describe.each(["thread", "group"] as const)("softmax by %s", (by) => {
  test.each(["softmax", "logSoftmax", "logsumexp"] as const)("%s", async (out) => {
    for (const [rows, columns] of sizes) {
      const x = normal([rows, columns], 1);
      const expected = out === "logsumexp" ? logsumexp(x, [-1]) : oracle[out](x);
      const { y } = await launched(softmax, { out, by }, { x }, { y: expected.shape }, { rows, columns });
      expectNear(y!, expected, { terms: columns }, `${rows} x ${columns}`);
    }
  });
});

test.each([false, true])("gradient, of the logarithm: %s", async (log) => {
  for (const [rows, columns] of sizes) {
    const x = normal([rows, columns], 1);
    const dy = normal([rows, columns], 2);
    const y = log ? oracle.logSoftmax(x) : oracle.softmax(x);
    const expected = log ? oracle.logSoftmaxGrad(y, dy) : oracle.softmaxGrad(y, dy);
    const { dx } = await launched(
      softmaxGrad,
      { log },
      { y, dy },
      { dx: [rows, columns] },
      { rows, columns },
    );
    expectNear(dx!, expected, { terms: columns, magnitude: log ? columns : 1 }, `${rows} x ${columns}`);
  }
});
