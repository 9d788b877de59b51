import { type Cannot, type PeerEngine, type Results, TRAINING_CHECKS, type Work } from "../engine.ts";
import { type HostArray, inputsOf, layersOf, normals, transposed } from "../inputs.ts";
import { load, versionOf } from "../packages.ts";
import { serve } from "../worker.ts";
import type { Problem, ProblemOf } from "../workloads.ts";
import { adapterOf, browserLikeGpu } from "./dawn.ts";

// TensorFlow.js on its WebGPU backend: eager, the one way it has. Images as NHWC, its own layout. Small tensors are
// kept off the processor (WEBGPU_CPU_FORWARD): the same work on the same adapter.

/** What is used of the package. */
interface Tf {
  env(): { set(flag: string, value: boolean): void };
  setBackend(name: string): Promise<boolean>;
  ready(): Promise<void>;
  backend(): {
    device: GPUDevice;
    commandEncoder: GPUCommandEncoder | null;
    endComputePassEncoder(): void;
    submitQueue(): void;
  };
  engine(): { runKernel(name: string, inputs: object, attrs: object): Tensor };
  tidy<T>(fn: () => T): T;
  keep(t: Tensor): Tensor;
  dispose(what: unknown): void;
  tensor(values: Float32Array, dims: readonly number[]): Tensor;
  variable(t: Tensor): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  conv2d(x: Tensor, w: Tensor, stride: number, pad: string, layout?: string, dilation?: number): Tensor;
  spaceToBatchND(x: Tensor, block: number[], pads: number[][]): Tensor;
  batchToSpaceND(x: Tensor, block: number[], crops: number[][]): Tensor;
  moments(x: Tensor, axes: number[], keepDims: boolean): { mean: Tensor; variance: Tensor };
  add(a: Tensor, b: Tensor | number): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  neg(x: Tensor): Tensor;
  rsqrt(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sum(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
  elu(x: Tensor): Tensor;
  randomNormal(dims: readonly number[]): Tensor;
  grads(fn: (...xs: Tensor[]) => Tensor): (xs: Tensor[], dy?: Tensor) => Tensor[];
  valueAndGrads(
    fn: (...xs: Tensor[]) => Tensor,
  ): (xs: Tensor[], dy?: Tensor) => { value: Tensor; grads: Tensor[] };
  train: { adam(rate: number, beta1: number, beta2: number, epsilon: number): Optimizer };
}

interface Tensor {
  readonly shape: number[];
  data(): Promise<Float32Array<ArrayBuffer>>;
  dispose(): void;
}

interface Optimizer {
  minimize(loss: () => Tensor, returnCost: true, variables: Tensor[]): Tensor;
  computeGradients(loss: () => Tensor, variables: Tensor[]): { value: Tensor; grads: Record<string, Tensor> };
}

const NHWC = [0, 2, 3, 1];
const NCHW = [0, 3, 1, 2];
const HWIO = [2, 3, 1, 0];
const OIHW = [3, 2, 0, 1];
const SWAP = [0, 2, 1]; // [n,c,t] and [n,t,c]

const packages = [
  "@tensorflow/tfjs-core",
  "@tensorflow/tfjs-backend-webgpu",
  "@tensorflow/tfjs-layers", // for the derivatives that it registers
] as const;

serve(async (): Promise<PeerEngine> => {
  const gpu = await browserLikeGpu();
  const tf = load<Tf>(packages[0]);
  for (const name of packages.slice(1)) load(name); // they register what they bring
  tf.env().set("WEBGPU_CPU_FORWARD", false);
  if (!(await tf.setBackend("webgpu"))) throw new Error("tfjs: its WebGPU backend did not start");
  await tf.ready();
  const { device } = tf.backend();
  return {
    adapter: await adapterOf(gpu),
    versions: Object.fromEntries(packages.map((name) => [name, versionOf(name)])),
    prepare: (problem) => prepare(tf, problem),
    finish: () => device.queue.onSubmittedWorkDone(),
  };
});

/** Sends what is recorded to the device: the backend itself waits for 15 kernels or a reader. */
function submit(tf: Tf): void {
  const backend = tf.backend();
  backend.endComputePassEncoder();
  if (backend.commandEncoder) backend.submitQueue();
}

/** A tensor on the device in another order of axes. */
const put = (tf: Tf, array: HostArray, order?: readonly number[]): Tensor => {
  const { dims, values } = order ? transposed(array, order) : array;
  return tf.tensor(values, dims);
};

async function take(t: Tensor, order?: readonly number[]): Promise<Results[string]> {
  const array = { dims: t.shape, values: await t.data() };
  return order ? transposed(array, order).values : array.values;
}

async function prepare(tf: Tf, problem: Problem): Promise<Work | Cannot> {
  const host = inputsOf(problem);
  if (problem.kind === "training") return training(tf, problem, host);
  const { step, orders } = stepOf(tf, problem, host);
  /** Tensors that a run leaves behind go with the next. */
  let held: Record<string, Tensor> = {};
  const run = () => {
    const results = tf.tidy(step);
    tf.dispose(held);
    held = results;
    submit(tf);
  };
  return {
    check: async () => {
      run();
      const results: Results = {};
      for (const [name, t] of Object.entries(held)) results[name] = await take(t, orders?.[name]);
      return { results };
    },
    run,
  };
}

interface Stepped {
  step(): Record<string, Tensor>;
  /** By the names of the results: the order that brings them into our layout. */
  orders?: Record<string, readonly number[]>;
}

function stepOf(
  tf: Tf,
  problem: Exclude<Problem, { kind: "training" }>,
  host: Record<string, HostArray>,
): Stepped {
  switch (problem.kind) {
    case "matmul": {
      const [a, b] = [put(tf, host["a"]!), put(tf, host["b"]!)];
      return { step: () => ({ y: tf.matMul(a, b) }) };
    }
    case "conv": {
      const { dilation, pass } = problem;
      const [x, w] = [put(tf, host["x"]!, NHWC), put(tf, host["w"]!, HWIO)];
      if (pass === "forward")
        return {
          step: () => ({ y: tf.conv2d(x, w, 1, "same", "NHWC", dilation) }),
          orders: { y: NCHW },
        };
      const dy = put(tf, host["dy"]!, NHWC);
      const attrs = { strides: [1, 1], pad: "same", dataFormat: "NHWC", dimRoundingMode: undefined };
      return {
        step: () => ({
          dx: tf
            .engine()
            .runKernel("Conv2DBackpropInput", { dy, filter: w }, { ...attrs, inputShape: x.shape }),
          dw: tf.engine().runKernel("Conv2DBackpropFilter", { x, dy }, { ...attrs, filterShape: w.shape }),
        }),
        orders: { dx: NCHW, dw: OIHW },
      };
    }
    case "norm": {
      const x = put(tf, host["x"]!, NHWC);
      const apply = (x: Tensor) => instanceNorm(tf, x);
      return {
        ...passes(tf, apply, [x], ["dx"], host["dy"] && put(tf, host["dy"], NHWC)),
        orders: { y: NCHW, dx: NCHW },
      };
    }
    case "attention": {
      const [q, k, v] = ["q", "k", "v"].map((name) => put(tf, host[name]!, SWAP));
      const scale = 1 / Math.sqrt(problem.channels);
      const apply = (q: Tensor, k: Tensor, v: Tensor) =>
        tf.matMul(tf.softmax(tf.mul(tf.matMul(q, k, false, true), scale)), v);
      return {
        ...passes(
          tf,
          apply as Forward,
          [q!, k!, v!],
          ["dq", "dk", "dv"],
          host["dy"] && put(tf, host["dy"], SWAP),
        ),
        orders: { y: SWAP, dq: SWAP, dk: SWAP, dv: SWAP },
      };
    }
    case "langevin": {
      const { steps, alpha, shape } = problem;
      let x = tf.keep(put(tf, host["x"]!));
      const move = (x: Tensor) =>
        tf.add(tf.add(x, tf.mul(tf.neg(x), alpha / 2)), tf.mul(tf.randomNormal(shape), Math.sqrt(alpha)));
      return {
        step: () => {
          for (let i = 0; i < steps; i++) {
            const next = tf.keep(tf.tidy(() => move(x)));
            x.dispose();
            x = next;
          }
          return { x: tf.add(x, 0) };
        },
      };
    }
    case "adds": {
      const [start, d] = [put(tf, host["x"]!), put(tf, host["d"]!)];
      return {
        step: () => {
          let x = start;
          for (let i = 0; i < problem.length; i++) x = tf.add(x, d);
          return { y: x };
        },
      };
    }
  }
}

type Forward = (...xs: Tensor[]) => Tensor;

/** Forward alone, or both passes where there is a cotangent. */
const passes = (tf: Tf, apply: Forward, xs: Tensor[], names: string[], dy: Tensor | undefined): Stepped => ({
  step: () => {
    if (!dy) return { y: apply(...xs) };
    const { value, grads } = tf.valueAndGrads(apply)(xs, dy);
    return { y: value, ...Object.fromEntries(grads.map((g, i) => [names[i]!, g])) };
  },
});

function instanceNorm(tf: Tf, x: Tensor): Tensor {
  const { mean, variance } = tf.moments(x, [1, 2], true);
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 1e-5)));
}

/**
 * TensorFlow.js has no gradient of a dilated convolution: spaces are turned into batches around a plain one, as
 * TensorFlow did before it had its own.
 */
function dilatedConv(tf: Tf, x: Tensor, w: Tensor, dilation: number): Tensor {
  if (dilation === 1) return tf.conv2d(x, w, 1, "same");
  const block = [dilation, dilation];
  const [, height, width] = x.shape as [number, number, number];
  const extra = [height, width].map((length) => (dilation - (length % dilation)) % dilation);
  const pads = extra.map((more) => [dilation, dilation + more]);
  const crops = extra.map((more) => [0, more]);
  return tf.batchToSpaceND(tf.conv2d(tf.spaceToBatchND(x, block, pads), w, 1, "valid"), block, crops);
}

function training(tf: Tf, problem: ProblemOf<"training">, host: Record<string, HostArray>): Work {
  const { sigma, batch, rate } = problem;
  const layers = layersOf(problem);
  const x = put(tf, host["x"]!, NHWC);
  const weights = layers.map((_, i) => tf.variable(put(tf, host[`weight${i}`]!, HWIO)));
  const biases = layers.map((_, i) => tf.variable(put(tf, host[`bias${i}`]!)));
  const variables = layers.flatMap((_, i) => [weights[i]!, biases[i]!]);
  const optimizer = tf.train.adam(rate, 0.9, 0.999, 1e-8);
  const network = (x: Tensor) =>
    layers.reduce((h, dilation, i) => {
      const inner = i > 0 && i < layers.length - 1;
      const input = inner ? tf.elu(instanceNorm(tf, h)) : h;
      return tf.add(dilatedConv(tf, input, weights[i]!, dilation), biases[i]!);
    }, x);
  const loss = (z: Tensor) => {
    const score = network(tf.add(x, tf.mul(z, sigma)));
    return tf.mul(tf.sum(tf.square(tf.add(tf.mul(score, sigma), z))), 0.5 / batch);
  };
  const step = (z: Tensor) => optimizer.minimize(() => loss(z), true, variables);
  return {
    check: async (noise) => {
      const z = put(tf, noise ?? normals(host["x"]!.dims, 9), NHWC);
      const { grads, value } = optimizer.computeGradients(() => loss(z), variables);
      value.dispose();
      const gradients: number[] = [];
      for (const variable of variables as (Tensor & { name: string })[]) {
        const g = grads[variable.name]!;
        for (const v of await take(g, g.shape.length === 4 ? OIHW : undefined)) gradients.push(v);
      }
      tf.dispose(grads);
      const losses: number[] = [];
      for (let i = 0; i < TRAINING_CHECKS; i++) losses.push((await step(z).data())[0]!);
      return { results: { losses: Float32Array.from(losses), gradients: Float32Array.from(gradients) } };
    },
    run: () => {
      tf.tidy(() => void step(tf.randomNormal(x.shape)));
      submit(tf);
    },
  };
}
