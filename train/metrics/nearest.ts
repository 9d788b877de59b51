/**
 * Distance of each vector of a [n, dim] to its nearest in b [m, dim]. A sum already too large is left off
 * early. -> [n]
 */
export function nearestDistances(a: Float32Array, b: Float32Array, dim: number): Float64Array {
  const m = b.length / dim;
  return Float64Array.from({ length: a.length / dim }, (_, i) => {
    let best = Infinity;
    for (let j = 0; j < m; j++) {
      let sum = 0;
      for (let d = 0; d < dim && sum < best; d++) sum += (a[i * dim + d] - b[j * dim + d]) ** 2;
      if (sum < best) best = sum;
    }
    return Math.sqrt(best);
  });
}
