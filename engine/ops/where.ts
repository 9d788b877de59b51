import { vecsPerThread } from "../../kernels/lanewise.ts";
import { where as kernel, type WhereNumberVariant, whereNumber } from "../../kernels/where.ts";
import type { Engine } from "../engine.ts";
import { defineOp, type Inputs } from "../op.ts";
import { scalar } from "../oracle/array.ts";
import { where as mathematics } from "../oracle/binary.ts";
import { numberOf, type ScalarLike } from "../scalar.ts";
import { broadcastShapes } from "../shapes.ts";
import { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import type { Operand } from "./elementwise.ts";
import { broadcastTo, sumTo } from "./reduce.ts";
import { requireFloat, requireScalar } from "./require.ts";

/** What `launch` writes for the inputs, all stretched to one shape. */
function stretched(
  engine: Engine,
  inputs: Inputs,
  launch: (z: Tensor, vecs: number, ...xs: Tensor[]) => void,
): Tensor {
  const shape = inputs.map((x) => x!.shape).reduce((a, b) => broadcastShapes("where", a, b));
  return engine.noGrad(() =>
    engine.scope(() => {
      const z = engine.empty(shape);
      launch(z, vecsPerThread(engine.hardware), ...inputs.map((x) => broadcastTo(x!, shape)));
      return z;
    }),
  );
}

// A gradient goes to the side that was taken and is 0 on the other, whatever stands there: 0 times an infinity is NaN.
const both = defineOp<object>({
  name: "where",
  forward: (engine, inputs) =>
    stretched(engine, inputs, (z, vecs, c, x, y) =>
      engine.launchLinear(kernel, { vecs }, { c: c!, x: x!, y: y!, z }, {}, z.size),
    ),
  vjp: ({ inputs: [c], dy, wants, shapes }) => [
    undefined,
    wants[1] ? sumTo(where(c!, dy, 0), shapes[1]!) : undefined,
    wants[2] ? sumTo(where(c!, 0, dy), shapes[2]!) : undefined,
  ],
  saves: { inputs: [0] },
  oracle: ([c, x, y]) => mathematics(c!, x!, y!),
});

const one = defineOp<{ side: WhereNumberVariant["x"]; s: ScalarLike }>({
  name: "where_number",
  forward: (engine, inputs, { side, s }) =>
    stretched(engine, inputs, (z, vecs, c, x) =>
      engine.launchLinear(whereNumber, { x: side, vecs }, { c: c!, x: x!, z }, { s }, z.size),
    ),
  vjp: ({ inputs: [c], dy, attrs: { side }, shapes }) => [
    undefined,
    sumTo(side === "set" ? where(c!, dy, 0) : where(c!, 0, dy), shapes[1]!),
  ],
  saves: { inputs: [0] },
  oracle: ([c, x], { side, s }) => {
    const other = scalar(numberOf(s));
    return side === "set" ? mathematics(c!, x!, other) : mathematics(c!, other, x!);
  },
});

/**
 * x where `condition` is not 0, else y, with broadcasting as in NumPy; x and y may be numbers or Scalars. No gradient flows
 * into the condition, nor into the side that is not taken, even where that one is infinite or NaN. Throws UsageError for
 * shapes that do not broadcast and for integers.
 */
export function where(condition: Tensor, x: Operand, y: Operand): Tensor {
  requireFloat("where", condition);
  for (const side of [x, y]) {
    if (side instanceof Tensor) requireFloat("where", side);
    else requireScalar("where", side);
  }
  const { engine } = condition;
  if (!(y instanceof Tensor)) {
    const taken = x instanceof Tensor ? x : add(engine.zeros([]), x);
    return one(engine, [condition, taken], { side: "set", s: y });
  }
  if (!(x instanceof Tensor)) return one(engine, [condition, y], { side: "unset", s: x });
  return both(engine, [condition, x, y], {});
}
