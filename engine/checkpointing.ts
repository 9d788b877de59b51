import { gradOfInputs } from "./autograd.ts";
import { invariant } from "./errors.ts";
import { defineOp, type Inputs, type VjpContext } from "./op.ts";
import { identity } from "./ops/reduce.ts";
import type { Tensor } from "./tensor.ts";

interface Attrs {
  readonly f: (inputs: readonly (Tensor | undefined)[]) => Tensor;
  /** How many of the op's inputs `f` takes; the parameters it reads by itself stand behind them. */
  readonly arity: number;
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
  forward: (engine, inputs, { f, arity }) => engine.noGrad(() => f(inputs.slice(0, arity))),
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
 * y = f(inputs), of which the graph keeps nothing but the inputs: what f computes on its way is freed, and f runs once
 * more in the backward pass. `parameters`: the tensors with a gradient that f reads beside its inputs. f must give
 * the same value each time. Chen et al. 2016, "Training deep nets with sublinear memory cost".
 */
export function checkpoint(
  f: (inputs: readonly (Tensor | undefined)[]) => Tensor,
  inputs: readonly (Tensor | undefined)[],
  parameters: readonly Tensor[],
): Tensor {
  const first = inputs.find((x) => x !== undefined) ?? parameters[0];
  invariant(first, "checkpoint: no tensor among inputs and parameters");
  const { engine } = first;
  const attrs = { f, arity: inputs.length, autocast: engine.autocasting };
  return checkpointOp(engine, [...inputs, ...parameters], attrs);
}
