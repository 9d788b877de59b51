import type { Tensor } from "../../../engine/tensor.ts";
import {
  AttnBlock,
  Combine,
  type CombineMethod,
  ConvMeanPool,
  Downsample,
  Fir,
  GaussianFourierProjection,
  groupsFor,
  MeanPoolConv,
  NIN,
  naiveDownsample,
  naiveUpsample,
  timestepEmbedding,
  Upsample,
  UpsampleConv,
} from "../../../models/layers/index.ts";
import type { OpContext, OpRunner } from "../op-context.ts";

export const layers: Readonly<Record<string, OpRunner>> = {
  NIN: (c) => c.load(new NIN(c.init, ...channels(c))).run(c.in("x")),

  ConvMeanPool: (c) => c.load(new ConvMeanPool(c.init, ...channels(c), pooled(c))).run(c.in("x")),
  MeanPoolConv: (c) => c.load(new MeanPoolConv(c.init, ...channels(c), pooled(c))).run(c.in("x")),
  UpsampleConv: (c) => c.load(new UpsampleConv(c.init, ...channels(c), pooled(c))).run(c.in("x")),

  naive_upsample_2d: (c) => naiveUpsample(c.in("x"), c.attrs.number("factor")),
  naive_downsample_2d: (c) => naiveDownsample(c.in("x"), c.attrs.number("factor")),
  upsample_2d: (c) => withFir(c, (fir) => fir.upsample(c.in("x"))),
  downsample_2d: (c) => withFir(c, (fir) => fir.downsample(c.in("x"))),
  conv_downsample_2d: (c) => withFir(c, (fir) => fir.convDownsample(c.in("x"), c.in("weight"))),
  upsample_conv_2d: (c) => withFir(c, (fir) => fir.upsampleConv(c.in("x"), c.in("weight"))),
  Upsample: (c) => c.load(new Upsample(c.init, c.shape("in.x")[1]!, resample(c))).run(c.in("x")),
  Downsample: (c) => c.load(new Downsample(c.init, c.shape("in.x")[1]!, resample(c))).run(c.in("x")),

  Combine(c) {
    const method = c.attrs.string("method", "cat") as CombineMethod;
    const [x, y] = [c.in("x"), c.in("y")];
    return c.load(new Combine(c.init, x.dim(1), y.dim(1), method)).run(x, y);
  },

  GaussianFourierProjection(c) {
    const size = c.attrs.number("embedding_size");
    return c
      .load(new GaussianFourierProjection(c.init, size, { scale: c.attrs.number("scale", 1) }))
      .run(c.in("x"));
  },
  get_timestep_embedding: (c) =>
    timestepEmbedding(c.float("t"), c.attrs.number("dim"), c.attrs.number("max_positions", 10000)),

  AttnBlock: (c) => attention(c, 32),
  AttnBlockpp: (c) => attention(c, groupsFor(c.shape("in.x")[1]!)),
};

/** Those that come in and those that go out. */
const channels = (c: OpContext): [number, number] => [c.shape("in.x")[1]!, c.shape("out.y")[1]!];

const pooled = ({ attrs }: OpContext) => ({
  kernel: attrs.number("kernel_size", 3),
  bias: attrs.boolean("biases", true),
  adjustPadding: attrs.boolean("adjust_padding", false),
});

const resample = (c: OpContext) => ({
  withConv: c.attrs.boolean("with_conv"),
  outChannels: c.shape("out.y")[1]!,
  fir: c.attrs.boolean("fir", false) ? c.attrs.numbers("fir_kernel", [1, 3, 3, 1]) : undefined,
});

function withFir(c: OpContext, f: (fir: Fir) => Tensor): Tensor {
  const factor = c.attrs.number("factor", 2);
  const fir = new Fir(c.init.engine, c.attrs.numbers("k", new Array<number>(factor).fill(1)), factor);
  const y = f(fir);
  fir.dispose();
  return y;
}

function attention(c: OpContext, groups: number): Tensor {
  const options = {
    groups: c.attrs.number("groups", groups),
    skipRescale: c.attrs.boolean("skip_rescale", false),
  };
  return c.load(new AttnBlock(c.init, c.shape("in.x")[1]!, options)).run(c.in("x"));
}
