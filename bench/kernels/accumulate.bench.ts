import type { Engine } from "../../engine/engine.ts";
import { accumulate as mathematics } from "../../engine/oracle/accumulate.ts";
import { accumulate, exchange } from "../../engine/updates.ts";
import { toArray64 } from "../../engine/verify.ts";
import { near } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, kept } from "../inputs.ts";
import { bySize, type SizedCases } from "../sizes.ts";

const sizes = { cpu: 1 << 23, gpu: 1 << 26 };

const sumOf = (engine: Engine, count: number) =>
  kept(engine, `sum ${count}`, () => engine.untrack(engine.zeros([count])));

async function check(engine: Engine): Promise<string | undefined> {
  const count = 1001;
  const [sum, x] = [sumOf(engine, count), drawn(engine, [count], 32)];
  accumulate(sum, x, { share: 0.25, begin: 1 });
  const expected = mathematics(await toArray64(x), await toArray64(x), 0.25, true);
  return near("accumulate", sum.alias(), expected.data);
}

async function checkExchange(engine: Engine): Promise<string | undefined> {
  const [a, b] = [engine.tensor([1, 2, 3]), engine.tensor([4, 5, 6])];
  exchange(a, b);
  return (
    (await near("exchange, first", a, Float64Array.of(4, 5, 6))) ??
    (await near("exchange, second", b, Float64Array.of(1, 2, 3)))
  );
}

export const cases: SizedCases = bySize(sizes, (count): readonly Case[] => [
  {
    name: "sum of gradients over a batch's parts",
    group: "accumulate",
    shape: `${count / 2 ** 20} Mi weights`,
    bound: "memory",
    bytes: 12 * count,
    flops: 2 * count,
    run: (engine) => accumulate(sumOf(engine, count), drawn(engine, [count], 32), { share: 0.25, begin: 0 }),
    check,
  },
  {
    name: "weights and their averages change places",
    group: "accumulate",
    shape: `${count / 2 ** 20} Mi weights`,
    bound: "memory",
    bytes: 16 * count,
    flops: 0,
    run: (engine) => exchange(sumOf(engine, count), drawn(engine, [count], 33)),
    check: checkExchange,
  },
]);
