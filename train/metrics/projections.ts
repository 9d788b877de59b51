/** Uniform numbers on [0, 1) from a seed, for metrics that must give the same value twice. splitmix32. */
export function uniformStream(seed: number): () => number {
  let state = seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x85ebca6b); // seeds above 32 bits count in full
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let h = state;
    h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
    h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
    return ((h ^ (h >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A direction uniform on the unit sphere of dim dimensions: normals (Box-Muller), normalised. */
export function unitDirection(dim: number, uniform: () => number): Float64Array {
  const direction = new Float64Array(dim);
  let squares = 0;
  for (let i = 0; i < dim; i++) {
    const z = Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    direction[i] = z;
    squares += z * z;
  }
  return direction.map((z) => z / Math.sqrt(squares));
}
