import type { Binding } from "./kernel.ts";

/*
 * Weights [co, ci, kh, kw] packed as convolutions read them, by winogradWeight, convPackWeight and convGemmWeight: the channels that
 * are summed outside, those that come out inside and filled up to fours. The gradient in the input sums over co and takes the
 * taps backwards: its pack is flipped. Where launching takes longer than packing, one launch writes both.
 */

/** The pack that is written: the forward pass's, the flipped one, or both, the flipped one into an array `flipped`. */
export type Flip = boolean | "both";
export type Flips = { flip: Flip };

export const flips: readonly Flips[] = [{ flip: false }, { flip: true }, { flip: "both" }];

/**
 * WGSL: whether the thread's pack is the flipped one, `flip`; which of its threads it is, `spot`; how many channels are summed,
 * `inner`, and come out, `outer`, in how many `vecs`. Each pair of the summed channels and the vecs takes so many `threads`, those of
 * the flipped pack after the others.
 */
export const packSpot = ({ flip }: Flips, threads: string): string => `
      ${
        flip === "both"
          ? `let ahead = p.ci * ((p.co + 3u) / 4u) * ${threads};
      let flip = thread >= ahead;
      let spot = select(thread, thread - ahead, flip);`
          : `let flip = ${flip};
      let spot = thread;`
      }
      let inner = select(p.ci, p.co, flip);
      let outer = select(p.co, p.ci, flip);
      let vecs = (outer + 3u) / 4u;
      if (spot >= inner * vecs * ${threads}) { return; }`;

/** WGSL: where the taps of channel `o` of those that come out and `i` of those that are summed stand in w. */
export const packPair = (o: string, i: string): string =>
  `select(${o} * p.ci + ${i}, ${i} * p.ci + ${o}, flip)`;

/** w, the pack and, of both, the flipped one beside it, which holds the same elements. */
export const packBindings = <N extends string>({ flip }: Flips, pack: N, binding: Binding) =>
  ({ w: "read f32", [pack]: binding, ...(flip === "both" && { flipped: binding }) }) as Record<
    "w" | N | "flipped",
    Binding
  >;

/** WGSL: `write`, into the pack named so or into the flipped one. */
export const intoPack = ({ flip }: Flips, pack: string, write: (array: string) => string): string =>
  flip === "both" ? `if (flip) { ${write("flipped")} } else { ${write(pack)} }` : write(pack);

/** How many threads do that. */
export function packThreads(
  { co, ci }: { co: number; ci: number },
  { flip }: Flips,
  threads: number,
): number {
  const plain = ci * Math.ceil(co / 4);
  const flipped = co * Math.ceil(ci / 4);
  return threads * (flip === "both" ? plain + flipped : flip ? flipped : plain);
}

/** How many packs there are. */
export const packCount = ({ flip }: Flips): number => (flip === "both" ? 2 : 1);
