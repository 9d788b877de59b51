import { type PeerEngine, type Results, TRAINING_CHECKS, type Work } from "../engine.ts";
import { type HostArray, inputsOf, layersOf, normals, sizeOf, transposed } from "../inputs.ts";
import { load, versionOf } from "../packages.ts";
import { serve } from "../worker.ts";
import type { Problem, ProblemOf } from "../workloads.ts";
import { adapterOf, browserLikeGpu } from "./dawn.ts";

// jax-js: every step under jit. A function takes its arguments for its own, `.ref` keeps one for the caller.

/** What is used of the package. */
interface Jax {
  init(): Promise<string[]>;
  defaultDevice(name: string): void;
  getWebGPUDevice(): GPUDevice;
  jit<F>(fn: F): F;
  vjp(fn: (...xs: Arr[]) => Arr, xs: Arr[]): [Arr, ((dy: Arr) => Arr[]) & { dispose(): void }];
  grad<P>(fn: (params: P, ...rest: Arr[]) => Arr): (params: P, ...rest: Arr[]) => P;
  valueAndGrad<P>(fn: (params: P, ...rest: Arr[]) => Arr): (params: P, ...rest: Arr[]) => [Arr, P];
  tree: { ref<T>(tree: T): T; dispose(tree: unknown): void; leaves(tree: unknown): Arr[] };
  numpy: {
    array(values: Float32Array, options: { shape: readonly number[] }): Arr;
    zeros(shape: readonly number[]): Arr;
    matmul(a: Arr, b: Arr): Arr;
    square(x: Arr): Arr;
    sqrt(x: Arr): Arr;
    exp(x: Arr): Arr;
  };
  lax: {
    convGeneralDilated(
      x: Arr,
      w: Arr,
      strides: number[],
      padding: number[][],
      options: { rhsDilation: number[] },
    ): Arr;
  };
  nn: {
    elu(x: Arr): Arr;
    standardize(x: Arr, axes: number[], options: { epsilon: number }): Arr;
    dotProductAttention(q: Arr, k: Arr, v: Arr): Arr;
  };
  random: {
    key(seed: number): Arr;
    split(key: Arr): Arr & Iterable<Arr>;
    normal(key: Arr, shape: readonly number[]): Arr;
  };
}

interface Arr {
  readonly ref: Arr;
  readonly shape: number[];
  add(other: Arr | number): Arr;
  sub(other: Arr | number): Arr;
  mul(other: Arr | number): Arr;
  div(other: Arr | number): Arr;
  neg(): Arr;
  sum(): Arr;
  reshape(shape: readonly number[]): Arr;
  data(): Promise<Float32Array<ArrayBuffer>>;
  /** Sends what is pending to the device. Takes the array. */
  gpuBuffer(): Promise<GPUBuffer>;
  dispose(): void;
}

const POSITIONS_FIRST = [0, 2, 1]; // [n,c,t] and [n,t,c]

serve(async (): Promise<PeerEngine> => {
  const gpu = await browserLikeGpu();
  completeIterators();
  const jax = load<Jax>("@jax-js/jax");
  if (!(await jax.init()).includes("webgpu")) throw new Error("jax-js: its WebGPU backend did not start");
  jax.defaultDevice("webgpu");
  return {
    adapter: await adapterOf(gpu),
    versions: { "@jax-js/jax": versionOf("@jax-js/jax") },
    prepare: async (problem) => prepare(jax, problem),
    finish: () => jax.getWebGPUDevice().queue.onSubmittedWorkDone(),
  };
});

/** Adds of a chain that are jitted together: a divisor of its length. */
const PIECE = 100;

/** jax-js maps and filters iterators, which Node can from version 22 on. */
function completeIterators(): void {
  const prototype = Object.getPrototypeOf(Object.getPrototypeOf([].values())) as object;
  const helpers = {
    *map<T, U>(this: Iterable<T>, fn: (item: T) => U) {
      for (const item of this) yield fn(item);
    },
    *filter<T>(this: Iterable<T>, keep: (item: T) => boolean) {
      for (const item of this) if (keep(item)) yield item;
    },
  };
  for (const [name, value] of Object.entries(helpers))
    if (!(name in prototype))
      Object.defineProperty(prototype, name, { value, configurable: true, writable: true });
}

const put = (jax: Jax, { dims, values }: HostArray): Arr => jax.numpy.array(values, { shape: dims });

/** Sends the work that these arrays wait for to the device and lets go of them. */
async function submit(results: readonly Arr[]): Promise<void> {
  for (const y of results) await y.gpuBuffer();
}

function prepare(jax: Jax, problem: Problem): Work {
  const host = inputsOf(problem);
  if (problem.kind === "training") return training(jax, problem, host);
  if (problem.kind === "langevin") return langevin(jax, problem, host["x"]!);
  const { step, names, inputs, order, jitted: inParts } = stepOf(jax, problem, host);
  const jitted = inParts ? step : jax.jit(step);
  const run = () => jitted(...inputs.map((x) => x.ref));
  return {
    check: async () => {
      const results: Results = {};
      for (const [i, y] of run().entries()) {
        const dims = y.shape;
        const values = await y.data();
        results[names[i]!] = order
          ? transposed({ dims: [dims[0]!, dims[1]!, sizeOf(dims.slice(2))], values }, order).values
          : values;
      }
      return { results };
    },
    run: () => submit(run()),
  };
}

interface Stepped {
  readonly step: (...xs: Arr[]) => Arr[];
  /** The step jits its parts itself. */
  readonly jitted?: boolean;
  readonly inputs: Arr[];
  readonly names: readonly string[];
  /** Of the results' axes. */
  readonly order?: readonly number[];
}

function stepOf(
  jax: Jax,
  problem: Exclude<Problem, { kind: "training" | "langevin" }>,
  host: Record<string, HostArray>,
): Stepped {
  const inputs = Object.values(host).map((array) => put(jax, array));
  switch (problem.kind) {
    case "matmul":
      return { step: (a, b) => [jax.numpy.matmul(a!, b!)], inputs, names: ["y"] };
    case "conv": {
      const apply = (x: Arr, w: Arr) => conv(jax, x, w, problem.dilation);
      if (problem.pass === "forward") return { step: (x, w) => [apply(x!, w!)], inputs, names: ["y"] };
      return {
        step: (x, w, dy) => both(jax, apply, [x!, w!], dy!).slice(1),
        inputs,
        names: ["dx", "dw"],
      };
    }
    case "norm": {
      const apply = (x: Arr) => instanceNorm(jax, x);
      if (problem.pass === "forward") return { step: (x) => [apply(x!)], inputs, names: ["y"] };
      return { step: (x, dy) => both(jax, apply, [x!], dy!), inputs, names: ["y", "dx"] };
    }
    case "attention": {
      const { batch, positions, channels, pass } = problem;
      const heads = Object.values(host).map((array) =>
        put(jax, { ...transposed(array, POSITIONS_FIRST), dims: [batch, positions, 1, channels] }),
      );
      jax.tree.dispose(inputs);
      const apply = (q: Arr, k: Arr, v: Arr) => jax.nn.dotProductAttention(q, k, v);
      const order = POSITIONS_FIRST;
      if (pass === "forward")
        return { step: (q, k, v) => [apply(q!, k!, v!)], inputs: heads, names: ["y"], order };
      return {
        step: (q, k, v, dy) => both(jax, apply, [q!, k!, v!], dy!),
        inputs: heads,
        names: ["y", "dq", "dk", "dv"],
        order,
      };
    }
    case "adds": {
      // Jit recurses over a chain: all thousand at once overflow the stack.
      const piece = jax.jit((x: Arr, d: Arr): Arr => {
        let sum = x;
        for (let i = 0; i < PIECE; i++) sum = sum.add(d.ref);
        d.dispose();
        return sum;
      });
      return {
        step: (start, d) => {
          let x = start!;
          for (let i = 0; i < problem.length; i += PIECE) x = piece(x, d!.ref);
          d!.dispose();
          return [x];
        },
        jitted: true,
        inputs,
        names: ["y"],
      };
    }
  }
}

/** y and the derivatives by each input. */
function both(jax: Jax, apply: (...xs: Arr[]) => Arr, xs: Arr[], dy: Arr): Arr[] {
  const [y, back] = jax.vjp(apply, xs);
  const gradients = back(dy);
  back.dispose();
  return [y, ...gradients];
}

const conv = (jax: Jax, x: Arr, w: Arr, dilation: number): Arr =>
  jax.lax.convGeneralDilated(
    x,
    w,
    [1, 1],
    [
      [dilation, dilation],
      [dilation, dilation],
    ],
    {
      rhsDilation: [dilation, dilation],
    },
  );

const instanceNorm = (jax: Jax, x: Arr): Arr => jax.nn.standardize(x, [2, 3], { epsilon: 1e-5 });

/** One jitted step a hundred times: all of them in one jit would compile for minutes. */
function langevin(jax: Jax, { steps, alpha, shape }: ProblemOf<"langevin">, start: HostArray): Work {
  const step = jax.jit((x: Arr, key: Arr): Arr[] => {
    const [next, mine] = jax.random.split(key) as Iterable<Arr> as [Arr, Arr];
    const score = x.ref.neg();
    const z = jax.random.normal(mine, shape);
    return [x.add(score.mul(alpha / 2)).add(z.mul(Math.sqrt(alpha))), next];
  });
  let x = put(jax, start);
  let key = jax.random.key(1);
  const chain = () => {
    for (let i = 0; i < steps; i++) [x, key] = step(x, key) as [Arr, Arr];
  };
  return {
    check: async () => {
      chain();
      return { results: { x: await x.ref.data() } };
    },
    run: () => {
      chain();
      return submit([x.ref]);
    },
  };
}

interface State {
  params: Arr[];
  m: Arr[];
  v: Arr[];
  /** Steps done. */
  t: Arr;
}

function training(jax: Jax, problem: ProblemOf<"training">, host: Record<string, HostArray>): Work {
  const { sigma, batch, rate } = problem;
  const layers = layersOf(problem);
  const { numpy: np, tree } = jax;
  const x = put(jax, host["x"]!);

  const network = (params: Arr[], x: Arr) =>
    layers.reduce((h, dilation, i) => {
      const inner = i > 0 && i < layers.length - 1;
      const input = inner ? jax.nn.elu(instanceNorm(jax, h)) : h;
      const bias = params[2 * i + 1]!;
      return conv(jax, input, params[2 * i]!, dilation).add(bias.reshape([1, bias.shape[0]!, 1, 1]));
    }, x);
  const loss = (params: Arr[], x?: Arr, z?: Arr) =>
    np
      .square(
        network(params, x!.add(z!.ref.mul(sigma)))
          .mul(sigma)
          .add(z!),
      )
      .sum()
      .mul(0.5 / batch);

  const gradients = jax.jit(jax.grad(loss as (params: Arr[], ...rest: Arr[]) => Arr));
  const step = jax.jit(({ params, m, v, t }: State, x: Arr, z: Arr): [State, Arr] => {
    const [value, grads] = jax.valueAndGrad(loss as (params: Arr[], ...rest: Arr[]) => Arr)(
      tree.ref(params),
      x,
      z,
    );
    const count = t.add(1);
    const left = (beta: number) =>
      np
        .exp(count.ref.mul(Math.log(beta)))
        .neg()
        .add(1); // 1 - beta^t
    const [first, second] = [left(0.9), np.sqrt(left(0.999))];
    const next: State = { params: [], m: [], v: [], t: count };
    grads.forEach((g, i) => {
      const mean = m[i]!.mul(0.9).add(g.ref.mul(0.1));
      const square = v[i]!.mul(0.999).add(np.square(g).mul(0.001));
      const root = np.sqrt(square.ref).div(second.ref).add(1e-8);
      next.params.push(params[i]!.sub(mean.ref.div(first.ref).div(root).mul(rate)));
      next.m.push(mean);
      next.v.push(square);
    });
    tree.dispose([first, second]);
    return [next, value];
  });

  const parameters = layers.flatMap((_, i) => [host[`weight${i}`]!, host[`bias${i}`]!]);
  let state: State = {
    params: parameters.map((array) => put(jax, array)),
    m: parameters.map(({ dims }) => np.zeros(dims)),
    v: parameters.map(({ dims }) => np.zeros(dims)),
    t: np.array(Float32Array.of(0), { shape: [] }),
  };
  const advance = (z: Arr): Arr => {
    const [next, value] = step(state, x.ref, z);
    state = next;
    return value;
  };
  const draw = jax.jit((key: Arr): Arr[] => {
    const [next, mine] = jax.random.split(key) as Iterable<Arr> as [Arr, Arr];
    return [next, jax.random.normal(mine, host["x"]!.dims)];
  });
  let key = jax.random.key(1);

  return {
    check: async (noise) => {
      const z = put(jax, noise ?? normals(host["x"]!.dims, 9));
      const all: number[] = [];
      for (const g of gradients(tree.ref(state.params), x.ref, z.ref))
        for (const v of await g.data()) all.push(v);
      const losses: number[] = [];
      for (let i = 0; i < TRAINING_CHECKS; i++) losses.push((await advance(z.ref).data())[0]!);
      z.dispose();
      return { results: { losses: Float32Array.from(losses), gradients: Float32Array.from(all) } };
    },
    run: async () => {
      const [next, z] = draw(key) as [Arr, Arr];
      key = next;
      const value = advance(z);
      await submit([value, ...tree.leaves(tree.ref(state))]);
    },
  };
}
