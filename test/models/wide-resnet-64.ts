/** The wide residual network in float64 and plain loops, from the official description. */

export type Values = ReadonlyMap<string, ArrayLike<number>>;

interface Maps {
  readonly c: number;
  readonly h: number;
  readonly w: number;
  readonly data: Float64Array;
}

export interface Reference {
  readonly values: Values;
  readonly blocksPerGroup: number;
  readonly channelMultiplier: number;
}

/** One image [c,h,w] at the noise level sigma -> logits. */
export function logits64(net: Reference, image: Maps, sigma: number): number[] {
  const get = (name: string) => net.values.get(name)!;
  const embedding = embed(get, sigma).map(silu);
  let h = conv3x3(standardize(image), get("init_conv.weight"), 16, 1);
  for (const group of [0, 1, 2])
    for (let b = 0; b < net.blocksPerGroup; b++) {
      const name = `WideResnetGroup_${group}.${b}.`;
      const out = 16 * 2 ** group * net.channelMultiplier;
      const stride = group > 0 && b === 0 ? 2 : 1;
      const active = normRelu(h, get(`${name}init_bn.weight`), get(`${name}init_bn.bias`));
      const shift = dense(embedding, get(`${name}Dense_0.weight`), get(`${name}Dense_0.bias`));
      let y = conv3x3(active, get(`${name}conv1.weight`), out, stride);
      y = { ...y, data: y.data.map((v, i) => v + shift[Math.floor(i / (y.h * y.w))]!) };
      y = normRelu(y, get(`${name}bn_2.weight`), get(`${name}bn_2.bias`));
      y = conv3x3(y, get(`${name}conv2.weight`), out, 1);
      const skip = shrink(group === 0 && b === 0 ? active : h, stride);
      h = { ...y, data: y.data.map((v, i) => v + (skip.data[i] ?? 0)) }; // channels of zeros behind the skip's own
    }
  const last = normRelu(h, get("pre_pool_bn.weight"), get("pre_pool_bn.bias"));
  const pooled = Array.from({ length: last.c }, (_, c) => {
    const map = last.data.subarray(c * last.h * last.w, (c + 1) * last.h * last.w);
    return map.reduce((a, b) => a + b) / map.length;
  });
  return dense(pooled, get("Dense_2.weight"), get("Dense_2.bias"));
}

const silu = (v: number): number => v / (1 + Math.exp(-v));

function embed(get: (name: string) => ArrayLike<number>, sigma: number): number[] {
  const angles = Array.from(get("GaussianFourierProjection_0.W"), (w) => 2 * Math.PI * w * Math.log(sigma));
  const features = [...angles.map(Math.sin), ...angles.map(Math.cos)];
  const hidden = dense(features, get("Dense_0.weight"), get("Dense_0.bias")).map(silu);
  return dense(hidden, get("Dense_1.weight"), get("Dense_1.bias"));
}

function dense(x: readonly number[], weight: ArrayLike<number>, bias: ArrayLike<number>): number[] {
  return Array.from(bias, (b, o) => x.reduce((sum, v, i) => sum + v * weight[o * x.length + i]!, b));
}

function standardize(image: Maps): Maps {
  const { data } = image;
  const mean = data.reduce((a, b) => a + b) / data.length;
  const variance = data.reduce((sum, v) => sum + (v - mean) ** 2, 0) / data.length;
  const deviation = Math.max(Math.sqrt(variance), 1 / Math.sqrt(data.length));
  return { ...image, data: data.map((v) => (v - mean) / deviation) };
}

/** Zeros around as TensorFlow's SAME: the kernel begins one before, at a stride of 2 on even sizes none before. */
function conv3x3({ c, h, w, data }: Maps, weight: ArrayLike<number>, out: number, stride: number): Maps {
  const [oh, ow] = [h / stride, w / stride];
  const before = stride === 1 ? 1 : 0;
  const y = new Float64Array(out * oh * ow);
  for (let o = 0; o < out; o++)
    for (let i = 0; i < oh; i++)
      for (let j = 0; j < ow; j++) {
        let sum = 0;
        for (let k = 0; k < c; k++)
          for (let a = 0; a < 3; a++)
            for (let b = 0; b < 3; b++) {
              const [row, column] = [i * stride + a - before, j * stride + b - before];
              if (row < 0 || row >= h || column < 0 || column >= w) continue;
              sum += data[(k * h + row) * w + column]! * weight[((o * c + k) * 3 + a) * 3 + b]!;
            }
        y[(o * oh + i) * ow + j] = sum;
      }
  return { c: out, h: oh, w: ow, data: y };
}

/** Group norm of min(c / 4, 32) groups with eps 1e-5, then relu. */
function normRelu(x: Maps, weight: ArrayLike<number>, bias: ArrayLike<number>): Maps {
  const size = x.data.length / Math.min(x.c / 4, 32);
  const data = new Float64Array(x.data.length);
  for (let start = 0; start < data.length; start += size) {
    const group = x.data.subarray(start, start + size);
    const mean = group.reduce((a, b) => a + b) / size;
    const variance = group.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size;
    for (const [i, v] of group.entries()) {
      const channel = Math.floor((start + i) / (x.h * x.w));
      const y = ((v - mean) / Math.sqrt(variance + 1e-5)) * weight[channel]! + bias[channel]!;
      data[start + i] = Math.max(0, y);
    }
  }
  return { ...x, data };
}

function shrink({ c, h, w, data }: Maps, stride: number): Maps {
  const [oh, ow] = [h / stride, w / stride];
  const y = new Float64Array(c * oh * ow);
  for (const [i, v] of data.entries()) {
    const [channel, row, column] = [Math.floor(i / (h * w)), Math.floor(i / w) % h, i % w];
    y[(channel * oh + Math.floor(row / stride)) * ow + Math.floor(column / stride)]! += v / stride ** 2;
  }
  return { c, h: oh, w: ow, data: y };
}
