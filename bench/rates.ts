import type { Bound, Timing } from "./harness.ts";
import { reference } from "./kernels/matmul.bench.ts";
import { rooflines } from "./roofline.bench.ts";

/** Unit of a case's rate, by what bounds it. */
export const units: Record<Bound, string> = { compute: "GFLOP/s", memory: "GB/s", dispatch: "us each" };

/** Which of a case's times a figure is of. On a busy machine "alone" comes closest to the truth, then "best". */
export type By = "median" | "best" | "alone";

export const milliseconds = ({ wall, alone }: Timing, by: By): number | undefined =>
  by === "alone" ? alone?.median : wall[by];

/** The steadiest of a case's times. */
export const steadiest = ({ alone }: Timing): By => (alone ? "alone" : "median");

/** GFLOP/s, GB/s, or microseconds a dispatch; undefined where the case declares no work. */
export function rate(t: Timing, by: By): number | undefined {
  const { case: c } = t;
  const ms = milliseconds(t, by);
  if (ms === undefined) return undefined;
  if (c.bound === "dispatch") return (ms * 1000) / c.dispatches!;
  const work = c.bound === "compute" ? c.flops : c.bytes;
  return work > 0 ? work / ms / 1e6 : undefined;
}

/** Timings of a run by name, and the shares that compare them. */
export class Rates {
  readonly #timings: ReadonlyMap<string, Timing>;

  constructor(timings: readonly Timing[]) {
    this.#timings = new Map(timings.map((t) => [t.case.name, t]));
  }

  find(name: string): Timing | undefined {
    return this.#timings.get(name);
  }

  /** Of the rate that bounds it, 0 to 1. */
  ofRoofline(t: Timing, by: By): number | undefined {
    return this.#share(t, rooflines[t.case.bound], by);
  }

  /** Of the 512 x 512 matrix product's multiply-add rate. */
  ofMatmul(t: Timing, by: By): number | undefined {
    return this.#share(t, reference.name, by);
  }

  #share(t: Timing, of: string, by: By): number | undefined {
    const whole = this.find(of);
    const [own, limit] = [rate(t, by), whole && rate(whole, by)];
    if (own === undefined || limit === undefined) return undefined;
    return t.case.bound === "dispatch" ? limit / own : own / limit;
  }
}
