import { cast } from "../../engine/ops/index.ts";
import { sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { labels } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: 1 << 20, gpu: 1 << 24 };
const small = 77;

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    name: "whole numbers to floats and back",
    group: "cast",
    shape: `${full}`,
    bound: "memory",
    bytes: 16 * full,
    flops: 0,
    ...sized(full, small, (engine, count) => cast(cast(labels(engine, count, 1000), "f32"), "i32")),
  },
]);
