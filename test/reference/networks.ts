import type { Tensor } from "../../engine/tensor.ts";
import type { Init } from "../../models/init.ts";
import type { ActivationName, PlainNormName } from "../../models/layers/index.ts";
import type { Module } from "../../models/module.ts";
import { Ncsn, NcsnDeeper } from "../../models/ncsn.ts";
import { Ncsnv2, Ncsnv2Deeper, Ncsnv2Deepest } from "../../models/ncsnv2.ts";
import type { RefineNetOptions } from "../../models/refine-net.ts";
import { Mlp, SmallScore } from "../../models/toy/index.ts";
import type { ReferenceCase } from "./case.ts";
import type { Score } from "./model-context.ts";
import { scoreSdeNetworks } from "./score-sde.ts";
import { TinyNet } from "./tiny-net.ts";

interface Built {
  readonly module: Module;
  readonly score: Score;
}

export type Build = (init: Init, c: ReferenceCase) => Built;

const plain = (module: Module<[x: Tensor], Tensor>): Built => ({ module, score: (x) => module.run(x) });

const labelled = (module: Module<[x: Tensor, labels: Tensor], Tensor>): Built => ({
  module,
  score: (x, labels) => module.run(x, labels!),
});

const refineNet = ({ attrs }: ReferenceCase): RefineNetOptions & { normalization?: PlainNormName } => ({
  channels: attrs.number("channels"),
  imageSize: attrs.number("image_size"),
  ngf: attrs.number("ngf"),
  act: attrs.string("nonlinearity", "elu") as ActivationName,
  rescaled: attrs.boolean("rescaled", false),
  logitTransform: attrs.boolean("logit_transform", false),
  ...(attrs.has("normalization") && { normalization: attrs.string("normalization") as PlainNormName }),
});

const conditional =
  (Network: typeof Ncsn | typeof NcsnDeeper): Build =>
  (init, c) =>
    labelled(new Network(init, { ...refineNet(c), numClasses: c.attrs.number("num_classes") }));

const unconditional =
  (Network: typeof Ncsnv2): Build =>
  (init, c) =>
    labelled(new Network(init, { ...refineNet(c), sigmas: [...c.tensors.get("param.sigmas")!.data] }));

/** Networks by their official names. */
export const networks: Readonly<Record<string, Build>> = {
  CondRefineNetDilated: conditional(Ncsn),
  CondRefineNetDeeperDilated: conditional(NcsnDeeper),
  NCSN: conditional(Ncsn),
  NCSNdeeper: conditional(NcsnDeeper),
  NCSNv2: unconditional(Ncsnv2),
  NCSNv2Deeper: unconditional(Ncsnv2Deeper),
  NCSNv2Deepest: unconditional(Ncsnv2Deepest),

  ...scoreSdeNetworks,

  SmallScore: (init, { attrs }) =>
    plain(new SmallScore(init, { channels: attrs.number("channels"), nef: attrs.number("nef") })),
  TinyNet: (init, { attrs }) => {
    const module = new TinyNet(init, {
      channels: attrs.number("channels"),
      hidden: attrs.number("hidden"),
      labelScale: attrs.number("label_scale"),
      predicts: attrs.string("sde", "vesde") === "vesde" ? "score" : "eps",
    });
    return { module, score: (x, labels) => module.run(x, labels) };
  },
  "toy MLP": (init, { attrs }) => plain(new Mlp(init, attrs.numbers("layers"))),
};
