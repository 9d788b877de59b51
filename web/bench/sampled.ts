import type { Sampled } from "../../bench/fusion.ts";
import type { Engine } from "../../engine/engine.ts";
import { asPredictor, buildScoreNet } from "../../models/index.ts";
import { geometricSigmas } from "../../train/index.ts";

/** What the record calls the network. */
export const networkName = "ncsn-small, 28x28, as in configs/demo.yaml, untrained";

/** The demo's network, untrained: its times are those of any weights. */
export function sampledNetwork(engine: Engine): Sampled & Disposable {
  const network = buildScoreNet(engine, {
    name: "ncsn-small",
    channels: [8, 24, 48],
    imageChannels: 1,
    imageSize: 28,
    sigmas: geometricSigmas({ begin: 1, end: 0.01, count: 10 }),
    seed: 1,
  });
  return {
    score: asPredictor(network),
    image: [1, 28, 28],
    condition: (batch) => engine.zeros([batch], "i32"),
    [Symbol.dispose]: () => network.dispose(),
  };
}
