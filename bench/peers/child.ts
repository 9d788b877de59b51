import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { Answers, Ask, QuestionOf, Reply } from "./messages.ts";

/** Milliseconds that an answer may take: compiling on a software driver takes minutes. */
const PATIENCE = 15 * 60_000;

/** Who answers questions. */
export interface Answerer {
  /** Whether who answered before still lives, with all that was made ready. */
  readonly alive: boolean;
  /** Throws Error with one line where there is no answer. */
  ask<A extends Ask>(question: QuestionOf<A>): Promise<Answers[A]>;
  end(): void;
}

export interface ChildOptions {
  readonly args?: readonly string[];
  /** Beside this process's own environment. */
  readonly env?: Readonly<Record<string, string>>;
  readonly patience?: number;
}

/** A process that answers one question after the other. Where it ends, the question fails and the next starts another. */
export class Child implements Answerer {
  readonly #script: string;
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  /** The last it said on stderr: all there is when it crashes. */
  #words = "";

  /** `script`: a TypeScript file that calls `serve`. */
  constructor(script: URL, options: ChildOptions = {}) {
    this.#script = fileURLToPath(script);
    this.#options = options;
  }

  get alive(): boolean {
    return this.#process !== undefined;
  }

  /** What is thrown says what the process complained of, or how it ended. */
  async ask<A extends Ask>(question: QuestionOf<A>): Promise<Answers[A]> {
    const reply = await this.#reply(question);
    if ("fault" in reply) throw new Error(reply.fault);
    return reply.answer as Answers[A];
  }

  end(): void {
    this.#process?.kill("SIGKILL"); // Dawn may hang on its way out
    this.#process = undefined;
  }

  #reply(question: QuestionOf<Ask>): Promise<Reply> {
    const child = (this.#process ??= this.#start());
    const { patience = PATIENCE } = this.#options;
    return new Promise((resolve) => {
      const settle = (reply: Reply) => {
        clearTimeout(timer);
        child.off("message", settle).off("exit", ended);
        resolve(reply);
      };
      const ended = (code: number | null, signal: string | null) => {
        this.#process = undefined;
        settle({ fault: `its process ended with ${signal ?? `exit code ${code}`}${this.#lastWords()}` });
      };
      const timer = setTimeout(() => {
        this.end();
        settle({ fault: `no answer within ${patience / 1000} s` });
      }, patience);
      child.on("message", settle).on("exit", ended);
      child.send(question, () => {}); // where that fails the process has ended, which is heard of above
    });
  }

  #start(): ChildProcess {
    const { args = [], env = {} } = this.#options;
    const child = fork(this.#script, [...args], {
      execArgv: ["--import", "tsx"],
      env: { ...process.env, ...env },
      serialization: "advanced", // typed arrays as they are
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    this.#words = "";
    child.stderr!.on("data", (chunk) => {
      this.#words = (this.#words + chunk).slice(-2000);
    });
    return child;
  }

  #lastWords(): string {
    const lines = this.#words.split("\n").map((line) => line.trim());
    const last = lines.findLast((line) => /error/i.test(line)) ?? lines.findLast(Boolean);
    return last ? ` (${last})` : "";
  }
}
