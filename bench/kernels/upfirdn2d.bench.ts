import type { Engine } from "../../engine/engine.ts";
import { type Upfirdn2dOptions, upfirdn2d } from "../../engine/ops/index.ts";
import type { Shape } from "../../engine/tensor.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 32, 32], gpu: [128, 256, 32, 32] };
const small = [2, 3, 6, 8];

/** The filter of NCSN++ and StyleGAN2, [1, 3, 3, 1] in both directions. */
const filter = (engine: Engine) =>
  kept(engine, "fir", () => {
    const line = [1, 3, 3, 1];
    return engine.untrack(
      engine.tensor(
        line.flatMap((a) => line.map((b) => (a * b) / 64)),
        [4, 4],
      ),
    );
  });

/** `grown`: outputs for each input; a fourth of the taps meets a real input when upsampling. */
const fir = (full: Shape, name: string, grown: number, taps: number, options: Upfirdn2dOptions): Case => ({
  name,
  group: "upfirdn2d",
  shape: times(full),
  bound: "memory",
  bytes: 4 * sizeOf(full) * (1 + grown),
  flops: 2 * sizeOf(full) * grown * taps,
  ...sized(full, small, (engine, size) => upfirdn2d(drawn(engine, size), filter(engine), options)),
});

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  fir(full, "FIR upsample by 2", 4, 4, { up: 2, pad: [2, 1] }),
  fir(full, "FIR downsample by 2", 1 / 4, 16, { down: 2, pad: [1, 1] }),
]);
