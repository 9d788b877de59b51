import type { Pair } from "../../../engine/ops/index.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import {
  CRPBlock,
  MSFBlock,
  RCUBlock,
  RefineBlock,
  ResidualBlock,
  ResnetBlockBigGAN,
  ResnetBlockDDPM,
} from "../../../models/blocks/index.ts";
import {
  ConditionalInstanceNorm2dPlus,
  groupsFor,
  type MakeNorm,
  NoneNorm2d,
  plainNorm,
  requireActivation,
} from "../../../models/layers/index.ts";
import type { OpContext, OpRunner } from "../op-context.ts";

export const blocks: Readonly<Record<string, OpRunner>> = {
  ConditionalResidualBlock: (c) => residual(c, conditional(c)),
  ResidualBlock: (c) => residual(c, plainNorm(c.attrs.string("normalization", "InstanceNorm++"))),
  CondRCUBlock: (c) => rcu(c, conditional(c)),
  RCUBlock: (c) => rcu(c, none),
  CondCRPBlock: (c) => crp(c, conditional(c), "average"),
  CRPBlock: (c) => crp(c, none, "max"),
  CondMSFBlock: (c) => msf(c, conditional(c)),
  MSFBlock: (c) => msf(c, none),
  CondRefineBlock: (c) => refine(c, conditional(c), "average"),
  RefineBlock: (c) => refine(c, undefined, "max"),

  ResnetBlockDDPM: (c) => ddpm(c, () => c.attrs.number("groups", 32)),
  ResnetBlockDDPMpp: (c) => ddpm(c, groupsFor),
  ResnetBlockBigGANpp(c) {
    const resample = c.attrs.boolean("up", false)
      ? "up"
      : c.attrs.boolean("down", false)
        ? "down"
        : undefined;
    const block = new ResnetBlockBigGAN(c.init, c.attrs.number("in"), c.attrs.number("out"), {
      act: act(c),
      embedding: embedding(c)?.dim(1),
      resample,
      fir: c.attrs.boolean("fir", false) ? c.attrs.numbers("fir_kernel", [1, 3, 3, 1]) : undefined,
      skipRescale: c.attrs.boolean("skip_rescale", true),
    });
    return c.load(block).run(c.in("x"), embedding(c));
  },
};

const act = (c: OpContext) => requireActivation("reference", c.attrs.string("act"));
const embedding = (c: OpContext) => c.optional("temb");
const outChannels = (c: OpContext) => c.shape("out.y")[1]!;
const none: MakeNorm = () => new NoneNorm2d();

/** As many labels as the tables of the file have rows. */
function conditional(c: OpContext): MakeNorm {
  const table = c.parameterNames().find((name) => name.endsWith("embed.weight"));
  const classes = c.attrs.number("num_classes", table ? c.shape(`param.${table}`)[0] : undefined);
  return (init, channels) => new ConditionalInstanceNorm2dPlus(init, channels, classes);
}

function residual(c: OpContext, norm: MakeNorm): Tensor {
  const dilation = c.attrs.has("dilation") ? c.attrs.number("dilation") : undefined;
  const block = new ResidualBlock(c.init, c.attrs.number("in"), c.attrs.number("out"), {
    norm,
    act: act(c),
    resample: c.attrs.has("resample") ? "down" : undefined,
    dilation: c.attrs.string("source") === "ncsnv2" && dilation === 1 ? undefined : dilation, // there 1 means none
    adjustPadding: c.attrs.boolean("adjust_padding", false),
  });
  return c.load(block).run(c.in("x"), c.optional("labels"));
}

function rcu(c: OpContext, norm: MakeNorm): Tensor {
  const options = {
    blocks: c.attrs.number("n_blocks"),
    stages: c.attrs.number("n_stages"),
    norm,
    act: act(c),
  };
  return c.load(new RCUBlock(c.init, outChannels(c), options)).run(c.in("x"), c.optional("labels"));
}

function crp(c: OpContext, norm: MakeNorm, usual: "average" | "max"): Tensor {
  const pool = c.attrs.string("pool", usual) === "max" ? "max" : "average";
  const options = { stages: c.attrs.number("n_stages"), pool, norm, act: act(c) } as const;
  return c.load(new CRPBlock(c.init, outChannels(c), options)).run(c.in("x"), c.optional("labels"));
}

const sizeOf = (c: OpContext): Pair => c.attrs.pair("shape");

function msf(c: OpContext, norm: MakeNorm): Tensor {
  const xs = c.inputs("x");
  const block = new MSFBlock(
    c.init,
    xs.map((x) => x.dim(1)),
    outChannels(c),
    { norm },
  );
  return c.load(block).run(xs, sizeOf(c), c.optional("labels"));
}

function refine(c: OpContext, norm: MakeNorm | undefined, pool: "average" | "max"): Tensor {
  const xs = c.inputs("x");
  const names = c.parameterNames();
  const start = !names.some((name) => name.startsWith("msf."));
  const end = names.some((name) => name.startsWith("output_convs.3_1_conv"));
  const block = new RefineBlock(
    c.init,
    xs.map((x) => x.dim(1)),
    outChannels(c),
    { act: act(c), pool, norm, start, end },
  );
  return c.load(block).run(xs, sizeOf(c), c.optional("labels"));
}

function ddpm(c: OpContext, groups: (channels: number) => number): Tensor {
  const block = new ResnetBlockDDPM(c.init, c.attrs.number("in"), c.attrs.number("out"), {
    act: act(c),
    embedding: embedding(c)?.dim(1),
    groups,
    convShortcut: c.attrs.boolean("conv_shortcut", false),
    skipRescale: c.attrs.boolean("skip_rescale", false),
  });
  return c.load(block).run(c.in("x"), embedding(c));
}
