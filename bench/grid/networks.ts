import { isLabelled } from "../../cli/config/model.ts";
import { readConfig } from "../../cli/config.ts";
import { imageOf, openNetwork } from "../../cli/network.ts";
import { packaged } from "../../cli/packaged.ts";
import type { Engine } from "../../engine/engine.ts";
import type { GridNetwork } from "./grid.ts";

/** Published networks at 32, 64 and 256, by their configurations. */
const published: Readonly<Record<string, string>> = {
  "ncsn 32": "configs/ncsn/cifar10.yaml",
  "ncsnv2 32": "configs/ncsnv2/cifar10.yaml",
  "ncsnv2 64": "configs/ncsnv2/celeba.yaml",
  "ncsnv2 256": "configs/ncsnv2/ffhq.yaml",
  "ncsnpp 32": "configs/ve/cifar10_ncsnpp_continuous.yaml",
  "ncsnpp 64": "configs/ve/celeba_ncsnpp.yaml",
  "ncsnpp 256": "configs/ve/ffhq_256_ncsnpp_continuous.yaml",
};

/** `batch`: images that go through at once. */
export const gridNetworks = (engine: Engine, batch: number): GridNetwork[] =>
  Object.entries(published).map(([name, file]) => ({
    name,
    open() {
      const config = readConfig(packaged(file));
      const image = imageOf(config);
      const network = openNetwork(engine, config, image);
      const x = engine.empty([batch, image.channels, image.height, image.height]);
      const condition = engine.empty([batch], isLabelled(config.model) ? "i32" : "f32");
      return () => network.run(x, condition);
    },
  }));
