import type { Hardware } from "../kernels/kernel.ts";
import type { Case } from "./harness.ts";

/** What kind of adapter a case is made for: what keeps two cores busy for a while is over on a GPU before it is full. */
export type Kind = Hardware["kind"];
export type ByKind<T> = Readonly<Record<Kind, T>>;
/** Cases that differ by the kind of adapter, under the same names. */
export type SizedCases = ByKind<readonly Case[]>;

/**
 * The same cases at two sizes. A GPU's are to move 128 MiB or more, several times what its caches hold, or to take about
 * 0.1 ms: beside less, launching weighs.
 */
export const bySize = <S>(sizes: ByKind<S>, make: (size: S, kind: Kind) => readonly Case[]): SizedCases => ({
  cpu: make(sizes.cpu, "cpu"),
  gpu: make(sizes.gpu, "gpu"),
});
