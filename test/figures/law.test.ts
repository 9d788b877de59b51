/** The closed-form scores against sums over the plane, and against Stein's identity at the points that are drawn. */
import { describe, expect, test } from "vitest";
import { boardScore } from "../../bench/figures/board-score.ts";
import { estimate } from "../../bench/figures/fisher.ts";
import { boardLaw, circleLaw, comparedLaws, sampleLaw, twoModes } from "../../bench/figures/law.ts";
import { type Ring, ringScore } from "../../bench/figures/ring-score.ts";

/** A piece of a distribution's mass in one place. */
type Atom = readonly [mass: number, x: number, y: number];

/** The score of atoms blurred by N(0, sigma^2 I) at x: (E[atom | x] - x) / sigma^2. */
function blurredScore(atoms: Iterable<Atom>, [x, y]: readonly [number, number], sigma: number) {
  let [mass, sumX, sumY] = [0, 0, 0];
  for (const [m, ax, ay] of atoms) {
    const weight = m * Math.exp(-((x - ax) ** 2 + (y - ay) ** 2) / (2 * sigma ** 2));
    mass += weight;
    sumX += weight * (ax - x);
    sumY += weight * (ay - y);
  }
  return [sumX / mass / sigma ** 2, sumY / mass / sigma ** 2] as const;
}

function* ringAtoms(rings: readonly Ring[]): Generator<Atom> {
  const [radii, angles] = [61, 600];
  for (const { weight, radius, thickness } of rings)
    for (let i = 0; i < radii; i++) {
      const z = (12 * i) / (radii - 1) - 6;
      const mass = weight * Math.exp((-z * z) / 2);
      for (let k = 0; k < angles; k++) {
        const angle = (2 * Math.PI * k) / angles;
        const r = radius + thickness * z;
        yield [mass, r * Math.cos(angle), r * Math.sin(angle)];
      }
    }
}

/** Nodes and weights of Gauss and Legendre's rule of three points on [-1, 1]. */
const RULE = [
  [-Math.sqrt(0.6), 5 / 18],
  [0, 8 / 18],
  [Math.sqrt(0.6), 5 / 18],
] as const;

/** The toy's dark squares: of the 16, those where column and row are both even or both odd. */
function* boardAtoms(): Generator<Atom> {
  const cells = 30;
  for (let column = -2; column < 2; column++)
    for (let row = -2; row < 2; row++) {
      if ((column & 1) !== (row & 1)) continue;
      for (let i = 0; i < cells; i++)
        for (let j = 0; j < cells; j++)
          for (const [u, massU] of RULE)
            for (const [v, massV] of RULE)
              yield [
                massU * massV,
                2 * (column + (i + 0.5 + u / 2) / cells),
                2 * (row + (j + 0.5 + v / 2) / cells),
              ];
    }
}

const places = [
  [0.3, -0.2],
  [1.4, 0.9],
  [-2.2, 2.7],
  [0, 4.6],
  [-5.5, -0.1],
] as const;

function expectScore(got: ArrayLike<number>, expected: readonly [number, number], within: number): void {
  const size = Math.hypot(...expected);
  const off = Math.hypot(got[0]! - expected[0], got[1]! - expected[1]);
  expect(off, `${got}, expected ${expected}`).toBeLessThan(within * (1 + size));
}

describe("rings", () => {
  const rings = [1, 2, 3, 4].map((radius) => ({ weight: radius / 10, radius, thickness: 0.08 }));

  test.each(places)("at (%d, %d)", (x, y) => {
    for (const sigma of [0.3, 1])
      expectScore(ringScore(rings, sigma)([x, y]), blurredScore(ringAtoms(rings), [x, y], sigma), 1e-6);
  });

  test("a thin circle, near and far, and its middle", () => {
    const circle = [{ weight: 1, radius: 1, thickness: 0 }];
    const score = ringScore(circle, 0.1);
    for (const place of [
      [0.9, 0.1],
      [0.02, -0.01],
      [1.5, 2],
    ] as const)
      expectScore(score(place), blurredScore(ringAtoms(circle), place, 0.1), 1e-6);
    expect([...score([0, 0])]).toEqual([0, 0]);
  });
});

test.each(places)("the checkerboard at (%d, %d)", (x, y) => {
  expectScore(boardScore(0.4)([x, y]), blurredScore(boardAtoms(), [x, y], 0.4), 1e-6);
});

test.each([...comparedLaws, circleLaw(0.1), boardLaw(1), twoModes])(
  "points of $name blurred by $sigma have its score: E[x . score] = -2, E[score] = 0",
  (law) => {
    const points = sampleLaw(law, 4000, 5);
    const score = law.score(points);
    const at = (f: (i: number) => number) =>
      estimate(Array.from(score.subarray(0, 4000), (_, k) => f(2 * k)));
    const product = at((i) => points[i]! * score[i]! + points[i + 1]! * score[i + 1]!);
    expect(Math.abs(product.mean + 2) / product.error).toBeLessThan(4);
    for (const axis of [0, 1]) {
      const mean = at((i) => score[i + axis]!);
      expect(Math.abs(mean.mean) / mean.error).toBeLessThan(4);
    }
  },
);

test("no blur, no score", () => {
  expect(() => ringScore([], 0)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: ringScore: got sigma 0, expected a number above 0, for rings are thin]`,
  );
  expect(() => boardScore(Number.NaN)).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: boardScore: got sigma NaN, expected a number above 0, for squares have edges]`,
  );
});
