import { describe, test } from "vitest";
import { logsumexp } from "../../engine/oracle/reduce.ts";
import * as oracle from "../../engine/oracle/softmax.ts";
import { foldVariants, needsSubgroups } from "../../kernels/folds.ts";
import { softmax, softmaxGrad } from "../../kernels/softmax.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const sizes = [
  [1, 1],
  [3, 2],
  [65, 7],
  [67, 8],
  [5, 63],
  [2, 64],
  [7, 65],
  [3, 68],
  [1, 1000],
] as const;

describe.each(foldVariants.filter((v) => engine.hardware.subgroups || !needsSubgroups(v)))(
  "by $by, in fours: $vec",
  (v) => {
    const fitting = sizes.filter(([, columns]) => !v.vec || columns % 4 === 0);

    test.each(["softmax", "logSoftmax", "logsumexp"] as const)("%s", async (out) => {
      for (const [rows, columns] of fitting) {
        const x = normal([rows, columns], 1);
        const expected = out === "logsumexp" ? logsumexp(x, [-1]) : oracle[out](x);
        const { y } = await launched(softmax, { out, ...v }, { x }, { y: expected.shape }, { rows, columns });
        expectNear(y!, expected, { terms: columns }, `${rows} x ${columns}`);
      }
    });

    test.each([false, true])("gradient, of the logarithm: %s", async (log) => {
      for (const [rows, columns] of fitting) {
        const x = normal([rows, columns], 1);
        const dy = normal([rows, columns], 2);
        const y = log ? oracle.logSoftmax(x) : oracle.softmax(x);
        const expected = log ? oracle.logSoftmaxGrad(y, dy) : oracle.softmaxGrad(y, dy);
        const { dx } = await launched(
          softmaxGrad,
          { log, ...v },
          { y, dy },
          { dx: [rows, columns] },
          { rows, columns },
        );
        expectNear(dx!, expected, { terms: columns, magnitude: log ? columns : 1 }, `${rows} x ${columns}`);
      }
    });
  },
);
