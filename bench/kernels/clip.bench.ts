import type { Engine } from "../../engine/engine.ts";
import { clipGradients } from "../../engine/optim/clip.ts";
import { toArray64 } from "../../engine/verify.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

interface Weights {
  readonly tensors: number;
  readonly channels: number;
}
/** The weights of 3 x 3 convolutions between so many channels; the larger are those of NCSN++ for CIFAR-10. */
const sizes = { cpu: { tensors: 8, channels: 64 }, gpu: { tensors: 96, channels: 256 } };
const elements = ({ tensors, channels }: Weights) => tensors * channels * channels * 9;
const shapes = ({ tensors, channels }: Weights) =>
  Array.from({ length: tensors }, () => [channels, channels, 3, 3]);

async function check(engine: Engine): Promise<string | undefined> {
  const grads = [drawn(engine, [7, 9], 1), drawn(engine, [5], 2)];
  const values = await Promise.all(grads.map(toArray64));
  const norm = Math.sqrt(values.flatMap((v) => [...v.data]).reduce((total, v) => total + v * v, 0));
  return near("clip", clipGradients(grads, 2), [Math.min(1, 2 / (norm + 1e-6)), norm]);
}

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    name: "clip gradients",
    group: "clip",
    shape: `${full.tensors} of ${times(shapes(full)[0]!)}`,
    bound: "memory",
    bytes: 4 * elements(full),
    flops: 2 * elements(full),
    run: (engine) =>
      void clipGradients(
        shapes(full).map((shape, i) => drawn(engine, shape, i)),
        1,
      ),
    check,
  },
]);
