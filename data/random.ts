/** A small seeded generator of numbers: the same words give the same numbers on every machine. */
export interface Random {
  /** Uniform on [0, 1), 32 bits. */
  uniform(): number;
  /** Uniform on [low, high). */
  between(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  /** Whole number, uniform on 0 .. count - 1; count at most 2^32. */
  below(count: number): number;
}

/** 32-bit mix of words into one: a counter-based hash, so that item i needs none of the items before it. */
export function hash(...words: number[]): number {
  let h = 0x9e3779b9;
  for (const word of words) {
    h = mix(h ^ mix(word >>> 0));
    h = mix(h + Math.floor(word / 2 ** 32)); // seeds above 32 bits count in full
  }
  return h >>> 0;
}

/**
 * The generator of a stream named by words, such as (seed, image) or (seed, epoch). sfc32 (PractRand), hashed
 * seed.
 */
export function random(...words: number[]): Random {
  let a = hash(1, ...words);
  let b = hash(2, ...words);
  let c = hash(3, ...words);
  let counter = 1;
  let spare: number | undefined;

  const next = () => {
    const t = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    return t >>> 0;
  };

  const uniform = () => next() / 2 ** 32;

  const normal = () => {
    if (spare !== undefined) {
      const z = spare;
      spare = undefined;
      return z;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - uniform())); // 1 - u lies in (0, 1]
    const angle = 2 * Math.PI * uniform();
    spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  };

  return {
    uniform,
    normal,
    between: (low, high) => low + (high - low) * uniform(),
    below: (count) => Math.floor(uniform() * count),
  };
}

/** murmur3's finalizer: every bit of the input reaches every bit of the output. */
function mix(word: number): number {
  let h = word | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
