import { readConfig, type SdeConfig } from "../../cli/config.ts";
import { imageOf, openNetwork } from "../../cli/network.ts";
import { packaged } from "../../cli/packaged.ts";
import { scoreOf } from "../../cli/score.ts";
import type { Engine } from "../../engine/engine.ts";
import { add, scale } from "../../engine/ops/index.ts";
import { randn } from "../../engine/random.ts";
import { shapeSize } from "../../engine/shapes.ts";
import type { ScoreNet } from "../../models/index.ts";
import type { ScoreFunction } from "../../samplers/index.ts";

export interface Subject {
  readonly config: SdeConfig & { model: { name: "ncsnpp" } };
  readonly channels: number;
  /** Of the images, in pixels. */
  readonly size: number;
  readonly network: ScoreNet<"score" | "eps">;
  readonly score: ScoreFunction;
}

interface SubjectOptions {
  seed: number;
  /** What differs from the published model. */
  model?: Partial<Extract<SdeConfig["model"], { name: "ncsnpp" }>>;
  /** Side of the images; 32 unless told. */
  size?: number;
}

/** An eighth of the width and one block a level, for processors. */
export const small: SubjectOptions["model"] = { nf: 16, numResBlocks: 1 };

/** NCSN++ (continuous) for CIFAR-10, with random weights on all of which its output depends. */
export function openSubject(engine: Engine, { seed, model = {}, size }: SubjectOptions): Subject {
  const config = readConfig(packaged("configs/ve/cifar10_ncsnpp_continuous.yaml")) as Subject["config"];
  config.training.seed = seed;
  Object.assign(config.model, { initScale: 1, dropout: 0 }, model);
  const image = { ...imageOf(config), ...(size !== undefined && { height: size }) };
  const network = openNetwork(engine, config, image);
  stir(engine, network, seed);
  return { config, channels: image.channels, size: image.height, network, score: scoreOf(network, config) };
}

/** Moves biases off 0 and gains off 1, where initialisation leaves them and an error in their use would not show. */
function stir(engine: Engine, network: ScoreNet<"score" | "eps">, seed: number): void {
  let step = 0;
  for (const parameter of network.parameters().values()) {
    step++;
    if (parameter.rank !== 1) continue;
    engine.noGrad(() =>
      engine.scope(() => {
        const z = randn(engine, [1, shapeSize(parameter.shape)], { seed, purpose: "user", step });
        engine.copy(add(parameter, scale(z, 0.1)), parameter);
      }),
    );
  }
}
