import { mebibytes } from "../engine/buffers.ts";
import type { Engine } from "../engine/engine.ts";
import { copyWords } from "../engine/roofline.ts";
import { multiplyAdd } from "../kernels/roofline.ts";
import type { Case } from "./harness.ts";
import { drawn, kept } from "./inputs.ts";
import { rooflines } from "./rates.ts";

// What the adapter can do at best with Stein's kernels, measured in the same rounds as everything else.

const DISPATCHES = 200;

const target = (engine: Engine) =>
  kept(engine, "roofline target", () => engine.untrack(engine.zeros([copyWords(engine)])));
const size = (engine: Engine) =>
  engine.hardware.kind === "gpu" ? { threads: 1 << 21, rounds: 256 } : { threads: 1 << 12, rounds: 512 };

/** The cases for an adapter: a processor gets fewer multiply-adds to do. */
export const roofline = (engine: Engine): Case[] => {
  const { threads, rounds } = size(engine);
  const words = copyWords(engine);
  const group = "roofline";
  return [
    {
      name: rooflines.memory,
      group,
      shape: mebibytes(4 * words),
      bound: "memory",
      bytes: 8 * words,
      flops: 0,
      run: (e) => e.copy(drawn(e, [words]), target(e)),
    },
    {
      name: rooflines.compute,
      group,
      shape: `${threads} threads`,
      bound: "compute",
      bytes: 0,
      flops: 256 * threads * rounds,
      run: (e) => e.launch(multiplyAdd, {}, { y: target(e) }, { threads, rounds, a: 1e-8 }),
    },
    {
      name: rooflines.dispatch,
      group,
      shape: `${DISPATCHES} empty`,
      bound: "dispatch",
      bytes: 0,
      flops: 0,
      dispatches: DISPATCHES,
      run: (e) => {
        for (let i = 0; i < DISPATCHES; i++)
          e.launch(multiplyAdd, {}, { y: target(e) }, { threads: 1, rounds: 0, a: 0 });
      },
    },
  ];
};
