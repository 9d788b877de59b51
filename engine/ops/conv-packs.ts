import { up4 } from "../../kernels/conv-copies.ts";
import { convGemmWeight } from "../../kernels/conv-gemm.ts";
import type { Flip } from "../../kernels/conv-packs.ts";
import type { ConvWay } from "../../kernels/conv-ways.ts";
import { convPackWeight } from "../../kernels/conv2d.ts";
import { weightVariant, winogradPlaces, winogradWeight } from "../../kernels/winograd.ts";
import type { WinogradWay } from "../../kernels/winograd-choice.ts";
import type { Engine } from "../engine.ts";
import { sameShape, shapeSize } from "../shapes.ts";
import { bytesOf, type Dtype, type Shape, type Tensor } from "../tensor.ts";

// Weights packed as ways of a convolution read them: see kernels/conv-packs.ts.

/** Ways that read weights packed, and what they are told apart by. */
type Packing = { readonly kernel: "rows" | "gemm" } | WinogradWay;

/** How the pack of w [co, ci, kh, kw] is stored: no two packings of one weight have the same shape. */
function layoutOf(w: Tensor, packing: Packing, flip: boolean): { shape: Shape; dtype: Dtype } {
  const [co, ci, kh, kw] = w.shape as [number, number, number, number];
  const [inner, outer] = flip ? [co, up4(ci)] : [ci, up4(co)];
  if (packing.kernel === "winograd")
    return { shape: [winogradPlaces(packing.tile), inner, outer], dtype: "f32" };
  const shape = packing.kernel === "rows" ? [inner, kh, kw, outer] : [kh * kw, inner, outer];
  return { shape, dtype: w.dtype }; // a copy rounds nothing, under autocast neither
}

function launch(
  engine: Engine,
  packing: Packing,
  flip: Flip,
  [w, y, flipped]: [Tensor, Tensor, Tensor],
): void {
  const [co, ci, kh, kw] = w.shape as [number, number, number, number];
  if (packing.kernel === "winograd") {
    const variant = weightVariant(engine.hardware, packing.tile, flip);
    engine.launch(winogradWeight, variant, { w, u: y, flipped }, { co, ci });
  } else if (packing.kernel === "rows")
    engine.launch(convPackWeight, { flip }, { w, y, flipped }, { co, ci, kh, kw });
  else engine.launch(convGemmWeight, { flip }, { w, y, flipped }, { co, ci, taps: kh * kw });
}

/** w packed: `pack` itself where that is how this way reads it. */
export function packed(
  engine: Engine,
  w: Tensor,
  packing: Packing,
  { flip, pack }: { flip: boolean; pack: Tensor | undefined },
): Tensor {
  const { shape, dtype } = layoutOf(w, packing, flip);
  if (pack && sameShape(pack.shape, shape)) return pack;
  const y = engine.empty(shape, dtype);
  launch(engine, packing, flip, [w, y, y]);
  return y;
}

/**
 * Bytes of a pack up to which one launch makes two, which are both kept: on llvmpipe it then takes less than two do. Of 324 KiB,
 * 48 channels by tiles of 4x4, it takes as long, of more longer.
 */
const SMALL = 2 ** 18;

const nameOf = (way: ConvWay): string => (way.kernel === "winograd" ? `winograd ${way.tile}` : way.kernel);
const packs = (way: ConvWay): way is ConvWay & Packing => ["rows", "gemm", "winograd"].includes(way.kernel);

/** w packed for a convolution, and flipped for the gradient in its input: where both are small and their ways read them alike. */
export function packedForBoth(
  engine: Engine,
  w: Tensor,
  way: ConvWay,
  back: ConvWay,
): { pack: Tensor; flipped: Tensor } | undefined {
  if (!packs(way) || nameOf(way) !== nameOf(back)) return undefined;
  const layouts = [false, true].map((flip) => layoutOf(w, way, flip));
  if (layouts.some(({ shape, dtype }) => bytesOf(dtype) * shapeSize(shape) > SMALL)) return undefined;
  const [pack, flipped] = layouts.map(({ shape, dtype }) => engine.empty(shape, dtype)) as [Tensor, Tensor];
  engine.standingFor(0, () => launch(engine, way, "both", [w, pack, flipped]));
  return { pack, flipped };
}
