/** The small classifier in float64 and plain loops. */

export type Values = ReadonlyMap<string, ArrayLike<number>>;

interface Maps {
  readonly c: number;
  readonly side: number;
  readonly data: Float64Array;
}

/** One image [c,side,side] in noise of deviation sigma -> what the last layer sees, and the logits. */
export function classify64(
  values: Values,
  { c, side, data }: Maps,
  sigma: number,
  [c0, c1, c2]: readonly [number, number, number],
): { features: number[]; logits: number[] } {
  const get = (name: string) => values.get(name)!;
  const layer = (x: readonly number[], name: string) => dense(x, get(`${name}.weight`), get(`${name}.bias`));

  const angles = Array.from(get("GaussianFourierProjection_0.W"), (w) => 2 * Math.PI * w * Math.log(sigma));
  const embedding = layer([...angles.map(Math.sin), ...angles.map(Math.cos)], "Dense_0");
  const conv = (x: Maps, name: string, out: number, stride = 1) =>
    conv3x3(x, get(`${name}.weight`), get(`${name}.bias`), out, stride);
  const norm = (x: Maps, name: string) => normSilu(x, get(`${name}.weight`), get(`${name}.bias`));
  const block = (x: Maps, name: string, out: number): Maps => {
    const shift = layer(embedding.map(silu), `${name}.Dense_0`);
    const h = conv(norm(x, `${name}.GroupNorm_0`), `${name}.Conv_0`, out);
    const told = { ...h, data: h.data.map((v, i) => v + shift[Math.floor(i / h.side ** 2)]!) };
    const y = conv(norm(told, `${name}.GroupNorm_1`), `${name}.Conv_1`, out);
    const skip = mixed(x, get(`${name}.NIN_0.W`), get(`${name}.NIN_0.b`), out);
    return { ...y, data: y.data.map((v, i) => v + skip.data[i]!) };
  };

  const scale = Math.sqrt(sigma ** 2 + 0.25);
  const brought = { c, side, data: data.map((v) => (v - 0.5) / scale) };
  const half = block(conv(brought, "Conv_0", c0, 2), "ResnetBlockDDPM_0", c1);
  const quarter = block(meanPool(half), "ResnetBlockDDPM_1", c2);
  const features = layer([...norm(quarter, "GroupNorm_0").data], "Dense_1").map(silu);
  return { features, logits: layer(features, "Dense_2") };
}

const silu = (v: number): number => v / (1 + Math.exp(-v));

function dense(x: readonly number[], weight: ArrayLike<number>, bias: ArrayLike<number>): number[] {
  return Array.from(bias, (b, o) => x.reduce((sum, v, i) => sum + v * weight[o * x.length + i]!, b));
}

function conv3x3(
  { c, side, data }: Maps,
  weight: ArrayLike<number>,
  bias: ArrayLike<number>,
  out: number,
  stride: number,
): Maps {
  const after = side / stride;
  const y = new Float64Array(out * after ** 2);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < after; i++)
      for (let j = 0; j < after; j++) {
        let sum = bias[o]!;
        for (let k = 0; k < c; k++)
          for (let a = 0; a < 3; a++)
            for (let b = 0; b < 3; b++) {
              const [row, column] = [i * stride + a - 1, j * stride + b - 1];
              if (row < 0 || row >= side || column < 0 || column >= side) continue;
              sum += data[(k * side + row) * side + column]! * weight[((o * c + k) * 3 + a) * 3 + b]!;
            }
        y[(o * after + i) * after + j] = sum;
      }
  return { c: out, side: after, data: y };
}

/** Group norm of four channels a group with eps 1e-6, then silu. */
function normSilu(x: Maps, weight: ArrayLike<number>, bias: ArrayLike<number>): Maps {
  const size = 4 * x.side ** 2;
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += size) {
    const group = x.data.subarray(start, start + size);
    const mean = group.reduce((a, b) => a + b) / size;
    const variance = group.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size;
    for (const [i, v] of group.entries()) {
      const channel = Math.floor((start + i) / x.side ** 2);
      data[start + i] = silu(((v - mean) / Math.sqrt(variance + 1e-6)) * weight[channel]! + bias[channel]!);
    }
  }
  return { ...x, data };
}

/** The same linear layer at every pixel, W [in,out]. */
function mixed({ c, side, data }: Maps, W: ArrayLike<number>, b: ArrayLike<number>, out: number): Maps {
  const pixels = side ** 2;
  const y = Float64Array.from({ length: out * pixels }, (_, i) => {
    const [o, p] = [Math.floor(i / pixels), i % pixels];
    let sum = b[o]!;
    for (let k = 0; k < c; k++) sum += data[k * pixels + p]! * W[k * out + o]!;
    return sum;
  });
  return { c: out, side, data: y };
}

function meanPool({ c, side, data }: Maps): Maps {
  const half = side / 2;
  const y = new Float64Array(c * half ** 2);
  for (const [i, v] of data.entries()) {
    const [channel, row, column] = [Math.floor(i / side ** 2), Math.floor(i / side) % side, i % side];
    y[(channel * half + (row >> 1)) * half + (column >> 1)]! += v / 4;
  }
  return { c, side: half, data: y };
}
