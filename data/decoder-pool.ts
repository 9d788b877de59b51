import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from "node:worker_threads";
import { UsageError } from "../engine/errors.ts";
import type { Answer, DecoderWork, Question } from "./decoder-worker.ts";
import type { Preparation } from "./prepare.ts";

/** Longest wait for a single answer, in milliseconds: a disc or a network share may have gone. */
const PATIENCE = 60_000;

interface Thread {
  worker: Worker;
  port: MessagePort;
  /** Questions without an answer. */
  open: number;
}

/**
 * Threads that read and prepare image files. Asking never waits; `wait` does, without giving up the thread, so that
 * who reads images need not be asynchronous. The threads do not keep the process alive.
 */
export class DecoderPool {
  readonly #threads: readonly Thread[];
  readonly #answered = new Int32Array(new SharedArrayBuffer(4));
  #seen = 0;

  constructor(preparation: Preparation, threads: number) {
    this.#threads = Array.from({ length: threads }, () => {
      const { port1, port2 } = new MessageChannel();
      const workerData: DecoderWork = { preparation, port: port2, answered: this.#answered };
      const worker = new Worker(ENTRY, { workerData, transferList: [port2], execArgv: [] });
      worker.unref();
      return { worker, port: port1, open: 0 };
    });
  }

  /** Asks for an image of the thread with the least to do. */
  ask(i: number, path: string): void {
    const idlest = this.#threads.reduce((a, b) => (b.open < a.open ? b : a));
    idlest.open++;
    idlest.port.postMessage([i, path] satisfies Question);
  }

  /** The answers that came since the last call. */
  answers(): Answer[] {
    this.#seen = Atomics.load(this.#answered, 0);
    return this.#threads.flatMap((thread) => {
      const found: Answer[] = [];
      for (let got = receiveMessageOnPort(thread.port); got; got = receiveMessageOnPort(thread.port))
        found.push(got.message as Answer);
      thread.open -= found.length;
      return found;
    });
  }

  /** Blocks until an answer has come since the last call of `answers`. Throws UsageError where none comes. */
  wait(path: string): void {
    if (Atomics.wait(this.#answered, 0, this.#seen, PATIENCE) !== "timed-out") return;
    throw new UsageError(
      `image folder: got nothing of ${path} in ${PATIENCE / 1000} s, expected it to be read and decoded in that time; ` +
        `check the disc, or set data.stream false to read every file before the start`,
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.#threads.map(({ worker }) => worker.terminate()));
  }
}

/** In a clone by way of the file that lets a thread read TypeScript. */
const ENTRY = new URL(
  import.meta.url.endsWith(".ts") ? "./decoder-worker.mjs" : "./decoder-worker.js",
  import.meta.url,
);
