/** What an adapter can do at best, all by one clock: the one that the times are of which are held against it. */
export interface Roofs {
  readonly gigaflops: number;
  readonly gigabytesPerSecond: number;
  /** What an empty dispatch takes; undefined where that clock did not measure it. */
  readonly dispatchMicroseconds?: number | undefined;
}

/** Of its roof, from which on a kernel counts as good. */
export const GOOD = 0.7;

/** What work asks for: bytes moved and floating point operations, a multiply-add counted as two. */
export interface Work {
  readonly bytes: number;
  readonly flops: number;
  /** Launches it takes; one, the least, unless told. */
  readonly dispatches?: number | undefined;
}

/** What keeps work from going faster. */
export type Limit = "compute" | "memory" | "dispatch";

/** Arithmetic intensity, operations a byte; undefined where either is none. */
export const intensityOf = ({ bytes, flops }: Work): number | undefined =>
  bytes > 0 && flops > 0 ? flops / bytes : undefined;

/** Operations a byte above which the multiply-add rate is the limit: where the roofs meet. */
export const ridge = ({ gigaflops, gigabytesPerSecond }: Roofs): number => gigaflops / gigabytesPerSecond;

/** GFLOP/s that the roofline allows at an intensity: min(compute roof, intensity x bandwidth). */
export const attainable = (roofs: Roofs, intensity: number): number =>
  Math.min(roofs.gigaflops, intensity * roofs.gigabytesPerSecond);

/** Milliseconds that something takes at least, and what decides them. */
interface Least {
  readonly ms: number;
  readonly limit: Limit;
}

/**
 * What work takes at least: the longest of operations over their rate, bytes over the bandwidth, and launches times an
 * empty one. Wang, Yang, Farrell, Kurth & Williams 2020, "Time-Based Roofline for Deep Learning Performance Analysis".
 * Undefined for work that declares nothing, and for a number of launches whose cost was not measured.
 */
export function leastTime(roofs: Roofs, { bytes, flops, dispatches }: Work): Least | undefined {
  const { gigaflops, gigabytesPerSecond, dispatchMicroseconds } = roofs;
  const declared = bytes > 0 || flops > 0 || dispatches !== undefined;
  if (!declared || (dispatches !== undefined && dispatchMicroseconds === undefined)) return undefined;
  const bounds: readonly Least[] = [
    { ms: flops / gigaflops / 1e6, limit: "compute" },
    { ms: bytes / gigabytesPerSecond / 1e6, limit: "memory" },
    { ms: ((dispatches ?? 1) * (dispatchMicroseconds ?? 0)) / 1e3, limit: "dispatch" },
  ];
  return bounds.reduce((longest, bound) => (bound.ms > longest.ms ? bound : longest));
}

/** Roofs of operations and bytes alone, under which launching takes no time. */
export const withoutDispatches = ({ gigaflops, gigabytesPerSecond }: Roofs): Roofs => ({
  gigaflops,
  gigabytesPerSecond,
});

/**
 * The share of its roof that work of so many milliseconds reaches, 0 to 1: its least time over them. Without dispatches among
 * the roofs that is achieved GFLOP/s over min(compute roof, intensity x bandwidth), said so that it holds for work without
 * operations or without bytes too. Williams, Waterman & Patterson 2009, "Roofline".
 */
export function shareOf(roofs: Roofs, work: Work, ms: number): number | undefined {
  const least = leastTime(roofs, work);
  return least && least.ms / ms;
}
