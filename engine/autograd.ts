import { UsageError } from "./errors.ts";
import type { GraphNode, OpRecord } from "./graph.ts";
import type { VjpContext } from "./op.ts";
import { add } from "./ops/binary.ts";
import { cast } from "./ops/cast.ts";
import { sameShape, showShape } from "./shapes.ts";
import { Tensor } from "./tensor.ts";

/** How a gradient is asked for: see grad. */
export interface GradOptions {
  /** dL/dy for a y that is not a scalar; ones of y's shape otherwise only for one element. */
  cotangent?: Tensor;
  /** Record the backward pass too, so that its results can be differentiated again. Implies retainGraph. */
  createGraph?: boolean;
  /** Keep the activations for another backward pass. */
  retainGraph?: boolean;
}

/**
 * Vector-Jacobian products by reverse mode: d(y . cotangent)/dx for every x of `wrt`, each of x's shape;
 * zeros where y does not depend on x; in f32, inside of `engine.autocast` too. Activations are freed as soon as their last
 * consumer has run.
 * Throws UsageError when y has no graph, when the graph was freed, when an op on the way has no derivative, and when what
 * one keeps for it, its inputs mostly, was written since.
 */
export function grad(y: Tensor, wrt: readonly Tensor[], options: GradOptions = {}): Tensor[] {
  return gradients(y, wrt, options, false);
}

/**
 * What a rule returns that computed its op's value y once more: the gradients in its inputs, each node's once, zeros left
 * out where y has no graph. What inputs are made from, of each other too, is for the pass around to walk, and to free.
 */
export function gradOfInputs(
  y: Tensor,
  inputs: readonly (Tensor | undefined)[],
  { dy: cotangent, wants }: Pick<VjpContext<unknown>, "dy" | "wants">,
  createGraph: boolean,
): (Tensor | undefined)[] {
  const isFirst = (t: Tensor, i: number) => inputs.findIndex((other) => other?.node === t.node) === i;
  const wanted = inputs.filter((t, i): t is Tensor => t !== undefined && wants[i] === true && isFirst(t, i));
  const grads = y.node ? gradients(y, wanted, { cotangent, createGraph }, true) : [];
  return inputs.map((t) => t && grads[wanted.indexOf(t)]);
}

/** `apart`: without going on from one of `wrt` to another that it was made from. */
function gradients(
  y: Tensor,
  wrt: readonly Tensor[],
  { cotangent, createGraph = false, retainGraph = createGraph }: GradOptions,
  apart: boolean,
): Tensor[] {
  const { engine } = y;
  if (!y.node) throw new UsageError("grad: y has no graph; compute it from a parameter or engine.variable");
  if (cotangent ? !sameShape(cotangent.shape, y.shape) : y.size !== 1)
    throw new UsageError(
      `grad: got y ${showShape(y.shape)} with cotangent ${cotangent ? showShape(cotangent.shape) : "none"}, ` +
        "expected a cotangent of y's shape (none only for one element)",
    );
  const targets = new Set(
    wrt.map((x, i) => {
      if (!x.node)
        throw new UsageError(`grad: wrt[${i}] ${showShape(x.shape)} has no graph; use engine.variable`);
      return x.node;
    }),
  );
  const sums = new Map<GraphNode, Tensor>();
  const first = () => {
    const given = createGraph ? cotangent : cotangent?.detach();
    return given ? engine.autocast(() => inF32(given), false) : engine.ones(y.shape);
  };
  sums.set(
    y.node,
    engine.scope(() => first().alias()),
  );
  try {
    for (const { node, wants } of nodesBetween(y.node, targets, apart)) {
      const dy = sums.get(node);
      if (!dy || !wants.includes(true)) continue; // a target that leads to no other keeps its graph
      // In f32, within `autocast` too: halves lose small gradients and overflow with large ones.
      engine.autocast(
        () =>
          engine.scope(() => {
            if (createGraph) engine.withGrad(() => accumulate(node, wants, dy, sums, true));
            else engine.noGrad(() => accumulate(node, wants, dy, sums, false));
          }),
        false,
      );
      if (!retainGraph) node.freeSaved();
      if (!targets.has(node)) {
        sums.delete(node);
        dy.dispose();
      }
    }
    return wrt.map((x) => {
      const sum = sums.get(x.node!);
      return sum ? engine.track(sum.alias()) : engine.zeros(x.shape);
    });
  } finally {
    for (const sum of sums.values()) sum.dispose();
  }
}

const inF32 = (t: Tensor): Tensor => (t.dtype === "f16" ? cast(t, "f32") : t);

interface Visit {
  readonly node: GraphNode;
  /** Which parents lie on a path to a target too. */
  readonly wants: readonly boolean[];
}

/** Nodes on a path from `root` to a target, `apart` on one that meets no other, latest first. */
function nodesBetween(root: GraphNode, targets: ReadonlySet<GraphNode>, apart: boolean): Visit[] {
  let oldest = Infinity; // parents are older than their children: what is older than all targets leads to none
  for (const { id } of targets) oldest = Math.min(oldest, id);
  const parentsOf = (node: GraphNode) => (apart && targets.has(node) ? [] : (node.record?.parents ?? []));
  const reaches = new Map<GraphNode, boolean>();
  const stack = [root];
  while (stack.length > 0) {
    const node = stack.at(-1)!;
    const parents = parentsOf(node).filter((p) => p !== undefined && p.id >= oldest) as GraphNode[];
    const unseen = parents.filter((p) => !reaches.has(p));
    if (unseen.length > 0) {
      stack.push(...unseen);
      continue;
    }
    stack.pop();
    reaches.set(node, targets.has(node) || parents.some((p) => reaches.get(p)));
  }
  for (const [node, does] of reaches) if (!does) reaches.delete(node);
  return [...reaches.keys()]
    .sort((a, b) => b.id - a.id)
    .map((node) => ({
      node,
      wants: parentsOf(node).map((p) => p !== undefined && reaches.has(p)),
    }));
}

/** Throws UsageError where what was kept for a derivative was changed in place since. */
function requireUnwritten({ spec, inputs, output, extras, made, replays }: OpRecord): void {
  const then = Math.max(made, replays?.at ?? 0);
  const changed = [...inputs, output, ...extras].find((t) => t && t.storage.block.written > then);
  if (changed)
    throw new UsageError(
      `grad: a tensor ${showShape(changed.shape)} that ${spec.name} keeps for its derivative was written after ${spec.name} had ` +
        "run, expected it as it was; take the gradient first, or write to a copy",
    );
}

function accumulate(
  node: GraphNode,
  wants: readonly boolean[],
  dy: Tensor,
  sums: Map<GraphNode, Tensor>,
  createGraph: boolean,
): void {
  const record = node.record!;
  const { spec, attrs, inputs, output, extras, shapes } = record;
  const { engine } = dy;
  if (record.freed)
    throw new UsageError(
      `grad: the graph through ${spec.name} was freed by an earlier grad; pass retainGraph: true`,
    );
  if (spec.vjp === "none") throw new UsageError(`grad: ${spec.name} has no derivative`);
  requireUnwritten(record);
  const y =
    output &&
    engine.track(
      new Tensor(engine, output.storage.retain(), output.shape, output.dtype, createGraph ? node : undefined),
    );
  /** Out of the sums, so that what the rule returns comes in its place; of one tensor given twice, once. */
  const take = (i: number): Tensor | undefined => {
    const parent = record.parents[i];
    const before = parent && sums.get(parent);
    if (!before) return undefined;
    sums.delete(parent);
    return engine.track(before);
  };
  const rule = createGraph ? spec.vjp : (spec.fusedVjp ?? spec.vjp);
  const grads = rule({ engine, inputs, shapes, y, dy, attrs, extras, wants, take });
  record.parents.forEach((parent, i) => {
    const g = grads[i];
    if (!parent || !wants[i] || !g) return;
    const before = sums.get(parent);
    sums.set(parent, before ? add(before, g).alias() : g.alias());
    before?.dispose();
  });
}
