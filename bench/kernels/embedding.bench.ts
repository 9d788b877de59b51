import type { Engine } from "../../engine/engine.ts";
import { embedding } from "../../engine/ops/index.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, labels, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

/** A conditional norm's table for NCSN's 232 noise scales: gamma, beta and alpha of 256 channels; a batch of 128, and a line of them long enough for a GPU. */
const sizes = { cpu: { rows: 232, width: 768, count: 128 }, gpu: { rows: 232, width: 768, count: 32_768 } };
const small = { rows: 5, width: 6, count: 9 };
type Size = typeof small;
const moved = ({ count, width }: Size) => count * width;
const common = ({ count, rows, width }: Size) =>
  ({ group: "embedding", shape: `${count} of ${rows}x${width}`, bound: "memory" }) as const;
const indices = (engine: Engine, { count, rows }: Size) => labels(engine, count, rows);

export const cases: SizedCases = bySize(sizes, (full): readonly Case[] => [
  {
    ...common(full),
    name: "embedding, forward",
    bytes: 8 * moved(full),
    flops: 0,
    ...sized(full, small, (engine, size) =>
      embedding(drawn(engine, [size.rows, size.width]), indices(engine, size)),
    ),
  },
  {
    ...common(full),
    name: "embedding, both passes",
    bytes: 12 * moved(full) + 4 * full.rows * full.width,
    flops: moved(full),
    ...bothPasses({
      full,
      small,
      variables: (engine, size) => [variable(engine, [size.rows, size.width])],
      op: ([table], size) => embedding(table!, indices(table!.engine, size)),
    }),
  },
]);
