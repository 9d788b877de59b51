import type { Init } from "../../models/init.ts";
import type { Module } from "../../models/module.ts";
import { Ncsn } from "../../models/ncsn.ts";
import type { ReferenceCase } from "./case.ts";
import type { Score } from "./model-context.ts";

interface Built {
  readonly module: Module;
  readonly score: Score;
}

/** Networks by their official names. */
export const networks: Readonly<Record<string, (init: Init, c: ReferenceCase) => Built>> = {
  CondRefineNetDilated(init, { attrs }) {
    const module = new Ncsn(init, {
      channels: attrs.number("channels"),
      imageSize: attrs.number("image_size"),
      ngf: attrs.number("ngf"),
      numClasses: attrs.number("num_classes"),
      logitTransform: attrs.boolean("logit_transform", false),
    });
    return { module, score: (x, labels) => module.run(x, labels!) };
  },
};
