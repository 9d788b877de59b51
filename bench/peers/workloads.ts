/** Work that every engine is asked for, as plain data: it crosses to their processes. All in float32. */
export type Problem =
  /** a b, both [size,size]. */
  | { readonly kind: "matmul"; readonly size: number }
  /** 3x3, as many channels out as in, padded to keep the size. Backward: dx and dw of a given dy, without the forward. */
  | {
      readonly kind: "conv";
      readonly batch: number;
      readonly channels: number;
      readonly size: number;
      readonly dilation: number;
      readonly pass: "forward" | "backward";
    }
  /** Each map of x [batch,channels,size,size] to mean 0 and variance 1, eps 1e-5, without parameters. */
  | {
      readonly kind: "norm";
      readonly batch: number;
      readonly channels: number;
      readonly size: number;
      readonly pass: "forward" | "both";
    }
  /** One head over `positions`, of q, k and v [batch,channels,positions]. */
  | {
      readonly kind: "attention";
      readonly batch: number;
      readonly channels: number;
      readonly positions: number;
      readonly pass: "forward" | "both";
    }
  /** x + alpha / 2 s + sqrt(alpha) z with the score s = -x of N(0, I), z drawn by the engine's own generator. */
  | {
      readonly kind: "langevin";
      readonly shape: readonly number[];
      readonly steps: number;
      readonly alpha: number;
    }
  /**
   * Denoising score matching at one sigma, mean over the batch of |sigma s(x + sigma z) + z|^2 / 2, then Adam. Network:
   * convolution 3 -> width, [instance norm, ELU, dilated convolution] for each dilation, convolution width -> 3.
   */
  | {
      readonly kind: "training";
      readonly batch: number;
      readonly size: number;
      readonly width: number;
      readonly dilations: readonly number[];
      readonly sigma: number;
      readonly rate: number;
    }
  /** `length` sums, x + d + d + ..., each waiting for the one before. */
  | { readonly kind: "adds"; readonly length: number; readonly size: number };

export type ProblemOf<K extends Problem["kind"]> = Extract<Problem, { readonly kind: K }>;

/** What the project promises of a row: so many times faster than the best peer, and perhaps done within so many milliseconds. */
export interface Goal {
  readonly times: number;
  readonly within?: number;
}

export interface Workload {
  /** Unique. */
  readonly name: string;
  readonly problem: Problem;
  readonly goal: Goal;
  /** The first time in a new process without compiled shaders on the disk, since the process began. */
  readonly cold?: boolean;
}

const conv = { kind: "conv", batch: 8, channels: 64, size: 32, dilation: 1, pass: "forward" } as const;
const norm = { kind: "norm", batch: 8, channels: 64, size: 32 } as const;
const attention = { kind: "attention", batch: 8, channels: 128, positions: 256 } as const;
const training = {
  kind: "training",
  batch: 8,
  size: 32,
  width: 32,
  dilations: [1, 2, 4],
  sigma: 0.5,
  rate: 1e-3,
} as const;
const faster = { times: 1 } as const;
const twice = { times: 2 } as const;

export const workloads: readonly Workload[] = [
  { name: "matmul 512^3", problem: { kind: "matmul", size: 512 }, goal: faster },
  { name: "matmul 1024^3", problem: { kind: "matmul", size: 1024 }, goal: faster },
  ...[1, 2, 4].map((dilation) => ({
    name: `conv 3x3, 64 channels, 8x32x32, dilation ${dilation}`,
    problem: { ...conv, dilation },
    goal: faster,
  })),
  { name: "conv 3x3, 128 channels, 8x16x16", problem: { ...conv, channels: 128, size: 16 }, goal: faster },
  {
    name: "conv 3x3, 64 channels, 8x32x32, backward",
    problem: { ...conv, pass: "backward" },
    goal: twice,
  },
  { name: "instance norm 8x64x32x32, forward", problem: { ...norm, pass: "forward" }, goal: faster },
  { name: "instance norm 8x64x32x32, both passes", problem: { ...norm, pass: "both" }, goal: twice },
  {
    name: "attention N 8, HW 256, C 128, forward",
    problem: { ...attention, pass: "forward" },
    goal: faster,
  },
  {
    name: "attention N 8, HW 256, C 128, both passes",
    problem: { ...attention, pass: "both" },
    goal: twice,
  },
  {
    name: "Langevin chain 128x3x32x32, 100 steps",
    problem: { kind: "langevin", shape: [128, 3, 32, 32], steps: 100, alpha: 0.02 },
    goal: { times: 5 },
  },
  { name: "training step, dilated network, 8x3x32x32", problem: training, goal: twice },
  { name: "1,000 dependent adds of 256", problem: { kind: "adds", length: 1000, size: 256 }, goal: faster },
  {
    name: "first training step of a process, no shader cache",
    problem: training,
    goal: { times: 1, within: 8000 },
    cold: true,
  },
];
