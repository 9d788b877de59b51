/** Pixels [C, P] as one channel or three: grey is luma (ITU-R BT.601), RGB of a grey image repeats it. */
export function convertChannels(values: Float32Array, from: number, to: number): Float32Array {
  if (from === to) return values;
  const pixels = values.length / from;
  const out = new Float32Array(to * pixels);
  for (let p = 0; p < pixels; p++) {
    if (to === 1) out[p] = 0.299 * values[p]! + 0.587 * values[pixels + p]! + 0.114 * values[2 * pixels + p]!;
    else for (let c = 0; c < to; c++) out[c * pixels + p] = values[p]!;
  }
  return out;
}
