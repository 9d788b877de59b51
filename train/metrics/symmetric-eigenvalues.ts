import { invariant } from "../../engine/errors.ts";

/** Rotations of one eigenvalue, at most; two or three are usual. */
const MOST_SWEEPS = 100;

/**
 * The eigenvalues of a symmetric matrix [n, n], in no order, each to about n 2^-52 times the largest. By Householder
 * reflections to a tridiagonal matrix and implicit QL (Wilkinson & Reinsch 1971, II/2 and II/4). Time 4/3 n^3.
 */
export function symmetricEigenvalues(matrix: Float64Array, n: number): Float64Array {
  const scale = matrix.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  if (scale === 0) return new Float64Array(n);
  const { diagonal, beside } = tridiagonal(
    matrix.map((value) => value / scale), // squares neither vanish nor overflow
    n,
  );
  return implicitQl(diagonal, beside).map((value) => value * scale);
}

/** beside[i] stands between diagonal[i] and diagonal[i + 1]. Overwrites the matrix, of which the lower half is read. */
function tridiagonal(a: Float64Array, n: number): { diagonal: Float64Array; beside: Float64Array } {
  const beside = new Float64Array(n);
  const [v, w] = [new Float64Array(n), new Float64Array(n)];
  for (let size = n - 1; size > 1; size--) {
    const row = size * n;
    let squares = 0;
    for (let i = 0; i < size - 1; i++) squares += a[row + i]! ** 2;
    const last = a[row + size - 1]!;
    if (squares === 0) {
      beside[size - 1] = last;
      continue;
    }
    const length = Math.sqrt(squares + last ** 2) * (last < 0 ? 1 : -1); // of the other sign: no cancellation
    beside[size - 1] = length;
    for (let i = 0; i < size; i++) v[i] = a[row + i]!;
    v[size - 1]! -= length;
    reflect(a, n, size, v, w, 2 / (squares + v[size - 1]! ** 2));
  }
  if (n > 1) beside[0] = a[n]!;
  return { diagonal: Float64Array.from({ length: n }, (_, i) => a[i * n + i]!), beside };
}

/** A <- H A H of the leading size x size part, H = 1 - factor v v^T: A - v w^T - w v^T with w of A v. */
function reflect(a: Float64Array, n: number, size: number, v: Float64Array, w: Float64Array, factor: number) {
  w.fill(0, 0, size);
  for (let i = 0; i < size; i++) {
    const [row, vi] = [i * n, v[i]!];
    let sum = a[row + i]! * vi;
    for (let j = 0; j < i; j++) {
      sum += a[row + j]! * v[j]!;
      w[j]! += a[row + j]! * vi;
    }
    w[i]! += sum;
  }
  let along = 0;
  for (let i = 0; i < size; i++) {
    w[i]! *= factor;
    along += w[i]! * v[i]!;
  }
  for (let i = 0; i < size; i++) w[i]! -= 0.5 * factor * along * v[i]!;
  for (let i = 0; i < size; i++) {
    const [row, vi, wi] = [i * n, v[i]!, w[i]!];
    for (let j = 0; j <= i; j++) a[row + j]! -= vi * w[j]! + wi * v[j]!;
  }
}

/** Overwrites both. */
function implicitQl(d: Float64Array, e: Float64Array): Float64Array {
  const n = d.length;
  const apart = (i: number) => Math.abs(e[i]!) <= Number.EPSILON * (Math.abs(d[i]!) + Math.abs(d[i + 1]!));
  for (let first = 0; first < n; first++) {
    for (let sweep = 0; ; sweep++) {
      let end = first;
      while (end < n - 1 && !apart(end)) end++;
      if (end === first) break;
      invariant(sweep < MOST_SWEEPS, "symmetricEigenvalues: QL did not converge");
      chase(d, e, first, end);
    }
  }
  return d;
}

/** One sweep of rotations over first .. end, shifted by the eigenvalue of the first 2 x 2 part next to d[first]. */
function chase(d: Float64Array, e: Float64Array, first: number, end: number): void {
  const half = (d[first + 1]! - d[first]!) / (2 * e[first]!);
  const root = Math.sqrt(half ** 2 + 1);
  let g = d[end]! - d[first]! + e[first]! / (half + (half < 0 ? -root : root));
  let [sine, cosine, shift] = [1, 1, 0];
  for (let i = end - 1; i >= first; i--) {
    const [f, b] = [sine * e[i]!, cosine * e[i]!];
    const r = Math.sqrt(f * f + g * g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= shift;
      e[end] = 0;
      return;
    }
    sine = f / r;
    cosine = g / r;
    g = d[i + 1]! - shift;
    const turned = (d[i]! - g) * sine + 2 * cosine * b;
    shift = sine * turned;
    d[i + 1] = g + shift;
    g = cosine * turned - b;
  }
  d[first]! -= shift;
  e[first] = g;
  e[end] = 0;
}
