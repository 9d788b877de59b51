import { type Array64, type Shape, sizeOf, zeros } from "./array.ts";

export type Four = readonly [number, number, number, number];
export type Key = readonly [number, number];

const MULTIPLIERS: Key = [0xd2511f53, 0xcd9e8d57];
const WEYL: Key = [0x9e3779b9, 0xbb67ae85];

/** High 32 bits of the 64-bit product of two unsigned words, from 16-bit halves. */
function mulHigh(a: number, b: number): number {
  const [aHigh, aLow] = [a >>> 16, a & 0xffff];
  const [bHigh, bLow] = [b >>> 16, b & 0xffff];
  const middle = aHigh * bLow + Math.floor((aLow * bLow) / 0x10000); // below 2^32
  const carry = Math.floor((aLow * bHigh + (middle % 0x10000)) / 0x10000);
  return aHigh * bHigh + Math.floor(middle / 0x10000) + carry;
}

/**
 * Philox4x32-10, bit for bit as in Random123: unsigned 32-bit words in and out, ten rounds, the key moving on
 * between them. Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3".
 */
export function philox4x32(counter: Four, key: Key): Four {
  let [c0, c1, c2, c3] = counter.map((word) => word >>> 0) as [number, number, number, number];
  let [k0, k1] = key.map((word) => word >>> 0) as [number, number];

  for (let round = 0; round < 10; round++) {
    const high0 = mulHigh(MULTIPLIERS[0], c0);
    const high1 = mulHigh(MULTIPLIERS[1], c2);
    const low0 = Math.imul(MULTIPLIERS[0], c0) >>> 0;
    const low1 = Math.imul(MULTIPLIERS[1], c2) >>> 0;
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    k0 = (k0 + WEYL[0]) >>> 0;
    k1 = (k1 + WEYL[1]) >>> 0;
  }
  return [c0, c1, c2, c3];
}

/** A word's upper 24 bits as a number in [0, 1). */
export function uniform(word: number): number {
  return (word >>> 8) * 2 ** -24;
}

/** Four standard normals from four words: two Box-Muller pairs, (w0, w1) and (w2, w3). |z| <= 5.77. */
export function normals(words: Four): Four {
  return [...boxMuller(words[0], words[1]), ...boxMuller(words[2], words[3])];
}

function boxMuller(word1: number, word2: number): [number, number] {
  const u1 = uniform(word1) + 2 ** -24; // (0, 1]: the logarithm is finite
  const u2 = uniform(word2);
  const radius = Math.sqrt(-2 * Math.log(u1));
  return [radius * Math.cos(2 * Math.PI * u2), radius * Math.sin(2 * Math.PI * u2)];
}

export interface RandomAttrs {
  /** 64-bit seed as two words, low one first. */
  readonly seed: Key;
  readonly step: number;
  readonly purpose: number;
  /** Index of the first sample, for a batch that is part of a larger one; 0 if absent. */
  readonly sampleOffset?: number;
}

/**
 * Element e of sample n (first axis) takes lane e % 4 of the four values drawn with the seed as key and the
 * counter [floor(e / 4), sampleOffset + n, step, purpose]: a draw does not depend on the batch it is in.
 */
function fill(shape: Shape, attrs: RandomAttrs, values: (words: Four) => Four): Array64 {
  const { seed, step, purpose, sampleOffset = 0 } = attrs;
  const y = zeros(shape);
  const samples = shape[0] ?? 1;
  const sampleSize = sizeOf(shape.slice(1));

  for (let n = 0; n < samples; n++) {
    for (let e = 0; e < sampleSize; e += 4) {
      const four = values(philox4x32([e / 4, sampleOffset + n, step, purpose], seed));
      const present = Math.min(4, sampleSize - e);
      y.data.set(four.slice(0, present), n * sampleSize + e);
    }
  }
  return y;
}

/** Standard normal draws. */
export function randomNormal(shape: Shape, attrs: RandomAttrs): Array64 {
  return fill(shape, attrs, normals);
}

/** Uniform draws in [0, 1). */
export function randomUniform(shape: Shape, attrs: RandomAttrs): Array64 {
  return fill(shape, attrs, ([w0, w1, w2, w3]) => [uniform(w0), uniform(w1), uniform(w2), uniform(w3)]);
}
