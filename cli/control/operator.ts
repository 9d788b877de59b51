import { random } from "../../data/random.ts";
import { UsageError } from "../../engine/errors.ts";
import { scale } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { blur, maskedFourier, type Operator, superResolution } from "../../samplers/index.ts";
import type { Size } from "../sampler.ts";

/** An operator, and a picture of what was observed by it. */
export interface Observation {
  readonly operator: Operator;
  /** In words. */
  readonly name: string;
  /** y in the operator's shape -> images [n,c,h,w]. */
  picture(y: Tensor): Tensor;
}

/** How often the answer of a blur is refined at each update: more brings back finer detail, and takes longer. */
const LANDWEBER = 20;

type Opener = (value: number, size: Size, seed: number) => Observation | undefined;

const openers: Readonly<Record<string, Opener>> = {
  superres(factor, { h, w }) {
    if (!Number.isInteger(factor) || factor < 2 || h % factor !== 0 || w % factor !== 0) return undefined;
    const operator = superResolution(factor);
    return {
      operator,
      name: `means over ${factor}x${factor} pixels`,
      picture: (y) => operator.answer(y),
    };
  },
  blur(sigma, { h, w }) {
    if (!(sigma > 0 && sigma <= Math.min(h, w))) return undefined;
    const reach = Math.ceil(3 * sigma);
    const taps = Array.from({ length: 2 * reach + 1 }, (_, i) => Math.exp(-0.5 * ((i - reach) / sigma) ** 2));
    return {
      operator: blur(taps, { iterations: LANDWEBER }),
      name: `a Gaussian blur of ${sigma} pixels`,
      picture: (y) => scale(y, 1),
    };
  },
  fourier(share, { h, w }, seed) {
    if (!(share > 0 && share <= 1)) return undefined;
    const columns = measured(share, w, seed);
    const row = Array.from({ length: w }, (_, j) => (columns.has(j) ? 1 : 0));
    const operator = maskedFourier(Array.from({ length: h }, () => row));
    return {
      operator,
      name: `${columns.size} of ${Math.floor(w / 2) + 1} columns of frequencies`,
      picture: (y) => operator.answer(y),
    };
  },
};

const accepted = ({ h, w }: Size): string =>
  `superres:N with N from 2 that divides ${h === w ? h : `${h} and ${w}`}, blur:SIGMA in pixels, or fourier:SHARE above 0 and up to 1`;

/** What `--operator` says, for images of a size. Throws UsageError for an unknown name or a value out of range. */
export function observationOf(text: string, size: Size, seed: number): Observation {
  const [, name = "", value = ""] = /^(\w+):([\d.e-]+)$/.exec(text) ?? [];
  const found = Object.hasOwn(openers, name) ? openers[name]!(Number(value), size, seed) : undefined;
  if (found) return found;
  throw new UsageError(`restore: got --operator ${text}, expected ${accepted(size)}`);
}

/** A word of its own, which keeps the stream apart from others of the seed. */
const COLUMNS = 0xf0c1;

/**
 * Which columns of frequencies are measured, of those from 0 to the highest: the opposite ones tell nothing new of a
 * real image. Half of them are the lowest, the others are drawn, as magnetic resonance is sped up.
 */
function measured(share: number, width: number, seed: number): ReadonlySet<number> {
  const all = Array.from({ length: Math.floor(width / 2) + 1 }, (_, j) => j);
  const count = Math.max(1, Math.round(share * all.length));
  const lowest = Math.ceil(count / 2);
  const rest = all
    .slice(lowest)
    .map((j) => ({ j, rank: random(seed, j, COLUMNS).uniform() }))
    .sort((a, b) => a.rank - b.rank)
    .slice(0, count - lowest);
  return new Set([...all.slice(0, lowest), ...rest.map(({ j }) => j)]);
}
