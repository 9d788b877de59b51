import { disagreement } from "../agreement.ts";
import type { Cannot, PeerEngine, Results, Work } from "../engine.ts";
import { type HostArray, inputsOf, transposed } from "../inputs.ts";
import { load, versionOf } from "../packages.ts";
import { serve } from "../worker.ts";
import type { Problem, ProblemOf } from "../workloads.ts";
import { type Constant, type Node, onnxModel } from "./onnx.ts";

// ONNX Runtime for Node on its WebGPU execution provider (its own Dawn, linked in): one graph for each problem. Inputs
// lie in the model and stay on the device. A timed run fetches four numbers of the result, for it can only be waited
// for by fetching.

/** What is used of the package. */
interface Ort {
  InferenceSession: {
    create(model: Uint8Array, options: object): Promise<Session>;
  };
}

interface Session {
  run(
    feeds: object,
    fetches: readonly string[],
  ): Promise<Record<string, { data: Float32Array<ArrayBuffer> }>>;
}

const NO_GRADIENTS = "runs inference graphs only: no gradients on WebGPU";
const SWAP = [0, 2, 1]; // [n,c,t] and [n,t,c]

serve(async (): Promise<PeerEngine> => {
  const ort = load<Ort>("onnxruntime-node");
  return {
    adapter: undefined,
    versions: { "onnxruntime-node": versionOf("onnxruntime-node") },
    prepare: (problem) => prepare(ort, problem),
  };
});

async function prepare(ort: Ort, problem: Problem): Promise<Work | Cannot> {
  const graphs = graphsOf(problem);
  if ("cannot" in graphs) return graphs;
  const works = await Promise.all(graphs.map((graph) => workOf(ort, graph)));
  const [first, plain] = works;
  if (!plain) return first!;
  const [own, sure] = await Promise.all([first!.check(undefined), plain.check(undefined)]);
  return disagreement(problem, own.results, sure.results) === undefined ? first! : plain;
}

async function workOf(ort: Ort, graph: Made): Promise<Work> {
  const model = onnxModel({
    constants: [...graph.constants, ...probeConstants],
    nodes: [...graph.nodes, ...probe(graph.result)],
    outputs: [graph.result, "probe"],
  });
  const session = await ort.InferenceSession.create(model, {
    executionProviders: ["webgpu"],
    logSeverityLevel: 3, // it warns of constants that are inputs too
  });
  const { name = "y", back = (values) => values, result } = graph;
  return {
    check: async () => {
      const { data } = (await session.run({}, [result]))[result]!;
      return { results: { [name]: back(data) } };
    },
    run: () => session.run({}, ["probe"]),
  };
}

const probeConstants: readonly Constant[] = [
  { name: "flat", dims: [1], values: [-1n] },
  { name: "zero", dims: [1], values: [0n] },
  { name: "four", dims: [1], values: [4n] },
];
const probe = (result: string): Node[] => [
  { op: "Reshape", inputs: [result, "flat"], output: "line" },
  { op: "Slice", inputs: ["line", "zero", "four"], output: "probe" },
];

interface Made {
  readonly constants: readonly Constant[];
  readonly nodes: readonly Node[];
  readonly result: string;
  /** Of the result, as the others call it: y unless told. */
  readonly name?: string;
  /** The result into our layout. */
  readonly back?: (values: Results[string]) => Results[string];
}

/** The fastest graph; behind it, where that is an operator that drivers may fail, one of plain operators to hold it to. */
function graphsOf(problem: Problem): Made[] | Cannot {
  const host = inputsOf(problem);
  const input = (name: string, array = host[name]!): Constant => ({ name, ...array, input: true });
  const weight = (name: string): Constant => ({ name, ...host[name]! });
  switch (problem.kind) {
    case "matmul":
      return [
        {
          constants: [input("a"), weight("b")],
          nodes: [{ op: "MatMul", inputs: ["a", "b"], output: "y" }],
          result: "y",
        },
      ];
    case "conv": {
      if (problem.pass !== "forward") return { cannot: NO_GRADIENTS };
      const d = problem.dilation;
      const attributes = { dilations: [d, d], pads: [d, d, d, d], kernel_shape: [3, 3] };
      return [
        {
          constants: [input("x"), weight("w")],
          nodes: [{ op: "Conv", inputs: ["x", "w"], output: "y", attributes }],
          result: "y",
        },
      ];
    }
    case "norm": {
      if (problem.pass !== "forward") return { cannot: NO_GRADIENTS };
      const each = (name: string, value: number): Constant => ({
        name,
        dims: [problem.channels],
        values: new Float32Array(problem.channels).fill(value),
      });
      return [
        {
          constants: [input("x"), each("scale", 1), each("shift", 0)],
          nodes: [
            {
              op: "InstanceNormalization",
              inputs: ["x", "scale", "shift"],
              output: "y",
              attributes: { epsilon: { float: 1e-5 } },
            },
          ],
          result: "y",
        },
      ];
    }
    case "attention":
      return problem.pass === "forward" ? attention(problem, host) : { cannot: NO_GRADIENTS };
    case "langevin":
      return [langevin(problem, host["x"]!)];
    case "training":
      return { cannot: NO_GRADIENTS };
    case "adds":
      return [
        {
          constants: [input("x"), input("d")],
          nodes: Array.from({ length: problem.length }, (_, i) => ({
            op: "Add",
            inputs: [i === 0 ? "x" : `x${i}`, "d"],
            output: `x${i + 1}`,
          })),
          result: `x${problem.length}`,
        },
      ];
  }
}

/** MultiHeadAttention, and the same as two products and a softmax: the former comes out wrong on some drivers. */
function attention(
  { batch, positions, channels }: ProblemOf<"attention">,
  host: Record<string, HostArray>,
): Made[] {
  const constants = ["q", "k", "v"].map((name) => ({ name, ...transposed(host[name]!, SWAP), input: true }));
  const back: Made["back"] = (values) =>
    transposed({ dims: [batch, positions, channels], values }, SWAP).values;
  const scale: Constant = { name: "scale", dims: [], values: Float32Array.of(1 / Math.sqrt(channels)) };
  return [
    {
      constants,
      nodes: [
        {
          op: "MultiHeadAttention",
          domain: "com.microsoft",
          inputs: ["q", "k", "v"],
          output: "y",
          attributes: { num_heads: 1 },
        },
      ],
      result: "y",
      back,
    },
    {
      constants: [...constants, scale],
      nodes: [
        { op: "Transpose", inputs: ["k"], output: "kt", attributes: { perm: SWAP } },
        { op: "MatMul", inputs: ["q", "kt"], output: "products" },
        { op: "Mul", inputs: ["products", "scale"], output: "logits" },
        { op: "Softmax", inputs: ["logits"], output: "weights", attributes: { axis: -1 } },
        { op: "MatMul", inputs: ["weights", "v"], output: "y" },
      ],
      result: "y",
      back,
    },
  ];
}

/** All steps in one graph. RandomNormal has no WebGPU kernel: it draws on the processor and is copied. */
function langevin({ steps, alpha, shape }: ProblemOf<"langevin">, start: HostArray): Made {
  const number = (name: string, value: number): Constant => ({
    name,
    dims: [],
    values: Float32Array.of(value),
  });
  return {
    constants: [
      { name: "x0", ...start, input: true },
      number("half", alpha / 2),
      number("root", Math.sqrt(alpha)),
    ],
    nodes: Array.from({ length: steps }, (_, i): Node[] => [
      { op: "RandomNormal", inputs: [], output: `z${i}`, attributes: { shape } },
      { op: "Neg", inputs: [`x${i}`], output: `score${i}` },
      { op: "Mul", inputs: [`score${i}`, "half"], output: `pull${i}` },
      { op: "Add", inputs: [`x${i}`, `pull${i}`], output: `mean${i}` },
      { op: "Mul", inputs: [`z${i}`, "root"], output: `noise${i}` },
      { op: "Add", inputs: [`mean${i}`, `noise${i}`], output: `x${i + 1}` },
    ]).flat(),
    result: `x${steps}`,
    name: "x",
  };
}
