import { describe, expect, test } from "vitest";
import type { Check } from "./case.ts";
import { judge } from "./compare.ts";

const named = (values: Record<string, number[]>) => new Map(Object.entries(values));
const share = (check: Omit<Check, "group">, truth: number[], got: number[]): number =>
  judge([{ group: "out.y", ...check }], named({ "out.y": truth }), named({ "out.y": got }))[0]!.share;

describe("a group's error as a share of its tolerance", () => {
  test("is the worse of largest and relative error", () => {
    expect(share({ tol_max_abs: 0.2, tol_rel_l2: 1 }, [3, 4], [3.1, 4])).toBeCloseTo(0.5);
    expect(share({ tol_max_abs: 10, tol_rel_l2: 0.01 }, [3, 4], [3.1, 4])).toBeCloseTo(2);
  });

  test("takes the tensors of a prefix as one vector", () => {
    const truth = named({ "grad.param.a": [3], "grad.param.b": [4], "grad.in.x": [1] });
    const got = named({ "grad.param.a": [3], "grad.param.b": [4.5] });
    const [verdict] = judge([{ group: "grad.param.*", tol_max_abs: 1, tol_rel_l2: 0.1 }], truth, got);
    expect(verdict!.share).toBeCloseTo(1); // 0.5 of |(3, 4)| = 5
  });

  test("leaves tensors with a check of their own, and the float32 run's, out of the prefix", () => {
    const truth = named({ "final.a": [1], "final.b": [1], "final.a.f32": [9] });
    const got = named({ "final.a": [1], "final.b": [1.5] });
    const checks = [
      { group: "final.*", tol_max_abs: 0.1 },
      { group: "final.b", tol_max_abs: 1 },
    ];
    expect(judge(checks, truth, got).map((v) => v.share)).toEqual([0, 0.5]);
  });

  test("counts the bound of each tensor beside the group's", () => {
    const truth = named({ "final.a": [1], "final.b": [1000] });
    const got = named({ "final.a": [1.5], "final.b": [1000] });
    const check = { group: "final.*", tol_max_abs: 10, tol_max_abs_each: { "final.a": 0.1, "final.b": 10 } };
    const [verdict] = judge([check], truth, got);
    expect(verdict!.share).toBeCloseTo(5);
    expect(verdict!.detail).toContain("final.a");
  });

  test("ignores the relative bound where the truth is 0 or none is given", () => {
    expect(share({ tol_max_abs: 1, tol_rel_l2: 1e-9 }, [0, 0], [0.5, 0])).toBe(0.5);
    expect(share({ tol_max_abs: 1, tol_rel_l2: null }, [1, 0], [1.5, 0])).toBe(0.5);
  });

  test.each<[what: string, check: Omit<Check, "group">, truth: number[], got: number[]]>([
    ["NaN", { tol_max_abs: 1e9, tol_rel_l2: 1e9 }, [1, 2], [1, NaN]],
    ["NaN before a number", { tol_max_abs: 1e9 }, [1, 2], [NaN, 2]],
    ["infinity", { tol_max_abs: 1 }, [1], [Infinity]],
    ["too few values", { tol_max_abs: 1 }, [1, 2], [1]],
    ["no bound", {}, [1], [1]],
    ["an integer off by one", { exact: true }, [5], [6]],
    ["any error at tolerance 0", { tol_max_abs: 0 }, [1], [1.0001]],
  ])("fails on %s", (_, check, truth, got) => {
    expect(share(check, truth, got)).toBeGreaterThan(1);
  });

  test("fails on a result that is missing, and on a group the file lacks", () => {
    const missing = judge(
      [{ group: "grad.*", tol_max_abs: 1 }],
      named({ "grad.a": [1], "grad.b": [1] }),
      named({ "grad.a": [1] }),
    );
    expect(missing[0]).toEqual({ group: "grad.*", share: Infinity, detail: "no result for grad.b" });
    const absent = judge([{ group: "out.z", tol_max_abs: 1 }], named({}), named({ "out.z": [1] }));
    expect(absent[0]!.detail).toBe("the file has no such tensor");
  });

  test("equal integers pass", () => {
    expect(share({ exact: true }, [5, -1], [5, -1])).toBe(0);
  });
});
