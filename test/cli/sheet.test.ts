import { expect, test } from "vitest";
import { sheetOf } from "../../cli/pictures/png.ts";

test("a sheet of many images shows them smaller, and of too many the first", () => {
  const image = { c: 3, h: 10, w: 10 };
  const of = (n: number) => sheetOf({ n, ...image }, 27_000);
  expect(of(10)).toEqual({ n: 10, scale: 3 });
  expect(of(20)).toEqual({ n: 20, scale: 2 });
  expect(of(90)).toEqual({ n: 90, scale: 1 });
  expect(of(91)).toEqual({ n: 90, scale: 1 });
  expect(sheetOf({ n: 2427, c: 3, h: 256, w: 256 }).scale).toBe(1);
});
