import { concat, narrow, pad, permute, slice } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: [8, 64, 64, 64], gpu: [64, 128, 64, 64] };
const small = [2, 4, 5, 6];

/** `moved`: numbers read and written for each number of x. */
const walks: Record<string, { apply: (x: Tensor) => Tensor; moved: number }> = {
  "permute to channels last": { apply: (x) => permute(x, [0, 2, 3, 1]), moved: 2 },
  "narrow to half the channels": { apply: (x) => narrow(x, 1, x.dim(1) / 4, x.dim(1) / 2), moved: 1 },
  "concat along channels": { apply: (x) => concat([x, x], 1), moved: 4 },
  "pad by 1": {
    apply: (x) =>
      pad(x, [
        [0, 0],
        [0, 0],
        [1, 1],
        [1, 1],
      ]),
    moved: 2,
  },
  "cut 1 off each side": {
    apply: (x) => slice(x, [0, 0, 1, 1], [x.dim(0), x.dim(1), x.dim(2) - 2, x.dim(3) - 2]),
    moved: 2 * (62 / 64) ** 2,
  },
};

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] =>
  Object.entries(walks).map(([name, { apply, moved }]) => ({
    name,
    group: "copy",
    shape: times(full),
    bound: "memory",
    bytes: 4 * moved * sizeOf(full),
    flops: 0,
    ...sized(full, small, (engine, size) => apply(drawn(engine, size))),
  })),
);
