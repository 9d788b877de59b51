import type { Bound, By, Timing } from "./harness.ts";
import { reference } from "./kernels/matmul.bench.ts";
import { type Roofs, shareOf } from "./roofs.ts";

/** Unit of a case's rate, by what bounds it. */
export const units: Record<Bound, string> = { compute: "GFLOP/s", memory: "GB/s", dispatch: "us each" };

export const milliseconds = (t: Timing, by: By): number | undefined =>
  by === "alone" || by === "gpu" ? t[by]?.median : t.wall[by];

/** GFLOP/s, GB/s, or microseconds a dispatch; undefined where the case declares no work. */
export function rate(t: Timing, by: By): number | undefined {
  const { case: c } = t;
  const ms = milliseconds(t, by);
  if (ms === undefined) return undefined;
  if (c.bound === "dispatch") return (ms * 1000) / c.dispatches!;
  return perSecond(c.bound === "compute" ? c.flops : c.bytes, ms);
}

/** Billions of operations or bytes a second; undefined for none. */
export const perSecond = (work: number, ms: number): number | undefined =>
  work > 0 ? work / ms / 1e6 : undefined;

/** The cases whose rates are the roofs, by what they bound: roofline.bench.ts measures them. */
export const rooflines = {
  compute: "roofline multiply-add",
  memory: "roofline copy",
  dispatch: "roofline dispatch",
} as const;

/** Timings of a run by name, and the shares that compare them. */
export class Rates {
  readonly #timings: ReadonlyMap<string, Timing>;

  constructor(timings: readonly Timing[]) {
    this.#timings = new Map(timings.map((t) => [t.case.name, t]));
  }

  find(name: string): Timing | undefined {
    return this.#timings.get(name);
  }

  /**
   * What the adapter can do at best by one of the clocks, an empty dispatch by the same; undefined where that was not
   * measured. By processor time that is the least over the rounds: threads take longer to wake where other processes run.
   */
  roofs(by: By): Roofs | undefined {
    const [gigaflops, gigabytesPerSecond] = [rooflines.compute, rooflines.memory].map((name) => {
      const t = this.find(name);
      return t && rate(t, by);
    });
    if (gigaflops === undefined || gigabytesPerSecond === undefined) return undefined;
    const empty = this.find(rooflines.dispatch);
    const ms = empty && (by === "alone" ? empty.alone?.best : milliseconds(empty, by));
    const dispatchMicroseconds = ms && (1000 * ms) / empty.case.dispatches!;
    return { gigaflops, gigabytesPerSecond, dispatchMicroseconds };
  }

  /** The least time that the roofline allows over the time taken, 0 to 1. */
  ofRoofline(t: Timing, by: By): number | undefined {
    const ms = milliseconds(t, by);
    const roofs = this.roofs(by);
    return ms === undefined || !roofs ? undefined : shareOf(roofs, t.case, ms);
  }

  /** Of the 512 x 512 matrix product's multiply-add rate. */
  ofMatmul(t: Timing, by: By): number | undefined {
    const whole = this.find(reference.name);
    const [own, limit] = [rate(t, by), whole && rate(whole, by)];
    return own === undefined || limit === undefined ? undefined : own / limit;
  }
}
