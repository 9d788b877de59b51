import { UsageError } from "../../engine/errors.ts";
import {
  add,
  avgPool2d,
  chunk,
  concat,
  matmul,
  mul,
  resizeNearest,
  scale,
  slice,
  sub,
  upfirdn2d,
} from "../../engine/ops/index.ts";
import { showShape } from "../../engine/shapes.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { requireWhole } from "../require.ts";
import type { Operator } from "./inverse.ts";

/**
 * Means over blocks of factor x factor pixels: x [n,c,h,w] -> [n,c,h/factor,w/factor]. The answer, the residual in each
 * pixel of its block, is the pseudo-inverse. Throws UsageError for a factor that is no whole number from 2, and when
 * applied to sizes that it does not divide.
 */
export function superResolution(factor: number): Operator {
  const name = "superResolution";
  requireWhole(name, { factor }, 2);
  return {
    name,
    apply(x) {
      requireImages(name, x);
      if (x.dim(2) % factor !== 0 || x.dim(3) % factor !== 0)
        throw new UsageError(
          `${name}: got images ${showShape(x.shape)}, expected sizes that ${factor} divides; crop them`,
        );
      return avgPool2d(x, { kernel: factor });
    },
    answer: (residual) => resizeNearest(residual, [residual.dim(2) * factor, residual.dim(3) * factor]),
  };
}

/**
 * A filter of an odd number of taps along both axes, with zeros around the image: x [n,c,h,w] -> x's shape. The taps
 * are divided by the sum of their magnitudes, so that |A| <= 1. The answer is Landweber's iteration from 0: the transpose
 * after one (unless told), the pseudo-inverse after very many. What the filter leaves h of is answered for in a share of
 * 1 - (1 - h^2)^iterations: nearly lost detail slowly, as the pseudo-inverse would amplify its rounding and noise.
 * Throws UsageError for an even number of taps, for taps that are not finite or all 0, and for no iterations.
 */
export function blur(taps: readonly number[], { iterations = 1 } = {}): Operator {
  const name = "blur";
  const total = taps.reduce((sum, tap) => sum + Math.abs(tap), 0);
  if (taps.length % 2 === 0 || !(total > 0 && Number.isFinite(total)))
    throw new UsageError(`${name}: got taps [${taps}], expected an odd number of finite ones, not all 0`);
  requireWhole(name, { iterations }, 1);
  const border = (taps.length - 1) / 2;
  const filterBy = (own: readonly number[]) => {
    const filter = own.flatMap((a) => own.map((b) => (a * b) / total ** 2));
    return (x: Tensor) => {
      requireImages(name, x);
      return upfirdn2d(x, x.engine.tensor(filter, [taps.length, taps.length]), { pad: [border, border] });
    };
  };
  const [apply, transposed] = [filterBy(taps), filterBy(taps.toReversed())];
  return {
    name,
    apply,
    answer(residual) {
      let change = transposed(residual);
      for (let i = 1; i < iterations; i++) change = add(change, transposed(sub(residual, apply(change))));
      return change;
    },
  };
}

/**
 * Some frequencies of the unitary discrete Fourier transform, such as magnetic resonance measures: x [n,c,h,w] ->
 * [n,2c,h,w], the real parts of all channels before their imaginary parts, 0 where nothing is measured. mask: h rows of
 * w numbers, frequency 0 first, 1 where measured. The answer is the pseudo-inverse; images are real, so that one of two
 * opposite frequencies tells the other. Throws UsageError for rows of different lengths, for other values than 0 and 1,
 * and when applied to images of another size.
 */
export function maskedFourier(mask: readonly (readonly number[])[]): Operator {
  const name = "maskedFourier";
  const [h, w] = requireFourierMask(name, mask);
  const opposite = (i: number, j: number) => mask[(h - i) % h]![(w - j) % w]!;
  const weights = mask.flatMap((row, i) => row.map((m, j) => m * (opposite(i, j) ? 1 : 2)));
  const [rows, columns] = [fourierRows(h), fourierRows(w)];

  return {
    name,
    // With F = C - iS the transform F x F is C x C - S x S - i (C x S + S x C), four parts of [C; S] x [C, S].
    apply(x) {
      requireImages(name, x);
      const [n, c] = x.shape as [number, number];
      if (x.dim(2) !== h || x.dim(3) !== w)
        throw new UsageError(
          `${name}: got images ${showShape(x.shape)}, expected [n,c,${h},${w}], the size of the mask`,
        );
      const parts = matmul(
        matmul(x.engine.tensor(rows, [2 * h, h]), x),
        x.engine.tensor(columns, [2 * w, w]),
        { transposeB: true },
      ); // [n,c,2h,2w]
      const part = (i: number, j: number) => slice(parts, [0, 0, i * h, j * w], [n, c, h, w]);
      const re = sub(part(0, 0), part(1, 1));
      const im = scale(add(part(0, 1), part(1, 0)), -1);
      return mul(concat([re, im], 1), x.engine.tensor(mask.flat(), [1, 1, h, w]));
    },
    // The transpose of that, of what is measured once with twice the weight.
    answer(residual) {
      const { engine } = residual;
      const weighed = mul(residual, engine.tensor(weights, [1, 1, h, w]));
      const [re, im] = chunk(weighed, 2, 1) as [Tensor, Tensor];
      const minus = (t: Tensor) => scale(t, -1);
      const parts = concat([concat([re, minus(im)], 3), concat([minus(im), minus(re)], 3)], 2); // [n,c,2h,2w]
      return matmul(
        matmul(engine.tensor(rows, [2 * h, h]), parts, { transposeA: true }),
        engine.tensor(columns, [2 * w, w]),
      );
    },
  };
}

/** [C; S], cosines above sines of the unitary discrete Fourier transform of a length: [2 length, length]. */
function fourierRows(length: number): number[] {
  const indices = Array.from({ length }, (_, i) => i);
  const rowsOf = (wave: (angle: number) => number) =>
    indices.flatMap((i) =>
      indices.map((j) => wave((2 * Math.PI * ((i * j) % length)) / length) / Math.sqrt(length)),
    );
  return [...rowsOf(Math.cos), ...rowsOf(Math.sin)];
}

function requireFourierMask(who: string, mask: readonly (readonly number[])[]): [h: number, w: number] {
  const [h, w] = [mask.length, mask[0]?.length ?? 0];
  const ragged = mask.findIndex((row) => row.length !== w);
  if (w === 0 || ragged >= 0)
    throw new UsageError(
      `${who}: got a mask of ${h} rows, ${mask[ragged]?.length ?? 0} numbers in row ${Math.max(ragged, 0)}, ` +
        "expected rows of one length, at least 1",
    );
  const bad = mask.flat().findIndex((m) => m !== 0 && m !== 1);
  if (bad >= 0)
    throw new UsageError(
      `${who}: got mask ${mask.flat()[bad]} in row ${Math.floor(bad / w)}, expected 1 where measured and 0 elsewhere`,
    );
  return [h, w];
}

function requireImages(who: string, x: Tensor): void {
  if (x.rank !== 4) throw new UsageError(`${who}: got x ${showShape(x.shape)}, expected [n,c,h,w]`);
}
