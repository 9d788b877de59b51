/** The numbers that IEEE half-precision words stand for. */
export function floatsOfHalves(words: Uint16Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(words, (w) => {
    const sign = w & 0x8000 ? -1 : 1;
    const exponent = (w >> 10) & 31;
    const fraction = w & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Infinity;
    return sign * (exponent === 0 ? fraction * 2 ** -24 : (1024 + fraction) * 2 ** (exponent - 25));
  });
}
