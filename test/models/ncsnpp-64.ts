/** DDPM and NCSN++ in float64, written after the published forward pass: a list of modules, taken one after the other. */
import { type Array64, array64 } from "../../engine/oracle/array.ts";
import { attention } from "../../engine/oracle/attention.ts";
import { conv2d } from "../../engine/oracle/conv2d.ts";
import { avgPool2d } from "../../engine/oracle/pool.ts";
import { resizeNearest } from "../../engine/oracle/resize.ts";
import { upfirdn2d } from "../../engine/oracle/upfirdn2d.ts";
import { groupsFor } from "../../models/layers/attention.ts";
import type { State } from "../../models/module.ts";
import type { NcsnPPOptions } from "../../models/ncsnpp.ts";

export interface Net64 {
  readonly state: State;
  /** Of NCSN++; those of DDPM are its special case of plain resampling, no pyramids and no division by sqrt 2. */
  readonly options: Required<NcsnPPOptions>;
  /** Of every norm; NCSN++'s own unless given. */
  readonly groups?: number;
}

type Shape = readonly [n: number, c: number, h: number, w: number];
const shapeOf = (x: Array64) => x.shape as Shape;

/** x [n,c,h,w] and what each image is told [n] -> what the network predicts, x's shape. */
export function forward64(
  { state, options: o, groups }: Net64,
  x: Array64,
  told: readonly number[],
): Array64 {
  const param = (name: string): Array64 => {
    const { shape, data } = state.get(name)!;
    return array64(shape, data);
  };
  const has = (name: string) => state.has(name);
  const act = (a: Array64) => each(a, activations[o.act]);
  let place = 0;
  const next = () => `all_modules.${place++}.`;

  const conv = (name: string, a: Array64, padding = 1, stride = 1) =>
    plainConv(a, param(`${name}weight`), param(`${name}bias`), padding, stride);
  const norm = (name: string, a: Array64) =>
    groupNorm(a, param(`${name}weight`), param(`${name}bias`), groups ?? groupsFor(shapeOf(a)[1]));
  const nin = (name: string, a: Array64) => {
    const { shape, data } = param(`${name}W`);
    const [inputs, outputs] = shape as [number, number];
    const weight = Float64Array.from(
      { length: data.length },
      (_, i) => data[(i % inputs) * outputs + Math.floor(i / inputs)]!,
    );
    return plainConv(a, array64([outputs, inputs, 1, 1], weight), param(`${name}b`), 0, 1);
  };
  const linear = (rows: readonly number[][]) => {
    const name = next();
    return rows.map((row) => dense(row, param(`${name}weight`), param(`${name}bias`)));
  };
  const rescaled = (a: Array64) => (o.skipRescale ? each(a, (v) => v / Math.sqrt(2)) : a);

  const filter = o.fir ? o.firKernel : undefined;
  const larger = (a: Array64) => (filter ? firUp(a, filter) : nearest(a));
  const smaller = (a: Array64) => (filter ? firDown(a, filter) : pooled(a));
  /** Upsample and Downsample of layerspp. */
  const up = (a: Array64, withConv: boolean) => {
    const name = next();
    if (!withConv) return larger(a);
    if (filter) return firUpConv(a, filter, param(`${name}Conv2d_0.weight`), param(`${name}Conv2d_0.bias`));
    return conv(`${name}Conv_0.`, nearest(a));
  };
  const down = (a: Array64, withConv: boolean) => {
    const name = next();
    if (!withConv) return smaller(a);
    if (filter) return firDownConv(a, filter, param(`${name}Conv2d_0.weight`), param(`${name}Conv2d_0.bias`));
    return conv(`${name}Conv_0.`, padEnd(a), 0, 2);
  };

  let embedding: number[][] | undefined;
  const resnet = (a: Array64, resample: (b: Array64) => Array64 = (b) => b): Array64 => {
    const name = next();
    let h = conv(`${name}Conv_0.`, resample(act(norm(`${name}GroupNorm_0.`, a))));
    if (embedding) {
      const rows = embedding.map((row) =>
        dense(row.map(activations[o.act]), param(`${name}Dense_0.weight`), param(`${name}Dense_0.bias`)),
      );
      h = shifted(h, rows);
    }
    h = conv(`${name}Conv_1.`, act(norm(`${name}GroupNorm_1.`, h)));
    let skip = resample(a);
    if (has(`${name}NIN_0.W`)) skip = nin(`${name}NIN_0.`, skip);
    if (has(`${name}Conv_2.weight`)) skip = conv(`${name}Conv_2.`, skip, 0);
    return rescaled(sum(skip, h));
  };
  const attend = (a: Array64): Array64 => {
    const name = next();
    const [n, c, height, width] = shapeOf(a);
    const h = norm(`${name}GroupNorm_0.`, a);
    const [q, k, v] = [0, 1, 2].map((i) => array64([n, c, height * width], nin(`${name}NIN_${i}.`, h).data));
    const seen = attention(q!, k!, v!, 1 / Math.sqrt(c));
    return rescaled(sum(a, nin(`${name}NIN_3.`, array64(a.shape, seen.data))));
  };
  const attends = (a: Array64) => o.attnResolutions.includes(shapeOf(a)[3]);
  const biggan = o.resblockType === "biggan";
  const output = (a: Array64) => {
    const normed = act(norm(next(), a));
    return conv(next(), normed);
  };

  const fourier = o.embeddingType === "fourier";
  const frequencies = fourier ? param(`${next()}W`).data : undefined;
  if (o.conditional) {
    const waves = told.map((t) => (frequencies ? turns(frequencies, Math.log(t)) : sinusoids(t, o.nf)));
    const first = linear(waves);
    embedding = linear(first.map((row) => row.map(activations[o.act])));
  }

  const image = o.centered ? x : each(x, (v) => 2 * v - 1);
  let pyramid = image;
  const kept = [conv(next(), image)];
  for (const level of o.chMult.keys()) {
    for (let i = 0; i < o.numResBlocks; i++) {
      let h = resnet(kept.at(-1)!);
      if (attends(h)) h = attend(h);
      kept.push(h);
    }
    if (level === o.chMult.length - 1) break;
    let h = biggan ? resnet(kept.at(-1)!, smaller) : down(kept.at(-1)!, o.resampWithConv);
    if (o.progressiveInput === "input_skip") {
      pyramid = smaller(pyramid);
      const joined = conv(`${next()}Conv_0.`, pyramid, 0);
      h = o.progressiveCombine === "cat" ? beside(joined, h) : sum(joined, h);
    } else if (o.progressiveInput === "residual") {
      pyramid = rescaled(sum(down(pyramid, true), h));
      h = pyramid;
    }
    kept.push(h);
  }

  let h = resnet(attend(resnet(kept.at(-1)!)));

  let picture: Array64 | undefined;
  for (let level = o.chMult.length - 1; level >= 0; level--) {
    for (let i = 0; i <= o.numResBlocks; i++) h = resnet(beside(h, kept.pop()!));
    if (attends(h)) h = attend(h);
    if (o.progressive === "output_skip") picture = picture ? sum(larger(picture), output(h)) : output(h);
    else if (o.progressive === "residual") {
      picture = picture ? rescaled(sum(up(picture, true), h)) : output(h);
      if (level < o.chMult.length - 1) h = picture;
    }
    if (level > 0) h = biggan ? resnet(h, larger) : up(h, o.resampWithConv);
  }
  const y = o.progressive === "output_skip" ? picture! : output(h);
  if (has(`all_modules.${place}.weight`) || kept.length > 0) throw new Error("not every module was run");
  if (!o.scaleBySigma) return y;
  const size = y.data.length / told.length;
  const sigma = told.map((t) => (fourier ? t : o.sigmas[Math.trunc(t)]!));
  return array64(
    y.shape,
    y.data.map((v, i) => v / sigma[Math.floor(i / size)]!),
  );
}

const activations = {
  elu: (v: number) => (v > 0 ? v : Math.expm1(v)),
  relu: (v: number) => Math.max(v, 0),
  lrelu: (v: number) => (v > 0 ? v : 0.2 * v),
  swish: (v: number) => v / (1 + Math.exp(-v)),
};

const each = (a: Array64, f: (v: number) => number): Array64 => array64(a.shape, a.data.map(f));

function sum(a: Array64, b: Array64): Array64 {
  if (String(a.shape) !== String(b.shape)) throw new Error(`sum of [${a.shape}] and [${b.shape}]`);
  return array64(
    a.shape,
    a.data.map((v, i) => v + b.data[i]!),
  );
}

/** [n,c1,h,w] and [n,c2,h,w] -> [n,c1+c2,h,w]. */
function beside(a: Array64, b: Array64): Array64 {
  const [n, c, h, w] = shapeOf(a);
  const channels = c + shapeOf(b)[1];
  const [one, other] = [a.data.length / n, b.data.length / n];
  const data = Array.from({ length: n }, (_, i) => [
    ...a.data.subarray(i * one, (i + 1) * one),
    ...b.data.subarray(i * other, (i + 1) * other),
  ]);
  return array64([n, channels, h, w], data.flat());
}

/** A row and a column of zeros at the bottom and the right. */
function padEnd(a: Array64): Array64 {
  const [n, c, h, w] = shapeOf(a);
  const y = array64([n, c, h + 1, w + 1]);
  for (const [i, v] of a.data.entries())
    y.data[(Math.floor(i / (h * w)) * (h + 1) + (Math.floor(i / w) % h)) * (w + 1) + (i % w)] = v;
  return y;
}

/** Adds rows [n][c] to every pixel. */
const shifted = (a: Array64, rows: readonly number[][]): Array64 => {
  const [, c, h, w] = shapeOf(a);
  return array64(
    a.shape,
    a.data.map((v, i) => v + rows[Math.floor(i / (c * h * w))]![Math.floor(i / (h * w)) % c]!),
  );
};

function plainConv(a: Array64, weight: Array64, bias: Array64, padding: number, stride: number): Array64 {
  const pads = [padding, padding, padding, padding] as const;
  return conv2d(a, weight, bias, { stride: [stride, stride], padding: pads, dilation: [1, 1] });
}

function dense(x: readonly number[], weight: Array64, bias: Array64): number[] {
  return Array.from(bias.data, (b, o) =>
    x.reduce((total, v, i) => total + v * weight.data[o * x.length + i]!, b),
  );
}

function groupNorm(a: Array64, weight: Array64, bias: Array64, groups: number): Array64 {
  const [n, c, h, w] = shapeOf(a);
  const size = a.data.length / (n * groups);
  const y = array64(a.shape);
  for (let start = 0; start < a.data.length; start += size) {
    const group = a.data.subarray(start, start + size);
    const mean = group.reduce((total, v) => total + v) / size;
    const variance = group.reduce((total, v) => total + (v - mean) ** 2, 0) / size;
    for (const [i, v] of group.entries()) {
      const channel = Math.floor((start + i) / (h * w)) % c;
      y.data[start + i] =
        ((v - mean) / Math.sqrt(variance + 1e-6)) * weight.data[channel]! + bias.data[channel]!;
    }
  }
  return y;
}

const turns = (frequencies: Float64Array, x: number): number[] => {
  const angles = Array.from(frequencies, (w) => 2 * Math.PI * w * x);
  return [...angles.map(Math.sin), ...angles.map(Math.cos)];
};

const sinusoids = (t: number, width: number): number[] => {
  const half = width / 2;
  const angles = Array.from({ length: half }, (_, i) => t * Math.exp((-Math.log(10000) * i) / (half - 1)));
  return [...angles.map(Math.sin), ...angles.map(Math.cos)];
};

const nearest = (a: Array64): Array64 => resizeNearest(a, { size: [2 * shapeOf(a)[2], 2 * shapeOf(a)[3]] });
const pooled = (a: Array64): Array64 =>
  avgPool2d(a, { kernel: [2, 2], stride: [2, 2], padding: [0, 0, 0, 0], countIncludePad: true });

/** taps taps^T over its sum, times gain. */
function kernelOf(taps: readonly number[], gain: number): Array64 {
  const total = taps.reduce((a, b) => a + b) ** 2;
  return array64(
    [taps.length, taps.length],
    taps.flatMap((a) => taps.map((b) => (a * b * gain) / total)),
  );
}

const fir = (a: Array64, kernel: Array64, pad: readonly [number, number], up = 1, down = 1): Array64 =>
  upfirdn2d(a, kernel, { up: [up, up], down: [down, down], pad: [...pad, ...pad] });

const firUp = (a: Array64, taps: readonly number[]): Array64 => {
  const p = taps.length - 2;
  return fir(a, kernelOf(taps, 4), [Math.floor((p + 1) / 2) + 1, Math.floor(p / 2)], 2);
};

const firDown = (a: Array64, taps: readonly number[]): Array64 => {
  const p = taps.length - 2;
  return fir(a, kernelOf(taps, 1), [Math.floor((p + 1) / 2), Math.floor(p / 2)], 1, 2);
};

/** The filter, then a convolution of stride 2. */
function firDownConv(a: Array64, taps: readonly number[], weight: Array64, bias: Array64): Array64 {
  const p = taps.length - 2 + 2;
  const filtered = fir(a, kernelOf(taps, 1), [Math.floor((p + 1) / 2), Math.floor(p / 2)]);
  return plainConv(filtered, weight, bias, 0, 2);
}

/** Zeros between the pixels, full correlation with the weight, then the filter. */
function firUpConv(a: Array64, taps: readonly number[], weight: Array64, bias: Array64): Array64 {
  const one = array64([1, 1], [1]);
  const stuffed = fir(a, one, [0, -1], 2); // 2h - 1
  const p = taps.length - 2 - 2;
  const none = array64([weight.shape[0]!]);
  const full = plainConv(stuffed, weight, none, 2, 1);
  const y = fir(full, kernelOf(taps, 4), [Math.floor((p + 1) / 2) + 1, Math.floor(p / 2) + 1]);
  return shifted(y, new Array<number[]>(shapeOf(y)[0]).fill([...bias.data]));
}
