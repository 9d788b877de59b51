import type { Capture } from "../../engine/capture.ts";
import type { Engine } from "../../engine/engine.ts";
import { mul } from "../../engine/ops/index.ts";
import { costOf } from "../../engine/profiler.ts";
import { randn } from "../../engine/random.ts";
import type { Tensor } from "../../engine/tensor.ts";
import { asScore, type ScoreFunction } from "../../samplers/index.ts";
import type { Case } from "../harness.ts";
import type { Subject } from "./network.ts";
import { SamplingStep } from "./sampling-step.ts";

export type Precision = "f32" | "f16";
export const parts = ["network", "step"] as const;
export type Part = (typeof parts)[number];

/** Recorded work, and what it asks of the device. */
export interface Recorded {
  readonly precision: Precision;
  readonly part: Part;
  readonly capture: Capture<unknown>;
  readonly kernels: number;
  readonly bytes: number;
  readonly flops: number;
}

/** The network's inputs, and a chain that its score moves. All are freed with the engine. */
export class Work {
  readonly step: SamplingStep;
  /** [n,c,h,w]: images of noise at `sigma`. */
  readonly x: Tensor;
  /** [n]: from the largest to the smallest noise. */
  readonly sigma: Tensor;
  readonly #engine: Engine;
  readonly #subject: Subject;
  /** The chain, and what the network is told of it. */
  readonly #chain: Tensor;
  readonly #told: Tensor;

  constructor(engine: Engine, subject: Subject, { batch, seed }: { batch: number; seed: number }) {
    const { sigmaMin, sigmaMax, numScales } = subject.config.sde as Extract<
      Subject["config"]["sde"],
      { name: "ve" }
    >;
    this.#engine = engine;
    this.#subject = subject;
    this.step = new SamplingStep(engine, { sigmaMin, sigmaMax, numScales }, { seed });
    const ratio = sigmaMin / sigmaMax;
    const sigmas = Array.from({ length: batch }, (_, i) => sigmaMax * ratio ** (i / Math.max(1, batch - 1)));
    const shape = [batch, subject.channels, subject.size, subject.size];
    this.sigma = engine.untrack(engine.tensor(sigmas));
    this.x = engine.untrack(
      engine.scope(() => {
        const scales = engine.tensor(sigmas, [batch, 1, 1, 1]);
        return mul(randn(engine, shape, { seed, purpose: "prior" }), scales);
      }),
    );
    this.#chain = engine.untrack(engine.zeros(shape));
    this.#told = engine.untrack(engine.full([batch], this.step.sigma));
    this.restart();
  }

  /** The chain at its start, x. */
  restart(): void {
    this.#engine.copy(this.x, this.#chain);
  }

  score(precision: Precision): ScoreFunction {
    const { score } = this.#subject;
    if (precision === "f32") return score;
    return asScore((x, condition) => this.#engine.autocast(() => score(x, condition)));
  }

  /** The network's output for x, [n,c,h,w]; the caller's to dispose. */
  output(precision: Precision): Tensor {
    const engine = this.#engine;
    return engine.untrack(engine.noGrad(() => engine.scope(() => this.score(precision)(this.x, this.sigma))));
  }

  /** The chain a step after its start. [n,c,h,w] */
  stepped(): Tensor {
    const engine = this.#engine;
    this.restart();
    engine.noGrad(() => engine.scope(() => this.step.move(this.score("f32"), this.#chain, this.#told)));
    return this.#chain;
  }

  /** What `record` records, to be compiled ahead or tuned. */
  body(precision: Precision, part: Part): () => void {
    const score = this.score(precision);
    const run =
      part === "network"
        ? () => void score(this.#chain, this.#told)
        : () => this.step.move(score, this.#chain, this.#told);
    return () => this.#engine.noGrad(run);
  }

  record(precision: Precision, part: Part): Recorded {
    const body = this.body(precision, part);
    this.#engine.scope(body); // makes what outlives the step
    const capture = this.#engine.capture(body, { fuseUpdates: this.step.noise.fuseUpdates });
    const costs = capture.commands.map(costOf);
    return {
      precision,
      part,
      capture,
      kernels: costs.length,
      bytes: costs.reduce((sum, { bytes }) => sum + bytes, 0),
      flops: costs.reduce((sum, { flops }) => sum + flops, 0),
    };
  }

  /** Recorded work as the bench times it; each step draws numbers of its own. */
  caseOf({ precision, part, capture, bytes, flops }: Recorded): Case {
    const { step } = this.step.noise;
    return {
      name: `${precision} ${part}`,
      group: "torch",
      shape: this.x.shape.join("x"),
      bound: "compute",
      bytes,
      flops,
      run: () => {
        step.value = (Number(step.value) + 1) % 2 ** 20;
        capture.replay();
      },
    };
  }

  /** The chain's values: finite, or the times are of other work. */
  async requireFinite(): Promise<void> {
    const values = await this.#chain.data();
    if (!values.every(Number.isFinite)) throw new Error("torch: the chain did not stay finite");
  }
}
