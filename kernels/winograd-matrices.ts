/*
 * The matrices of Winograd's minimal filtering F(m x m, 3 x 3), m = 2 and 4: y = A^T [(G g) (B^T d)] in one dimension, of
 * m outputs y, 3 weights g and m + 2 inputs d, with one product for each of m + 2 points at which polynomials are
 * evaluated (Toom & Cook; Lavin & Gray 2016).
 *
 * The points of F(2, 3) are 0, 1, -1 and infinity: it errs less than a direct sum, which adds more terms in a row. The points
 * of F(4, 3) decide how much of float32 is left: with 0, +-5/8, +-3/2 and infinity the error is twice a direct sum's (root
 * mean square, 64 to 512 channels of normal numbers), half of what 0, +-1, +-2 or 0, +-1, +-1/2 give, and all powers in A and
 * B are exact. Scaling rows changes nothing but the rounding of constants. (Barabasz et al. 2020 search for such points.)
 */

/** Outputs of a tile along one axis. */
export const winogradTileSizes = [2, 4] as const;
export type WinogradTile = (typeof winogradTileSizes)[number];
type Matrix = readonly (readonly number[])[];

/** As they multiply columns: input is B^T, weight G, output A^T. */
type Matrices = Readonly<Record<"input" | "weight" | "output", Matrix>>;

const two: Matrices = {
  input: [
    [1, 0, -1, 0],
    [0, 1, 1, 0],
    [0, -1, 1, 0],
    [0, 1, 0, -1],
  ],
  weight: [
    [1, 0, 0],
    [0.5, 0.5, 0.5],
    [0.5, -0.5, 0.5],
    [0, 0, 1],
  ],
  output: [
    [1, 1, 1, 0],
    [0, 1, -1, -1],
  ],
};

/** Of the points 0, +-a, +-b and infinity. Rows of B^T hold the product of x - p over the other points p, those of G the rest. */
function four(a: number, b: number): Matrices {
  const [aa, bb] = [a * a, b * b];
  const over = (by: number, ...row: number[]) => row.map((v) => v / by);
  const [byA, byB] = [2 * aa * (aa - bb), 2 * bb * (bb - aa)];
  return {
    input: [
      [aa * bb, 0, -aa - bb, 0, 1, 0],
      [0, -a * bb, -bb, a, 1, 0],
      [0, a * bb, -bb, -a, 1, 0],
      [0, -b * aa, -aa, b, 1, 0],
      [0, b * aa, -aa, -b, 1, 0],
      [0, aa * bb, 0, -aa - bb, 0, 1],
    ],
    weight: [
      over(aa * bb, 1, 0, 0),
      over(byA, 1, a, aa),
      over(byA, 1, -a, aa),
      over(byB, 1, b, bb),
      over(byB, 1, -b, bb),
      [0, 0, 1],
    ],
    output: [
      [1, 1, 1, 1, 1, 0],
      [0, a, -a, b, -b, 0],
      [0, aa, aa, bb, bb, 0],
      [0, a * aa, -a * aa, b * bb, -b * bb, 1],
    ],
  };
}

export const winogradMatrices: Readonly<Record<WinogradTile, Matrices>> = { 2: two, 4: four(5 / 8, 3 / 2) };

/** WGSL of element i of a matrix times the column of `x`. */
export type Row = (i: number, x: (k: number) => string) => string;

type Term = readonly [coefficient: number, x: string];

/** WGSL: the sum of terms, none of them 0. */
const sum = (terms: readonly Term[]): string =>
  terms
    .map(([c, x], k) => {
      const sign = c < 0 ? "-" : "+";
      const size = Math.abs(c) === 1 ? x : `${Math.abs(c)} * ${x}`;
      if (k > 0) return ` ${sign} ${size}`;
      return c < 0 ? `-${size}` : size;
    })
    .join("");

/** Terms as a sum in brackets whose first term is positive, times 1 or -1, so that equal sums are written alike. */
function bracket(terms: readonly Term[]): Term[] {
  if (terms.length === 0) return [];
  const sign = Math.sign(terms[0]![0]);
  return [
    [
      sign,
      terms.length === 1
        ? sum([[sign * terms[0]![0], terms[0]![1]]])
        : `(${sum(terms.map(([c, x]) => [sign * c, x]))})`,
    ],
  ];
}

/** For rows of opposite points, which differ in the sign of the odd terms: the compiler finds both sums in the other row. */
const byParity =
  (matrix: Matrix): Row =>
  (i, x) => {
    const terms = matrix[i]!.map((c, k): Term => [c, x(k)]);
    const [even, odd] = [0, 1].map((parity) => terms.filter(([c], k) => c !== 0 && k % 2 === parity));
    return sum([...bracket(even!), ...bracket(odd!)]);
  };

/** For columns of opposite points, whose coefficients are equal but for their sign: one multiplication for both. */
const byPairs =
  (matrix: Matrix): Row =>
  (i, x) => {
    const row = matrix[i]!;
    const terms = row.flatMap((c, k): Term[] => {
      if (c === 0 || (k > 0 && k % 2 === 0)) return [];
      const pair = k % 2 === 1 && k + 1 < row.length && row[k + 1] !== 0;
      return [[c, pair ? `(${x(k)} ${row[k + 1] === c ? "+" : "-"} ${x(k + 1)})` : x(k)]];
    });
    return sum(terms);
  };

const turned = (matrix: Matrix): Matrix => matrix[0]!.map((_, j) => matrix.map((row) => row[j]!));

/** WGSL of B^T d, G g and A^T m, and of the transposed matrices of the gradients, A d and G^T m. */
export const winogradRows = (
  tile: WinogradTile,
): Readonly<Record<"input" | "weight" | "output" | "outputGrad" | "weightGrad", Row>> => {
  const { input, weight, output } = winogradMatrices[tile];
  return {
    input: byParity(input),
    weight: byParity(weight),
    output: byPairs(output),
    outputGrad: byParity(turned(output)),
    weightGrad: byPairs(turned(weight)),
  };
};
