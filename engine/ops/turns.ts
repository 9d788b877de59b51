import type { Engine } from "../engine.ts";
import type { Inputs } from "../op.ts";
import { copyStrided } from "../strided.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Runs `run` for so many samples at once, one lot after the other, where what it needs for all of them would not fit a
 * binding: on copies of their part of inputs and outputs, whose first axis is the samples', or on these as they are where
 * all come at once.
 */
export function inTurns(
  engine: Engine,
  { samples, atOnce }: { samples: number; atOnce: number },
  inputs: Inputs,
  outputs: readonly Tensor[],
  run: (inputs: Inputs, outputs: readonly Tensor[]) => void,
): void {
  if (atOnce >= samples) {
    run(inputs, outputs);
    return;
  }
  const start = (x: Tensor, from: number) => from * (x.size / samples);
  const turn = (from: number, count: number) => {
    const part = (x: Tensor) => engine.empty([count, ...x.shape.slice(1)], x.dtype);
    const given = inputs.map((x) => {
      if (!x) return undefined;
      const y = part(x);
      copyStrided(engine, x, y, [y.size], [1], [1], start(x, from), 0);
      return y;
    });
    const made = outputs.map(part);
    run(given, made);
    made.forEach((y, i) => {
      copyStrided(engine, y, outputs[i]!, [y.size], [1], [1], 0, start(outputs[i]!, from));
    });
  };
  for (let from = 0; from < samples; from += atOnce)
    engine.scope(() => turn(from, Math.min(atOnce, samples - from)));
}
