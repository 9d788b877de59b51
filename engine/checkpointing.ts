import { gradOfInputs } from "./autograd.ts";
import { UsageError } from "./errors.ts";
import { defineOp, type Inputs, type VjpContext } from "./op.ts";
import { identity } from "./ops/reduce.ts";
import type { Tensor } from "./tensor.ts";

interface Attrs {
  readonly f: (inputs: Inputs) => Tensor;
  /** How many of the op's inputs `f` takes; what else it reads that has a graph stands behind them. */
  readonly arity: number;
  /** What f gave at first. */
  readonly y: Tensor;
  /** Whether f ran under `autocast` at first: it has to the second time. */
  readonly autocast: boolean;
}

/** Gradients of f's value at these inputs, in place of the op's: nodes of their own, where one may be given twice. */
function again(context: VjpContext<Attrs>, inputs: Inputs, createGraph: boolean) {
  const { engine, attrs } = context;
  const y = engine.withGrad(() =>
    engine.autocast(() => attrs.f(inputs.slice(0, attrs.arity)), attrs.autocast),
  );
  return gradOfInputs(y, inputs, context, createGraph);
}

const checkpointOp = defineOp<Attrs>({
  name: "checkpoint",
  forward: (_engine, _inputs, { y }) => y,
  vjp: (context) => {
    const { attrs, inputs } = context;
    const own = inputs.map((x, i) => (x?.node && i < attrs.arity ? identity(x) : x));
    return again(context, own, true);
  },
  fusedVjp: (context) => {
    const { engine, attrs, inputs } = context;
    // Leaves in place of the inputs: the graph behind those is not this pass's to walk or to free.
    const leaves = inputs.map((x, i) =>
      x?.node && i < attrs.arity ? engine.track(engine.asVariable(x.detach())) : x,
    );
    return again(context, leaves, false);
  },
  saves: { inputs: "all" },
  oracle: "none",
});

/**
 * y = f(inputs), of which the graph keeps nothing but the inputs and what else f reads that has a graph, such as
 * parameters: what f computes on its way is freed, and f runs once more in the backward pass. f must give the same value
 * each time. Chen et al. 2016, "Training deep nets with sublinear memory cost". Throws UsageError where no input is a tensor.
 */
export function checkpoint(f: (inputs: Inputs) => Tensor, inputs: Inputs): Tensor {
  const engine = inputs.find((x) => x !== undefined)?.engine;
  if (!engine) throw new UsageError("checkpoint: got no tensor among the inputs, expected at least one");
  // f's value under a handle of its own, for it may be a tensor of the caller's.
  const { result: y, read } = engine.noGradReading(() =>
    engine.scope(() => identity(f(inputs.map((x) => x?.detach())))),
  );
  const attrs = { f, arity: inputs.length, y, autocast: engine.autocasting };
  return checkpointOp(engine, [...inputs, ...read], attrs);
}
