import type { Engine } from "../../engine/engine.ts";
import { embedding } from "../../engine/ops/index.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, labels, variable } from "../inputs.ts";

/** A conditional norm's table for NCSN's 232 noise scales: gamma, beta and alpha of 256 channels; a batch of 128. */
const full = { rows: 232, width: 768, count: 128 };
const small = { rows: 5, width: 6, count: 9 };
type Size = typeof full;
const moved = full.count * full.width;
const common = { group: "embedding", shape: "128 of 232x768", bound: "memory" } as const;
const indices = (engine: Engine, { count, rows }: Size) => labels(engine, count, rows);

export const cases: readonly Case[] = [
  {
    ...common,
    name: "embedding, forward",
    bytes: 8 * moved,
    flops: 0,
    ...sized(full, small, (engine, size) =>
      embedding(drawn(engine, [size.rows, size.width]), indices(engine, size)),
    ),
  },
  {
    ...common,
    name: "embedding, both passes",
    bytes: 12 * moved + 4 * full.rows * full.width,
    flops: moved,
    ...bothPasses({
      full,
      small,
      variables: (engine, size) => [variable(engine, [size.rows, size.width])],
      op: ([table], size) => embedding(table!, indices(table!.engine, size)),
    }),
  },
];
