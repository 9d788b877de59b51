import type { Engine } from "../../engine/engine.ts";
import { conv2d } from "../../engine/ops/index.ts";
import { conv2d as convolution } from "../../engine/oracle/conv2d.ts";
import { randomNormal } from "../../engine/oracle/philox.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { purposes, randn } from "../../engine/random.ts";
import type { Shape } from "../../engine/tensor.ts";
import { linearUpdate } from "../../engine/updates.ts";
import { toArray64 } from "../../engine/verify.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, recorded, sizeOf, times } from "../inputs.ts";

const CHANNELS = 32;
const full = [32, 3, 32, 32];
const small = [2, 3, 8, 8];
const large = { keep: 0.9, pull: 0.3, noise: 0.7 };
/** A step so small that chains of any length stay finite. */
const tiny = { keep: 1, pull: 1e-8, noise: 1e-4 };

const [features, weight, bias] = [
  (engine: Engine, [n, , h, w]: Shape) => drawn(engine, [n!, CHANNELS, h!, w!], 1),
  (engine: Engine) => drawn(engine, [3, CHANNELS, 3, 3], 2),
  (engine: Engine) => drawn(engine, [3], 3),
] as const;
const state = (engine: Engine, shape: Shape) =>
  kept(engine, `convolved chain ${shape}`, () =>
    engine.untrack(randn(engine, shape, { seed: 12, purpose: "prior" })),
  );

/** The end of a network and a Langevin step. */
const step = (engine: Engine, shape: Shape, coefficients: typeof tiny) => () =>
  linearUpdate(
    state(engine, shape),
    conv2d(features(engine, shape), weight(engine), bias(engine), { padding: 1 }),
    coefficients,
    { seed: 11, purpose: "sampler", step: 5 },
  );

const replayed = (engine: Engine, shape: Shape, coefficients: typeof tiny, fuseUpdates: boolean) =>
  recorded(engine, `convolved ${shape} ${fuseUpdates}`, step(engine, shape, coefficients), { fuseUpdates });

async function check(engine: Engine, fuseUpdates: boolean): Promise<string | undefined> {
  const capture = replayed(engine, small, large, fuseUpdates); // moves the chain on when it is first met
  const x = await toArray64(state(engine, small));
  capture.replay();
  const inputs = [features(engine, small), weight(engine), bias(engine)].map(toArray64);
  const [h, w, b] = await Promise.all(inputs);
  const score = convolution(h!, w!, b!, { stride: [1, 1], padding: [1, 1, 1, 1], dilation: [1, 1] });
  const z = randomNormal(small, { seed: [11, 0], purpose: purposes.sampler, step: 5 });
  return near("chain", state(engine, small).alias(), oracle.linearUpdate(x, score, z, large).data);
}

export const cases: readonly Case[] = [false, true].map((fuseUpdates) => ({
  name: `last convolution and langevin step, ${fuseUpdates ? "one kernel" : "two kernels"}`,
  group: "conv-update",
  shape: times(full),
  bound: "compute",
  bytes: 4 * (sizeOf(full) * 2 + (sizeOf(full) / 3) * CHANNELS),
  flops: sizeOf(full) * (2 * 9 * CHANNELS + 5),
  run: (engine) => replayed(engine, full, tiny, fuseUpdates).replay(),
  check: (engine) => check(engine, fuseUpdates),
}));
