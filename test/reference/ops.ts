import { grad } from "../../engine/autograd.ts";
import type { Engine } from "../../engine/engine.ts";
import { UsageError } from "../../engine/errors.ts";
import type { Tensor } from "../../engine/tensor.ts";
import type { ReferenceCase } from "./case.ts";
import type { Kind } from "./kinds.ts";
import { OpContext, type OpRunner, upload } from "./op-context.ts";
import { blocks } from "./ops/blocks.ts";
import { layers } from "./ops/layers.ts";
import { norms } from "./ops/norms.ts";
import { primitives } from "./ops/primitives.ts";

const runners: Readonly<Record<string, OpRunner>> = { ...primitives, ...norms, ...layers, ...blocks };

/** `pad(0,1,0,1) then conv2d` and its like run as the plain op, which reads the padding from the attributes. */
const nameOf = (c: ReferenceCase): string => c.attrs.string("op", "without a name");
const runnerOf = (name: string): OpRunner | undefined => runners[name.replace(/^pad\([-\d, ]*\) then /, "")];

export const ops: Kind = {
  family: nameOf,

  async run(engine, c) {
    const run = runnerOf(nameOf(c));
    if (!run) throw new UsageError(`unknown op ${nameOf(c)}`);
    const context = new OpContext(engine, c);
    const results = engine.scope(() => withGradients(engine, c, context, run(context)));
    const values = await engine.readAll(Object.values(results));
    for (const t of Object.values(results)) t.dispose();
    context.dispose();
    return new Map(Object.keys(results).map((name, i) => [name, values[i]!]));
  },
};

/** out.y, and the gradients of sum(out.y * in.gy) that the file holds. */
function withGradients(
  engine: Engine,
  c: ReferenceCase,
  { leaves }: OpContext,
  y: Tensor,
): Record<string, Tensor> {
  const wanted = [...leaves].filter(([name]) => c.tensors.has(`grad.${name}`));
  const results: Record<string, Tensor> = { "out.y": y };
  if (wanted.length === 0) return results;
  const gy = c.tensors.get("in.gy");
  const grads = grad(
    y,
    wanted.map(([, t]) => t),
    { cotangent: gy && upload(engine, gy) },
  );
  wanted.forEach(([name], i) => {
    results[`grad.${name}`] = grads[i]!;
  });
  return results;
}
