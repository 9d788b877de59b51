import { expect, test } from "vitest";
import { combine as mathematics } from "../../engine/oracle/combine.ts";
import { combine, MOST_TERMS } from "../../kernels/combine.ts";
import { normal } from "../support/draw.ts";
import { launched } from "../support/kernels.ts";
import { expectNear } from "../support/near.ts";

const COUNT = 4109; // no multiple of a vec4, of four, or of a workgroup
const factors = [0.5, -2, 0, 3.25, -0.125, 1];

test.each(combine.variants)("$terms terms, $vecs vec4s a thread", async (variant) => {
  const x = normal([COUNT], 1);
  const terms = Array.from({ length: variant.terms }, (_, j) => normal([COUNT], j + 2));
  const { y } = await launched(
    combine,
    variant,
    { x, ...Object.fromEntries(terms.map((k, j) => [`k${j}`, k])) },
    { y: [COUNT] },
    { count: COUNT, c0: 0.5, c1: -2, c2: 0, c3: 3.25, c4: -0.125, c5: 1 },
  );
  expectNear(y!, mathematics(x, terms, factors));
});

test("there is a variant for each number of terms", () => {
  expect(new Set(combine.variants.map((v) => v.terms)).size).toBe(MOST_TERMS);
});
