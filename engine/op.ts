import type { Engine } from "./engine.ts";
import { invariant } from "./errors.ts";
import { GraphNode } from "./graph.ts";
import type { Array64 } from "./oracle/array.ts";
import { type Shape, Tensor } from "./tensor.ts";

/** An op's inputs, in the order it declares; undefined for those left out. */
export type Inputs = readonly (Tensor | undefined)[];

/** What a derivative is computed from. */
export interface VjpContext<A> {
  readonly engine: Engine;
  readonly attrs: A;
  /** The inputs named in `saves`; the others are undefined. */
  readonly inputs: Inputs;
  readonly shapes: readonly (Shape | undefined)[];
  readonly y: Tensor | undefined;
  readonly dy: Tensor;
  readonly extras: readonly Tensor[];
  /** Which inputs' gradients are asked for. */
  readonly wants: readonly boolean[];
  /**
   * The sum of the gradients that later uses of input i gave it, if there is one. A rule whose kernel can add takes it and
   * returns before + own; one that does not take it returns its own alone, which is added by a launch more.
   */
  readonly take: (i: number) => Tensor | undefined;
}

/** dL/dx for each input, in their order, from dL/dy; undefined where none is wanted or there is none. */
export type Vjp<A> = (context: VjpContext<A>) => (Tensor | undefined)[];

/** An op is a value and a local rule: how to compute it, its derivative, and its mathematics in float64. */
export interface OpSpec<A> {
  readonly name: string;
  /** Launches kernels, or calls ops inside `engine.noGrad`. `extras` are by-products the fused derivative wants, such as a mean. */
  forward(engine: Engine, inputs: Inputs, attrs: A): Tensor | { y: Tensor; extras: Tensor[] };
  /** Written in ops, so that it can be differentiated again. */
  readonly vjp: "none" | Vjp<A>;
  /** A faster derivative by kernels of its own, used when no second derivative is asked for. */
  readonly fusedVjp?: Vjp<A>;
  /** What the derivative reads. Nothing if absent. */
  readonly saves?: Saves;
  /** The op in plain float64 loops, or "none" for one that only calls others. */
  readonly oracle: "none" | ((inputs: readonly (Array64 | undefined)[], attrs: A) => Array64);
}

/** What an op keeps for its derivative. */
export interface Saves {
  /** Their places. "crosswise", of an op that is linear in its first two: each where the other's gradient may be asked for. */
  readonly inputs?: readonly number[] | "all" | "crosswise";
  readonly output?: boolean;
}

/** What an observer is told of each op, for verification and fault finding. */
export interface OpEvent {
  readonly spec: OpSpec<unknown>;
  readonly inputs: Inputs;
  readonly attrs: unknown;
  readonly y: Tensor;
  /** Modules around it, outermost first. */
  readonly path: string;
}

/** An op as it is applied: its inputs and attributes -> y. */
export type Op<A> = (engine: Engine, inputs: Inputs, attrs: A) => Tensor;

const none: readonly Tensor[] = [];

/** Applies ops: runs the forward and, where a gradient may be asked for, records it. */
export function defineOp<A>(spec: OpSpec<A>): Op<A> {
  return (engine, inputs, attrs) => {
    const result = engine.forward(() => spec.forward(engine, inputs, attrs));
    const [y, extras] = result instanceof Tensor ? [result, none] : [result.y, result.extras];
    engine.observer?.({ spec: spec as OpSpec<unknown>, inputs, attrs, y, path: engine.path.join(".") });
    if (engine.graphReads) noteReads(engine.graphReads, inputs);
    if (engine.recording && inputs.some((x) => x?.node)) {
      if (y.node) invariant(false, `${spec.name}: a forward must return a fresh tensor`);
      const { inputs: kept = [], output = false } = spec.saves ?? {};
      y.node = new GraphNode(y.shape, {
        spec: spec as OpSpec<unknown>,
        attrs,
        parents: inputs.map((x) => x?.node),
        shapes: inputs.map((x) => x?.shape),
        inputs: inputs.map((x, i) => (isKept(kept, i, inputs) ? x?.alias() : undefined)),
        output: output ? new Tensor(engine, y.storage.retain(), y.shape, y.dtype) : undefined,
        extras: extras.map((t) => t.alias()),
        made: engine.stream.writes,
        replays: engine.replays,
        freed: false,
      }).retain();
    }
    for (const t of extras) t.dispose();
    return y;
  };
}

function isKept(kept: NonNullable<Saves["inputs"]>, i: number, inputs: Inputs): boolean {
  if (kept === "crosswise") return i < 2 && inputs[1 - i]?.node !== undefined;
  return kept === "all" || kept.includes(i);
}

function noteReads(reads: Set<Tensor>, inputs: Inputs): void {
  for (const x of inputs) if (x?.node) reads.add(x);
}
