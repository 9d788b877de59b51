import { expect, test } from "vitest";
import { random } from "../../data/random.ts";

const draw = (count: number, next: () => number) => Array.from({ length: count }, next);
const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

test("a stream depends on all its words and on nothing else", () => {
  const begin = (...words: number[]) => draw(4, random(...words).uniform);
  expect(begin(1, 2)).toEqual(begin(1, 2));
  for (const words of [[2, 1], [1, 3], [1], [1, 2, 0], [1 + 2 ** 32, 2]])
    expect(begin(...words)).not.toEqual(begin(1, 2));
});

test("the numbers are pinned, so that images and epochs stay the same from version to version", () => {
  expect(draw(3, random(7).uniform)).toMatchInlineSnapshot(`
    [
      0.8834771355614066,
      0.7994889700785279,
      0.670938084134832,
    ]
  `);
});

test("uniform and normal have their moments", () => {
  const n = 100_000;
  const uniform = draw(n, random(1).uniform);
  const normal = draw(n, random(2).normal);
  const se = 4 / Math.sqrt(n); // four standard errors of a unit variable
  expect(Math.abs(mean(uniform) - 1 / 2)).toBeLessThan(se * Math.sqrt(1 / 12));
  expect(Math.abs(mean(normal))).toBeLessThan(se);
  expect(Math.abs(mean(normal.map((z) => z ** 2)) - 1)).toBeLessThan(se * Math.SQRT2);
  expect(Math.abs(mean(normal.map((z) => z ** 4)) - 3)).toBeLessThan(se * Math.sqrt(96));
});

test("streams of neighbouring words are not correlated", () => {
  const starts = draw(
    20_000,
    (() => {
      let i = 0;
      return () => random(0, i++).normal();
    })(),
  );
  const product = mean(starts.slice(1).map((z, i) => z * starts[i]!));
  expect(Math.abs(product)).toBeLessThan(4 / Math.sqrt(20_000));
});
