import { UsageError } from "./errors.ts";
import { GraphNode } from "./graph.ts";
import type { Tensor } from "./tensor.ts";

/** Throws UsageError for what an async function returned: what holds inside of it would end at its first `await`. */
export function requirePlain(who: string, result: unknown): void {
  if (!(result instanceof Promise)) return;
  result.catch(() => {}); // nobody will be listening
  throw new UsageError(`${who}: got an async function, expected a plain one`);
}

/** The names of Engine's methods that set a mode. */
const setter = (mode: "recording" | "autocast" | "halving", value: boolean): string =>
  mode === "recording" ? (value ? "withGrad" : "noGrad") : mode === "autocast" ? "autocast" : "forward";

/** What holds for the ops that run inside of a function. */
export class Modes {
  /** Ops are recorded for a backward pass. */
  recording = true;
  /** Ops store their activations as f16. */
  autocast = false;
  /** An op's forward runs under `autocast`: what is allocated for activations is f16. */
  halving = false;
  /** Where somebody asks: the tensors with a graph that ops read. */
  graphReads: Set<Tensor> | undefined;
  /** Names of the modules whose forward is running, outermost first. */
  readonly path: string[] = [];

  /** Runs `fn` with a mode set so. Throws UsageError for an async function. */
  with<T>(mode: "recording" | "autocast" | "halving", value: boolean, fn: () => T): T {
    const before = this[mode];
    this[mode] = value;
    try {
      const result = fn();
      requirePlain(setter(mode, value), result);
      return result;
    } finally {
      this[mode] = before;
    }
  }

  /** Runs `fn` without recording a graph, and tells which tensors that had one before its ops read. */
  reading<T>(fn: () => T): { result: T; read: readonly Tensor[] } {
    const before = this.graphReads;
    const older = GraphNode.next;
    const read = new Set<Tensor>();
    this.graphReads = read;
    try {
      const result = this.with("recording", false, fn);
      return { result, read: [...read].filter(({ node }) => node !== undefined && node.id < older) };
    } finally {
      this.graphReads = before;
    }
  }

  /** Runs `fn` as if inside these modules. */
  within<T>(path: readonly string[], fn: () => T): T {
    const before = this.path.splice(0, Infinity, ...path);
    try {
      return fn();
    } finally {
      this.path.splice(0, Infinity, ...before);
    }
  }
}
