import type { Engine } from "../engine/engine.ts";
import { add } from "../engine/ops/index.ts";
import type { Tensor } from "../engine/tensor.ts";
import { accumulate } from "../engine/updates.ts";
import { near } from "./checks.ts";
import type { Case } from "./harness.ts";
import { drawn, kept, recorded } from "./inputs.ts";

// What an op costs when it has next to nothing to compute: the host's part, the driver's, and what a capture saves.

const OPS = 1000;
const shape = [256];

/** Adds one tensor `length` times over, each sum waiting for the one before. */
function chain(engine: Engine, length: number): Tensor {
  let x = drawn(engine, shape, 1);
  for (let i = 0; i < length; i++) x = add(x, drawn(engine, shape, 2));
  return x;
}

async function expected(engine: Engine, length: number): Promise<Float64Array> {
  const [x, step] = [await drawn(engine, shape, 1).data(), await drawn(engine, shape, 2).data()];
  return Float64Array.from(x, (v, i) => v + length * step[i]!);
}

async function checkReplayed(engine: Engine): Promise<string | undefined> {
  const truth = await expected(engine, 50);
  const capture = engine.capture(() => chain(engine, 50));
  try {
    capture.replay();
    return await near("replayed", capture.result, truth);
  } finally {
    capture.dispose();
  }
}

const total = (engine: Engine) => kept(engine, "tiny total", () => engine.untrack(engine.zeros(shape)));

/** Adds one tensor `length` times to a total that begins at 0: kernels that no fusion joins. */
function accumulations(engine: Engine, length: number): void {
  for (let i = 0; i < length; i++)
    accumulate(total(engine), drawn(engine, shape, 2), { share: 1, begin: i === 0 ? 1 : 0 });
}

async function checkApart(engine: Engine): Promise<string | undefined> {
  const [sum, step] = [total(engine), await drawn(engine, shape, 2).data()]; // before the capture, so that neither belongs to it
  const capture = engine.capture(() => accumulations(engine, 50));
  try {
    if (capture.commands.length !== 50) return `${capture.commands.length} dispatches instead of 50`;
    capture.replay();
    const truth = Float64Array.from(step, (v) => 50 * v);
    return await near("apart", sum.alias(), truth);
  } finally {
    capture.dispose();
  }
}

const common = {
  group: "dispatch",
  shape: `${OPS} of 256`,
  bound: "dispatch",
  bytes: 12 * 256 * OPS,
  flops: 256 * OPS,
  dispatches: OPS,
} as const;
export const tiny = {
  eager: "tiny adds, eager",
  replayed: "tiny adds, replayed",
  apart: "tiny accumulations, replayed",
} as const;

export const cases: readonly Case[] = [
  {
    ...common,
    name: tiny.eager,
    run: (engine) => void chain(engine, OPS),
    check: async (engine) =>
      near(
        "eager",
        engine.scope(() => chain(engine, 50)),
        await expected(engine, 50),
      ),
  },
  {
    ...common,
    name: tiny.replayed,
    run: (engine) => recorded(engine, "tiny adds", () => chain(engine, OPS)).replay(),
    check: checkReplayed,
  },
  {
    ...common,
    name: tiny.apart,
    run: (engine) => recorded(engine, "tiny accumulations", () => accumulations(engine, OPS)).replay(),
    check: checkApart,
  },
];
