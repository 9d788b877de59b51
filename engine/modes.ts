/** What holds for the ops that run inside of a function. */
export class Modes {
  /** Ops are recorded for a backward pass. */
  recording = true;
  /** Ops store their activations as f16. */
  autocast = false;
  /** An op's forward runs under `autocast`: what is allocated for activations is f16. */
  halving = false;
  /** Names of the modules whose forward is running, outermost first. */
  readonly path: string[] = [];

  /** Runs `fn` with a mode set so. */
  with<T>(mode: "recording" | "autocast" | "halving", value: boolean, fn: () => T): T {
    const before = this[mode];
    this[mode] = value;
    try {
      return fn();
    } finally {
      this[mode] = before;
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
