import { endLine } from "./progress.ts";

type StopSignal = "SIGINT" | "SIGTERM";

/** The user asked for an early end; what was done is saved. The process ends with 128 plus the signal's number. */
export class Interrupted extends Error {
  readonly signal: StopSignal;

  constructor(signal: StopSignal, message: string) {
    super(message);
    this.name = "Interrupted";
    this.signal = signal;
  }
}

export interface Stop {
  /** The first signal that came. */
  readonly asked: StopSignal | undefined;
  /** Signals end the process at once again. */
  end(): void;
}

/** The first Ctrl-C, or SIGTERM, asks for a clean end; the second ends at once. */
export function stopOnSignal(): Stop {
  let asked: StopSignal | undefined;
  const ask = (signal: StopSignal) => {
    if (asked) process.exit(signal === "SIGINT" ? 130 : 143);
    asked = signal;
    endLine();
    console.error("stopping after this step; once more to stop at once");
  };
  process.on("SIGINT", ask).on("SIGTERM", ask);
  return {
    get asked() {
      return asked;
    },
    end: () => void process.off("SIGINT", ask).off("SIGTERM", ask),
  };
}
