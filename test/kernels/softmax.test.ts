import { describe, expect, test } from "vitest";
import { logsumexp } from "../../engine/oracle/reduce.ts";
import * as oracle from "../../engine/oracle/softmax.ts";
import { foldVariants, needsSubgroups } from "../../kernels/folds.ts";
import { range } from "../../kernels/kernel.ts";
import { softmax, softmaxGrad } from "../../kernels/softmax.ts";
import { softmaxByLanes, softmaxLanes } from "../../kernels/softmax-lanes.ts";
import * as gradients from "../oracle/gradients.ts";
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
        const expected = log ? gradients.logSoftmaxGrad(y, dy) : gradients.softmaxGrad(y, dy);
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

describe("by lanes that keep a row", () => {
  const { subgroups, subgroupSize = 0 } = engine.hardware;
  const fitting = softmaxByLanes.variants.filter(({ lanes }) => subgroups && lanes <= subgroupSize);

  test.runIf(fitting.length > 0).each(fitting)("$out, $lanes lanes with $each vec4s", async (v) => {
    for (const rows of [1, 3, 67, 300])
      for (const vecs of range(v.lanes).map((i) => v.lanes * (v.each - 1) + i + 1)) {
        const columns = 4 * vecs;
        const x = normal([rows, columns], 1);
        const expected = v.out === "logsumexp" ? logsumexp(x, [-1]) : oracle[v.out](x);
        const { y } = await launched(softmaxByLanes, v, { x }, { y: expected.shape }, { rows, columns });
        expectNear(y!, expected, { terms: columns }, `${rows} x ${columns}`);
      }
  });

  const hw = { ...engine.hardware, kind: "gpu", subgroups: true, subgroupSize: 32 } as const;

  test.each([
    [4, { lanes: 1, each: 1 }],
    [16, { lanes: 1, each: 4 }],
    [32, { lanes: 2, each: 4 }],
    [100, { lanes: 8, each: 4 }],
    [256, { lanes: 16, each: 4 }],
    [1020, { lanes: 32, each: 8 }],
    [1024, undefined],
    [50, undefined],
  ])("rows of %d", (columns, usual) => {
    expect(softmaxLanes(hw, columns)[0]).toEqual(usual);
    for (const { lanes, each } of softmaxLanes(hw, columns)) {
      expect(4 * lanes * each).toBeGreaterThanOrEqual(columns);
      expect(4 * lanes * (each - 1)).toBeLessThan(columns);
    }
  });

  test("not where subgroups have no lanes to count on, nor on a CPU", () => {
    expect(softmaxLanes({ ...hw, subgroupSize: undefined }, 256)).toEqual([]);
    expect(softmaxLanes({ ...hw, subgroups: false }, 256)).toEqual([]);
    expect(softmaxLanes({ ...hw, kind: "cpu" }, 256)).toEqual([]);
  });
});
