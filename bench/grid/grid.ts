import { mebibytes } from "../../engine/buffers.ts";
import type { Engine } from "../../engine/engine.ts";
import { defineOp } from "../../engine/op.ts";
import type { Shape } from "../../engine/tensor.ts";
import { agrees } from "../checks.ts";
import { percent } from "../format.ts";
import type { Bound, Case } from "../harness.ts";
import { drawn, times } from "../inputs.ts";
import { leastTime, type Roofs } from "../roofs.ts";
import { reduced } from "./reduced.ts";
import { type AppliedOp, walkOps } from "./walk.ts";

/** How much of the networks is measured. */
export type GridSize = "small" | "full";
export const gridSizes: readonly GridSize[] = ["small", "full"];

/** A network whose forward pass is walked through. */
export interface GridNetwork {
  /** "ncsnpp 256" */
  readonly name: string;
  /** Builds it and what goes in, and gives the pass. Called in a walk, where neither takes memory. */
  open(): () => unknown;
}

export interface LeftOut {
  readonly name: string;
  readonly reason: string;
}

export interface Grid {
  readonly cases: readonly Case[];
  readonly leftOut: readonly LeftOut[];
}

interface Bounds {
  /** Ops are taken from the dearest on until they hold this share of the network's operations, and of its bytes. */
  readonly share: number;
  /** And no more of either. */
  readonly most: number;
  /** Milliseconds that one call may be expected to take. */
  readonly milliseconds: number;
}

const bounds: Record<GridSize, Bounds> = {
  small: { share: 0.5, most: 2, milliseconds: 250 },
  full: { share: 0.9, most: 12, milliseconds: 4000 },
};

/** Of its roof, what an op that was never timed is expected to reach. */
const EXPECTED = 0.2;

/**
 * Cases out of the networks themselves: the ops, at the shapes of their forward passes, that hold most of their operations
 * and most of their bytes. What is too large for the adapter or too slow for it is listed with the reason, and so is how
 * much lies in lighter ops. `roofs`: what the adapter is known to do, to tell how long a call will take.
 */
export function gridOf(engine: Engine, networks: readonly GridNetwork[], size: GridSize, roofs: Roofs): Grid {
  const cases = new Map<string, Case>();
  const leftOut: LeftOut[] = [];
  for (const network of networks) {
    const ops = walkOps(engine, network.open);
    const chosen = new Set([
      ...heaviest(ops, "flops", bounds[size]),
      ...heaviest(ops, "bytes", bounds[size]),
    ]);
    for (const op of chosen) {
      const name = `${network.name}: ${titleOf(op)}`;
      const reason = obstacle(engine, op, roofs, bounds[size]);
      if (reason !== undefined) leftOut.push({ name, reason });
      else if (!cases.has(titleOf(op))) cases.set(titleOf(op), caseOf(name, op)); // the same op of an earlier network
    }
    const rest = ops.filter((op) => !chosen.has(op));
    if (rest.length > 0)
      leftOut.push({
        name: `${network.name}: ${rest.length} lighter ops`,
        reason:
          `${percent(partOf(rest, ops, "flops"))} of the network's operations and ` +
          `${percent(partOf(rest, ops, "bytes"))} of its bytes` +
          (size === "small" ? "; --grid full takes more" : ""),
      });
  }
  return { cases: [...cases.values()], leftOut };
}

type Measure = "flops" | "bytes";
const total = (ops: readonly AppliedOp[], by: Measure): number =>
  ops.reduce((sum, op) => sum + op.calls * op[by], 0);
const partOf = (part: readonly AppliedOp[], ops: readonly AppliedOp[], by: Measure): number =>
  total(part, by) / total(ops, by);

function heaviest(ops: readonly AppliedOp[], by: Measure, { share, most }: Bounds): AppliedOp[] {
  const sorted = ops.toSorted((a, b) => b.calls * b[by] - a.calls * a[by]);
  const chosen: AppliedOp[] = [];
  while (chosen.length < Math.min(most, sorted.length) && partOf(chosen, ops, by) < share)
    chosen.push(sorted[chosen.length]!);
  return chosen;
}

function obstacle(engine: Engine, op: AppliedOp, roofs: Roofs, bound: Bounds): string | undefined {
  const { maxBinding } = engine;
  const { budget, live } = engine.memory();
  const ms = (leastTime(roofs, op)?.ms ?? 0) / EXPECTED;
  if (!op.float || !reduced(op.spec.name, op.shapes, op.attrs)) return "no smaller size to check it at";
  if (op.binding > maxBinding)
    return `binds ${mebibytes(op.binding)}, the adapter allows ${mebibytes(maxBinding)}`;
  if (3 * op.bytes > budget - live)
    return `needs about ${mebibytes(3 * op.bytes)}, ${mebibytes(budget - live)} are left`;
  if (ms > bound.milliseconds)
    return `about ${seconds(ms)} a call here, the limit of this grid is ${seconds(bound.milliseconds)}`;
  return undefined;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(ms < 1000 ? 2 : 1)} s`;

/** "conv2d 1x128x32x32 by 128x128x3x3" */
function titleOf({ spec, shapes, attrs, output }: AppliedOp): string {
  const [x, w] = shapes as [Shape, Shape | undefined];
  const { stride, dilation, activation, groups } = attrs as Record<string, unknown>;
  const extra = [
    spec.name === "conv2d" && shapes[3] ? "and residual" : "",
    Array.isArray(stride) && stride[0] > 1 ? `stride ${stride[0]}` : "",
    Array.isArray(dilation) && dilation[0] > 1 ? `dilation ${dilation[0]}` : "",
    typeof groups === "number" && groups < x[1]! ? `in ${groups} groups` : "",
    typeof activation === "string" && activation !== "none" ? activation : "",
    spec.name === "upfirdn2d" ? `to ${times(output.slice(-2))}` : "",
  ];
  const by = w && spec.name !== "norm" && spec.name !== "upfirdn2d" ? ` by ${times(w)}` : "";
  return [`${spec.name} ${times(x)}${by}`, ...extra].filter(Boolean).join(", ");
}

const computeBound = new Set(["conv2d", "matmul", "attention"]);
/** The family whose kernel computes an op, where it is not called like it. */
const families: Readonly<Record<string, string>> = {
  avg_pool2d: "pool",
  max_pool2d: "pool",
  concat: "copy",
  ...Object.fromEntries(
    ["add", "sub", "mul", "div"].flatMap((name) => [name, `${name}_scalar`]).map((name) => [name, "binary"]),
  ),
  ...Object.fromEntries(["elu", "relu", "leakyRelu", "silu", "sigmoid"].map((name) => [name, "unary"])),
  scale: "binary",
};

function caseOf(name: string, op: AppliedOp): Case {
  const { spec, shapes, attrs, calls, bytes, flops } = op;
  const apply = defineOp(spec);
  const inputs = (engine: Engine, of: readonly (Shape | undefined)[]) =>
    of.map((shape, i) => shape && drawn(engine, shape, i + 1));
  const bound: Bound = computeBound.has(spec.name) ? "compute" : "memory";
  return {
    name,
    group: families[spec.name] ?? spec.name,
    shape: `${calls} in a forward pass`,
    bound,
    bytes,
    flops,
    run: (engine) => void engine.noGrad(() => apply(engine, inputs(engine, shapes), attrs)),
    check: (engine) => {
      const small = reduced(spec.name, shapes, attrs)!;
      return agrees(engine, () => apply(engine, inputs(engine, small.shapes), small.attrs));
    },
  };
}
