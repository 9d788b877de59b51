import type { Engine } from "../../engine/engine.ts";
import { Adam } from "../../engine/optim/adam.ts";
import { zeros } from "../../engine/oracle/array.ts";
import * as oracle from "../../engine/oracle/updates.ts";
import { toArray64 } from "../../engine/verify.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept, variable } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

/** The larger as many as the weights of NCSN++ for CIFAR-10. */
const sizes = { cpu: 1 << 23, gpu: 1 << 26 };
const options = { lr: 1e-3, emaDecay: 0.99, weightDecay: 0.1 };

const optimizer = (engine: Engine, count: number) =>
  kept(engine, `adam ${count}`, () => new Adam(new Map([["w", variable(engine, [count], 21)]]), options));

function step(engine: Engine, count: number): Adam {
  const adam = optimizer(engine, count);
  adam.advance();
  adam.apply([drawn(engine, [count], 22)]);
  return adam;
}

async function check(engine: Engine): Promise<string | undefined> {
  const count = 1001;
  const param = await toArray64(variable(engine, [count], 21));
  const grad = await toArray64(drawn(engine, [count], 22));
  const adam = step(engine, count);
  const start = { param, m: zeros([count]), v: zeros([count]), ema: param };
  const attrs = {
    ...options,
    beta1: 0.9,
    beta2: 0.999,
    eps: 1e-8,
    step: 1,
    emaDecay: 1 - adam.ema!.gain.value,
    clipScale: 1,
  };
  const expected = oracle.adam({ ...start, grad }, attrs);
  return (
    (await near("adam, weights", variable(engine, [count], 21).alias(), expected.param.data)) ??
    (await near("adam, average", adam.ema!.shadow.get("w")!.alias(), expected.ema!.data))
  );
}

export const cases: SizedCases = bySize(sizes, (count): readonly Case[] => [
  {
    name: "adam with average",
    group: "adam",
    shape: `${count / 2 ** 20} Mi weights`,
    bound: "memory",
    bytes: 36 * count,
    flops: 14 * count,
    run: (engine) => void step(engine, count),
    check,
  },
]);
