import type { Engine } from "../../engine/engine.ts";
import { dsmLoss, dsmPerturb } from "../../engine/ops/index.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { type Draw, purposes } from "../../engine/random.ts";
import type { Shape } from "../../engine/tensor.ts";
import { toArray64 } from "../../engine/verify.ts";
import { bothPasses, near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, sizeOf, times, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [128, 3, 32, 32], gpu: [8192, 3, 32, 32] };
const small = [3, 3, 5, 5];
const common = (full: Shape) => ({ group: "dsm", shape: times(full), bound: "memory" }) as const;
const draw: Draw = { seed: 5, purpose: "perturb" };

/** Noise scales from 1 down to 0.01, one for each sample. */
const sigma = (engine: Engine, n: number) =>
  kept(engine, `sigma ${n}`, () =>
    engine.untrack(engine.tensor(Float32Array.from({ length: n }, (_, i) => 0.01 ** (i / n)))),
  );

async function check(engine: Engine): Promise<string | undefined> {
  const z = randomNormal(small, { seed: [5, 0], purpose: purposes.perturb, step: 0 });
  const expected = oracle.dsmPerturb(
    await toArray64(drawn(engine, small)),
    await toArray64(sigma(engine, 3)),
    z,
  );
  const { noisy, z: own } = dsmPerturb(drawn(engine, small), sigma(engine, 3), draw);
  return (await near("perturb, noise", own, z.data)) ?? (await near("perturb", noisy, expected.data));
}

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...common(full),
    name: "DSM perturb",
    bytes: 12 * sizeOf(full),
    flops: 2 * sizeOf(full),
    run: (engine) => void dsmPerturb(drawn(engine, full), sigma(engine, full[0]!), draw),
    check,
  },
  {
    ...common(full),
    name: "DSM loss, both passes",
    bytes: 20 * sizeOf(full),
    flops: 8 * sizeOf(full),
    ...bothPasses({
      full,
      small,
      variables: (engine, size) => [variable(engine, size)],
      op: ([score], size) => dsmLoss(score!, drawn(score!.engine, size, 2), sigma(score!.engine, size[0]!)),
    }),
  },
]);
