import { expect, test } from "vitest";
import { expOf } from "../../samplers/sde/exp.ts";
import { engine } from "../support/engine.ts";

test.each([Math.log(5000), Math.log(34800), 0.7, -3.2])(
  "exp(%d t) to three units in the last place",
  async (rate) => {
    const times = Float32Array.from({ length: 4001 }, (_, i) => i / 4000);
    const t = engine.tensor(times);
    const y = engine.scope(() => expOf(rate, t));
    const values = await y.data();
    let worst = 0;
    for (const [i, time] of times.entries())
      worst = Math.max(worst, Math.abs(values[i]! / Math.exp(rate * time) - 1));
    expect(worst).toBeLessThan(3 * 2 ** -23);
    for (const u of [t, y]) u.dispose();
  },
);
