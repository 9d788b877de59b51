import { type MessagePort, workerData } from "node:worker_threads";
import { readImage } from "./image-file.ts";
import { type Preparation, preparer } from "./prepare.ts";

// One thread of DecoderPool: images in, in the order asked for.

export interface DecoderWork {
  preparation: Preparation;
  port: MessagePort;
  /** One word, raised after every answer: what the asking thread waits on. */
  answered: Int32Array;
}

export type Question = readonly [i: number, path: string];
export type Answer = { i: number; bytes: Uint8Array<ArrayBuffer> } | { i: number; fault: string };

const { preparation, port, answered } = workerData as DecoderWork;
const prepare = preparer(preparation);

port.on("message", ([i, path]: Question) => {
  try {
    const bytes = prepare(readImage(path), path);
    port.postMessage({ i, bytes } satisfies Answer, [bytes.buffer]);
  } catch (cause) {
    port.postMessage({ i, fault: (cause as Error).message } satisfies Answer);
  }
  Atomics.add(answered, 0, 1);
  Atomics.notify(answered, 0);
});
