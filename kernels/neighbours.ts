import { range } from "./kernel.ts";

/*
 * Sums over neighbouring lanes by exchange within a subgroup: where subgroups have fewer lanes, over as many as they
 * have, and a workgroup's memory joins the rest.
 */

/** Subgroups have so many lanes at least. */
const LEAST = 4;
const MOST = 32;

/** Lanes that meet by exchange: a power of two that divides `threads`, and no more than a subgroup often has. */
export const spanOf = (threads: number): number =>
  range(Math.log2(MOST) + 1)
    .map((i) => 2 ** i)
    .filter((span) => threads % span === 0)
    .at(-1)!;

/** Parts of the sums of so many threads that are left at most. */
export const partsOf = (threads: number, span: number): number => threads / Math.min(span, LEAST);

/** WGSL of `near`, which adds over `span` neighbours, or as many of them as a subgroup has. */
export const nearLib = (span: number, type: "f32" | "vec2f"): string => `
    fn near(value: ${type}, width: u32) -> ${type} {
      var v = value;
      ${range(Math.log2(span))
        .map(
          (i) =>
            `{ let other = subgroupShuffleXor(v, ${2 ** i}u); v += select(${type}(), other, ${2 ** i}u < width); }`,
        )
        .join("\n      ")}
      return v;
    }`;
