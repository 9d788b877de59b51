import { groupNorm, instanceNorm } from "../../../engine/ops/index.ts";
import {
  ConditionalInstanceNorm2d,
  ConditionalInstanceNorm2dPlus,
  ConditionalNoneNorm2d,
  ConditionalVarianceNorm2d,
  InstanceNorm2d,
  InstanceNorm2dPlus,
  layerNorm,
  NoneNorm2d,
  type Norm,
  VarianceNorm2d,
} from "../../../models/layers/index.ts";
import type { OpContext, OpRunner } from "../op-context.ts";

type Build = (c: OpContext, channels: number, classes: number, options: { bias: boolean }) => Norm;

const norm =
  (build: Build): OpRunner =>
  (c) => {
    const x = c.in("x");
    const options = { bias: c.attrs.boolean("bias", true) };
    const layer = c.load(build(c, x.dim(1), c.attrs.number("num_classes", 0), options));
    return layer.run(x, { labels: c.optional("labels") });
  };

export const norms: Readonly<Record<string, OpRunner>> = {
  ConditionalInstanceNorm2dPlus: norm(
    (c, n, k, options) => new ConditionalInstanceNorm2dPlus(c.init, n, k, options),
  ),
  ConditionalInstanceNorm2d: norm((c, n, k, options) => new ConditionalInstanceNorm2d(c.init, n, k, options)),
  ConditionalVarianceNorm2d: norm((c, n, k) => new ConditionalVarianceNorm2d(c.init, n, k)),
  ConditionalNoneNorm2d: norm((c, n, k, options) => new ConditionalNoneNorm2d(c.init, n, k, options)),
  InstanceNorm2dPlus: norm((c, n, _, options) => new InstanceNorm2dPlus(c.init, n, options)),
  InstanceNorm2d: norm((c) => new InstanceNorm2d({ eps: c.attrs.number("eps", 1e-5) })),
  VarianceNorm2d: norm((c, n) => new VarianceNorm2d(c.init, n)),
  NoneNorm2d: norm(() => new NoneNorm2d()),

  instance_norm: (c) =>
    instanceNorm(c.in("x"), {
      gamma: c.optional("weight"),
      beta: c.optional("bias"),
      eps: c.attrs.number("eps", 1e-5),
    }),
  group_norm: (c) =>
    groupNorm(c.in("x"), c.attrs.number("groups"), {
      gamma: c.optional("weight"),
      beta: c.optional("bias"),
      eps: c.attrs.number("eps", 1e-5),
    }),
  layer_norm: (c) =>
    layerNorm(c.in("x"), {
      gamma: c.optional("weight"),
      beta: c.optional("bias"),
      eps: c.attrs.number("eps", 1e-5),
    }),
};
