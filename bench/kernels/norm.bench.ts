import { add, groupNorm, instanceNorm, instanceNormPlus } from "../../engine/ops/index.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { bothPasses, sized } from "../checks.ts";
import type { Case } from "../harness.ts";
import { drawn, sizeOf, times, variable } from "../inputs.ts";
import { type ByKind, bySize, type SizedCases } from "../sizes.ts";

type Size = readonly [n: number, c: number, h: number, w: number];
type Sizes = ByKind<Size> & { readonly small: Size };
const usual: Sizes = { cpu: [8, 64, 32, 32], gpu: [128, 256, 32, 32], small: [2, 16, 8, 8] };
/** Groups that no workgroup of a GPU can hold. */
const large: Sizes = { cpu: [1, 32, 128, 128], gpu: [16, 128, 256, 256], small: [2, 32, 16, 16] };
/** Images of which each is the work of a moment. */
const slight: Sizes = { cpu: [16, 24, 14, 14], gpu: [4096, 24, 14, 14], small: [3, 11, 4, 4] };

type Parameters = (size: Size) => (readonly number[])[];
const shared =
  (count: number): Parameters =>
  ([, c]) =>
    Array.from({ length: count }, () => [c]);
/** gamma, alpha and beta of each sample side by side, as a conditional norm looks them up. */
const rows: Parameters = ([n, c]) => [[n, 3 * c]];
const order = ["gamma", "alpha", "beta"] as const;

interface Norm {
  readonly parameters: Parameters;
  readonly apply: (x: Tensor, ...p: Tensor[]) => Tensor;
  readonly sizes?: Sizes;
  /** The result is added to x: its gradient comes onto one that x has already. */
  readonly branch?: boolean;
}

/** By x and parameters of these shapes. */
const norms: Record<string, Norm> = {
  "instance norm, ELU": { parameters: shared(0), apply: (x) => instanceNorm(x, { activation: "elu" }) },
  "instance norm++, ELU": {
    parameters: shared(3),
    apply: (x, gamma, beta, alpha) => instanceNormPlus(x, { gamma, beta, alpha, activation: "elu" }),
  },
  "conditional instance norm++, ELU": {
    parameters: rows,
    apply: (x, values) => instanceNormPlus(x, { rows: { values: values!, order }, activation: "elu" }),
  },
  "conditional instance norm++ of small images, ELU": {
    parameters: rows,
    apply: (x, values) => instanceNormPlus(x, { rows: { values: values!, order }, activation: "elu" }),
    sizes: slight,
  },
  "group norm 8, SiLU": {
    parameters: shared(2),
    apply: (x, gamma, beta) => groupNorm(x, 8, { gamma, beta, activation: "silu" }),
  },
  "x + group norm 8, SiLU": {
    parameters: shared(2),
    apply: (x, gamma, beta) => add(x, groupNorm(x, 8, { gamma, beta, activation: "silu" })),
    branch: true,
  },
  "group norm 32 of large maps, SiLU": {
    parameters: shared(2),
    apply: (x, gamma, beta) => groupNorm(x, 32, { gamma, beta, activation: "silu" }),
    sizes: large,
  },
};

/**
 * x read and y written once are 8 bytes an element; backward x and dy read and dx written once: 12 more. A branch's sum reads
 * two arrays and writes one, and its dx reads one more.
 */
export const cases: SizedCases = bySize(usual, (_, kind): readonly Case[] =>
  Object.entries(norms).flatMap(([name, { parameters, apply, sizes = usual, branch = false }]): Case[] => {
    const full = sizes[kind];
    const { small } = sizes;
    const shapes = (size: Size) => [size, ...parameters(size)];
    const common = { group: "norm", shape: times(full), bound: "memory" } as const;
    const elements = sizeOf(full);
    return [
      {
        ...common,
        name: `${name}, forward`,
        bytes: (branch ? 20 : 8) * elements,
        flops: (branch ? 11 : 10) * elements,
        ...sized(full, small, (engine, size) =>
          apply(...(shapes(size).map((s, i) => drawn(engine, s, i + 1)) as [Tensor])),
        ),
      },
      {
        ...common,
        name: `${name}, both passes`,
        bytes: (branch ? 36 : 20) * elements,
        flops: (branch ? 34 : 32) * elements,
        ...bothPasses({
          full,
          small,
          variables: (engine, size) => shapes(size).map((s, i) => variable(engine, s, i + 1)),
          op: (xs) => apply(...(xs as [Tensor])),
        }),
      },
    ];
  }),
);
