import type { Array64, Shape } from "../../engine/oracle/array.ts";
import type { Flips } from "../../kernels/conv-packs.ts";
import type { Kernel, Variant } from "../../kernels/kernel.ts";
import { launched } from "./kernels.ts";
import { expectNear, type Tolerance } from "./near.ts";

/** Holds a kernel that packs w to `packed`, of the plain weight and of the flipped one; `pack` is the name of what it writes. */
export async function expectPacks<P extends string, V extends Variant & Flips>(
  kernel: Kernel<string, P, V>,
  variant: V,
  { pack, w, packed, params }: PacksCase<P>,
  tolerance?: Tolerance,
): Promise<void> {
  const expected: Record<string, Array64> =
    variant.flip === "both"
      ? { [pack]: packed(false), flipped: packed(true) }
      : { [pack]: packed(variant.flip) };
  const shapes = Object.fromEntries(Object.entries(expected).map(([name, { shape }]) => [name, shape]));
  const values = await launched(kernel, variant, { w }, shapes as Record<string, Shape>, params);
  for (const [name, value] of Object.entries(expected)) expectNear(values[name]!, value, tolerance, name);
}

interface PacksCase<P extends string> {
  readonly pack: string;
  readonly w: Array64;
  readonly packed: (flip: boolean) => Array64;
  readonly params: Record<P, number>;
}

/** Fours of channels that end within one, and in one. */
export const packShapes: readonly (readonly [co: number, ci: number, kh: number, kw: number])[] = [
  [13, 5, 3, 3],
  [5, 13, 3, 3],
  [4, 8, 1, 1],
  [1, 1, 5, 2],
];
