/** An engine as its process is started and as people know it. */
interface Entry {
  readonly title: string;
  /** In engines/, run as a process of its own. */
  readonly script: string;
  readonly args: readonly string[];
  /** What must be installed apart. */
  readonly packages: readonly string[];
}

/** Ours: what targets are held against, and the same without replay. */
const ours = {
  stein: { title: "Stein", script: "stein.ts", args: [], packages: [] },
  eager: { title: "Stein, eager", script: "stein.ts", args: ["eager"], packages: [] },
} as const satisfies Record<string, Entry>;

export const peers = {
  tfjs: {
    title: "TensorFlow.js",
    script: "tfjs.ts",
    args: [],
    packages: ["@tensorflow/tfjs-core", "@tensorflow/tfjs-backend-webgpu", "@tensorflow/tfjs-layers"],
  },
  jax: { title: "jax-js", script: "jax.ts", args: [], packages: ["@jax-js/jax"] },
  ort: { title: "ONNX Runtime", script: "ort.ts", args: [], packages: ["onnxruntime-node"] },
} as const satisfies Record<string, Entry>;

export type PeerName = keyof typeof peers;
export type EngineName = keyof typeof ours | PeerName;

export const peerNames = Object.keys(peers) as PeerName[];

/** Ours first. */
export const roster: Readonly<Record<EngineName, Entry>> = { ...ours, ...peers };
