/** What kernels take of a step. */
import { expect, test, vi } from "vitest";
import { sum } from "../../engine/ops/reduce.ts";
import { profile, withoutPasses } from "../../engine/profiler.ts";
import { Stopwatch } from "../../engine/stopwatch.ts";
import { upload } from "../support/check-op.ts";
import { normal } from "../support/draw.ts";
import { engine } from "../support/engine.ts";

test("what passes of their own cost is taken off, so that the kernels' times are the step's", () => {
  expect(withoutPasses([5, 7, 9], 15)).toEqual([3, 5, 7]);
  expect(withoutPasses([1, 11, 12], 18)).toEqual([0.1, 9, 10]); // never nine tenths of a time
  expect(withoutPasses([1, 2, 3], 7)).toEqual([1, 2, 3]);
});

test("rows tell a step's kernels, and their shares come to one", async () => {
  const x = upload(normal([64, 300], 1));
  const capture = engine.capture(() => sum(x, { axis: 1 }));
  const { rows, ms, dispatches } = await profile(engine, capture, { repeats: 2 });
  expect(dispatches).toBe(capture.commands.length);
  expect(rows.reduce((calls, row) => calls + row.calls, 0)).toBe(dispatches);
  expect(rows.reduce((total, row) => total + row.ms, 0)).toBeCloseTo(ms, 10);
  expect(rows.reduce((share, row) => share + row.share, 0)).toBeCloseTo(1, 10);
  capture.dispose();
  x.dispose();
});

test.skipIf(!engine.device.features.has("timestamp-query"))(
  "a clock that is set back is read once more; what a profile takes of the device goes whatever happens",
  async () => {
    const x = upload(normal([64, 300], 1));
    const capture = engine.capture(() => sum(x, { axis: 1 }));
    const { read: original } = Stopwatch.prototype;
    const setBack = async function (this: Stopwatch) {
      await original.call(this);
      return undefined;
    };
    const read = vi.spyOn(Stopwatch.prototype, "read").mockImplementationOnce(setBack);
    const destroy = vi.spyOn(Stopwatch.prototype, "destroy");
    try {
      const { clock, ms } = await profile(engine, capture, { repeats: 2 });
      expect(clock).toBe("timestamps");
      expect(ms).toBeGreaterThan(0);
      expect(destroy).toHaveBeenCalledTimes(1);
      read.mockImplementation(setBack);
      await expect(profile(engine, capture)).rejects.toThrow(
        "profile: the device's clock is set back again and again; try again",
      );
      expect(destroy).toHaveBeenCalledTimes(2);
    } finally {
      read.mockRestore();
      destroy.mockRestore();
      capture.dispose();
      x.dispose();
    }
  },
);
