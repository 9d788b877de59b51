/** What an adapter can do at best, measured. */
export interface Roofs {
  readonly gigaflops: number;
  readonly gigabytesPerSecond: number;
  readonly dispatchMicroseconds?: number | undefined;
}

/** What work asks for: bytes moved and floating point operations, a multiply-add counted as two. */
export interface Work {
  readonly bytes: number;
  readonly flops: number;
  readonly dispatches?: number;
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

/** Milliseconds that work takes at least, and what decides them. Undefined for work that declares nothing. */
export function leastTime(
  roofs: Roofs,
  { bytes, flops, dispatches }: Work,
): { ms: number; limit: Limit } | undefined {
  if (dispatches !== undefined) {
    const { dispatchMicroseconds } = roofs;
    if (dispatchMicroseconds === undefined) return undefined;
    return { ms: (dispatches * dispatchMicroseconds) / 1000, limit: "dispatch" };
  }
  const [compute, memory] = [flops / roofs.gigaflops / 1e6, bytes / roofs.gigabytesPerSecond / 1e6];
  if (compute === 0 && memory === 0) return undefined;
  return compute > memory ? { ms: compute, limit: "compute" } : { ms: memory, limit: "memory" };
}

/**
 * The share of its roof that work of so many milliseconds reaches, 0 to 1: achieved GFLOP/s over
 * min(compute roof, intensity x bandwidth), said so that it holds for work without operations or without bytes too.
 * Williams, Waterman & Patterson 2009, "Roofline".
 */
export function shareOf(roofs: Roofs, work: Work, ms: number): number | undefined {
  const least = leastTime(roofs, work);
  return least && least.ms / ms;
}
