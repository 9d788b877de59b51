import { createRequire } from "node:module";
import { grad } from "../../../engine/autograd.ts";
import { Engine } from "../../../engine/engine.ts";
import {
  add,
  attention,
  conv2d,
  dsmLoss,
  dsmPerturb,
  instanceNorm,
  matmul,
  neg,
} from "../../../engine/ops/index.ts";
import { Adam } from "../../../engine/optim/adam.ts";
import { Scalar } from "../../../engine/scalar.ts";
import type { Tensor } from "../../../engine/tensor.ts";
import { linearUpdate } from "../../../engine/updates.ts";
import { type PeerEngine, type Results, TRAINING_CHECKS, type Work } from "../engine.ts";
import { type HostArray, inputsOf, layersOf } from "../inputs.ts";
import { serve } from "../worker.ts";
import type { Problem, ProblemOf } from "../workloads.ts";

// Ours: every step captured and replayed, or with the argument "eager" launched op by op. Kernels compile in parallel
// before the first step.

const eager = process.argv[2] === "eager";

type Step = () => Record<string, Tensor>;

/** A step that is done again and again, by replay or eagerly. Holds its newest results. */
class Repeated {
  readonly #engine: Engine;
  readonly #step: Step;
  #replay: (() => void) | undefined;
  results: Record<string, Tensor> = {};

  constructor(engine: Engine, step: Step) {
    this.#engine = engine;
    this.#step = step;
  }

  run(): void {
    if (this.#replay) {
      this.#replay();
      return;
    }
    for (const t of Object.values(this.results)) t.dispose();
    if (eager) this.results = this.#engine.scope(this.#step);
    else {
      const capture = this.#engine.capture(this.#step);
      this.results = capture.result;
      this.#replay = () => capture.replay();
    }
    this.#engine.stream.flush();
  }

  async read(): Promise<Results> {
    const values = await this.#engine.readAll(Object.values(this.results));
    return Object.fromEntries(
      Object.keys(this.results).map((name, i) => [name, values[i] as Results[string]]),
    );
  }
}

serve(async (): Promise<PeerEngine> => {
  const engine = await Engine.create({ quiet: true });
  const require = createRequire(import.meta.url);
  const version = (path: string) => (require(path) as { version: string }).version;
  return {
    adapter: engine.driver.description || engine.driver.device,
    versions: { stein: version("../../../package.json"), webgpu: version("webgpu/package.json") },
    prepare: (problem) => prepare(engine, problem),
    // As the peers wait.
    finish: () => engine.device.queue.onSubmittedWorkDone(),
  };
});

async function prepare(engine: Engine, problem: Problem): Promise<Work> {
  const host = inputsOf(problem);
  const tensors = Object.fromEntries(
    Object.entries(host).map(([name, { dims, values }]) => [name, engine.variable(values, dims)]),
  );
  if (problem.kind === "training") return training(engine, problem, tensors);
  if (problem.kind === "langevin") return langevin(engine, problem, host["x"]!);
  const step = stepOf(engine, problem, tensors);
  await engine.prepare(step);
  const repeated = new Repeated(engine, step);
  return {
    check: async () => {
      repeated.run();
      return { results: await repeated.read() };
    },
    run: () => repeated.run(),
  };
}

function stepOf(
  engine: Engine,
  problem: Exclude<Problem, { kind: "training" | "langevin" }>,
  t: Record<string, Tensor>,
): Step {
  const forward = (fn: () => Tensor) => (): Record<string, Tensor> => ({ y: engine.noGrad(fn) });
  switch (problem.kind) {
    case "matmul":
      return forward(() => matmul(t.a!, t.b!));
    case "conv": {
      const { dilation, pass } = problem;
      const apply = () => conv2d(t.x!, t.w!, undefined, { padding: dilation, dilation });
      if (pass === "forward") return forward(apply);
      const y = engine.untrack(apply());
      return () => {
        const [dx, dw] = grad(y, [t.x!, t.w!], { cotangent: t.dy!, retainGraph: true });
        return { dx: dx!, dw: dw! };
      };
    }
    case "norm": {
      if (problem.pass === "forward") return forward(() => instanceNorm(t.x!));
      return () => {
        const y = instanceNorm(t.x!);
        const [dx] = grad(y, [t.x!], { cotangent: t.dy! });
        return { y, dx: dx! };
      };
    }
    case "attention": {
      if (problem.pass === "forward") return forward(() => attention(t.q!, t.k!, t.v!));
      return () => {
        const y = attention(t.q!, t.k!, t.v!);
        const [dq, dk, dv] = grad(y, [t.q!, t.k!, t.v!], { cotangent: t.dy! });
        return { y, dq: dq!, dk: dk!, dv: dv! };
      };
    }
    case "adds":
      return forward(() => {
        let x = t.x!;
        for (let i = 0; i < problem.length; i++) x = add(x, t.d!);
        return x;
      });
  }
}

/** Moves a state of its own; the noise of every step differs, in every run. */
async function langevin(
  engine: Engine,
  { steps, alpha }: ProblemOf<"langevin">,
  start: HostArray,
): Promise<Work> {
  const x = engine.untrack(engine.tensor(start.values, start.dims));
  const counts = Array.from({ length: steps }, (_, i) => new Scalar(i));
  const coefficients = { keep: 1, pull: alpha / 2, noise: Math.sqrt(alpha) };
  const step: Step = () => {
    for (const count of counts)
      engine.scope(() =>
        linearUpdate(
          x,
          engine.noGrad(() => neg(x)),
          coefficients,
          { seed: 1, purpose: "sampler", step: count },
        ),
      );
    return {};
  };
  await engine.prepare(step);
  const repeated = new Repeated(engine, step);
  const run = () => {
    repeated.run();
    for (const count of counts) count.value += steps;
  };
  return {
    check: async () => {
      run();
      return { results: { x: (await x.data()) as Float32Array<ArrayBuffer> } };
    },
    run,
  };
}

async function training(
  engine: Engine,
  problem: ProblemOf<"training">,
  { x, ...parameters }: Record<string, Tensor>,
): Promise<Work> {
  const sigma = engine.untrack(engine.full([problem.batch], problem.sigma));
  const optimizer = new Adam(new Map(Object.entries(parameters)), { lr: problem.rate });
  const count = new Scalar(0);
  const step: Step = () => {
    const { noisy, z } = dsmPerturb(x!, sigma, { seed: 1, purpose: "perturb", step: count });
    const loss = dsmLoss(network(problem, parameters, noisy), z, sigma);
    const gradients = grad(loss, Object.values(parameters));
    optimizer.apply(gradients);
    return { loss, z, ...Object.fromEntries(gradients.map((g, i) => [`gradient${i}`, g])) };
  };
  await engine.prepare(step);
  const repeated = new Repeated(engine, step);
  const run = () => {
    optimizer.advance();
    repeated.run();
  };
  return {
    check: async () => {
      const losses: number[] = [];
      let first: Results | undefined;
      for (let i = 0; i < TRAINING_CHECKS; i++) {
        run();
        const read = await repeated.read();
        losses.push(read["loss"]![0]!);
        first ??= read;
      }
      const gradients = Object.keys(parameters).flatMap((_, i) => [...first![`gradient${i}`]!]);
      return {
        results: { losses: Float32Array.from(losses), gradients: Float32Array.from(gradients) },
        noise: { dims: x!.shape, values: first!["z"]! },
      };
    },
    run: () => {
      count.value++;
      run();
    },
  };
}

/** x [n,3,h,w] -> [n,3,h,w] */
function network(problem: ProblemOf<"training">, p: Record<string, Tensor>, x: Tensor): Tensor {
  const layers = layersOf(problem);
  return layers.reduce((h, dilation, i) => {
    const inner = i > 0 && i < layers.length - 1;
    const input = inner ? instanceNorm(h, { activation: "elu" }) : h;
    return conv2d(input, p[`weight${i}`]!, p[`bias${i}`]!, { padding: dilation, dilation });
  }, x);
}
