import { expect, test } from "vitest";
import { estimate, fisherDivergence } from "../../bench/figures/fisher.ts";
import { markdownTable, plusMinus } from "../../bench/figures/table.ts";
import { random } from "../../data/random.ts";

const truth = [3, 4, 0, 1, -2, 0, 1, -1];

test("the true score is at 0, none at 1, the true one with the wrong sign at 4", () => {
  const of = (factor: number) =>
    fisherDivergence(
      truth.map((v) => factor * v),
      truth,
    );
  expect(of(1)).toMatchObject({ absolute: { mean: 0 }, relative: { mean: 0 }, ofZero: { mean: 8 } });
  expect(of(0).relative).toEqual({ mean: 1, error: 0 });
  expect(of(0).absolute.mean).toBe(8);
  expect(of(-1).relative).toEqual({ mean: 4, error: 0 });
});

test("the errors are those seen among many draws", () => {
  const many = Array.from({ length: 400 }, (_, seed) => {
    const r = random(seed);
    const at = Array.from({ length: 400 }, () => r.normal());
    return fisherDivergence(
      at.map((v) => -0.7 * v + 0.2 * v ** 2),
      at.map((v) => -v),
    );
  });
  for (const name of ["absolute", "relative", "ofZero"] as const) {
    const spread = estimate(many.map((one) => one[name].mean)).error * Math.sqrt(many.length);
    const told = estimate(many.map((one) => one[name].error)).mean;
    expect(Math.abs(told / spread - 1)).toBeLessThan(0.15); // that of a spread over 400 draws is 0.035
  }
});

test("as many values of both, two for each point", () => {
  expect(() => fisherDivergence([1, 2], truth)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: fisherDivergence: got 2 and 8 values, expected as many of each, 2 for each point]`,
  );
});

test("numbers are shown to the second digit of their error, tables lined up", () => {
  expect(plusMinus({ mean: 0.031_24, error: 0.000_412 })).toBe("0.03124 ± 0.00041");
  expect(plusMinus({ mean: 123.4, error: 17 })).toBe("123 ± 17");
  expect(plusMinus({ mean: 8, error: 0 })).toBe("8.000");
  expect(
    markdownTable([
      ["a", "number"],
      ["longer", "1"],
    ]).split("\n"),
  ).toEqual(["| a      | number |", "| ------ | ------ |", "| longer | 1      |"]);
});
