import { patiently } from "../../engine/patience.ts";
import { poller } from "../../engine/platform/node.ts";
import { processTime } from "../processor.ts";
import { isWork, type PeerEngine, type Work } from "./engine.ts";
import type { Answers, Question, Reply } from "./messages.ts";

/** Answers questions in a child process until its parent goes. The engine opens with the first. */
export function serve(open: () => Promise<PeerEngine>): void {
  let desk: Promise<Desk> | undefined;
  process.on("message", async (question: Question) => {
    let reply: Reply;
    try {
      desk ??= open().then((engine) => new Desk(engine));
      reply = { answer: await (await desk).answer(question) };
    } catch (cause) {
      reply = { fault: String(cause).split("\n")[0]! };
    }
    process.send!(reply);
  });
  process.on("disconnect", () => process.exit()); // a device left open would keep the process
}

/** The work made ready so far, by name. */
class Desk {
  readonly #engine: PeerEngine;
  readonly #works = new Map<string, Work>();

  constructor(engine: PeerEngine) {
    this.#engine = engine;
  }

  async answer(question: Question): Promise<Answers[Question["ask"]]> {
    switch (question.ask) {
      case "introduce": {
        const { adapter, versions } = this.#engine;
        return { adapter, versions };
      }
      case "check": {
        const work = await this.#engine.prepare(question.problem);
        if (!isWork(work)) return work;
        this.#works.set(question.name, work);
        return work.check(question.noise);
      }
      case "time":
        return { ms: await timed(this.#engine, this.#works.get(question.name)!) };
      case "first": {
        const start = performance.now();
        const work = await this.#engine.prepare(question.problem);
        if (!isWork(work)) return work;
        await timed(this.#engine, work);
        const ms = performance.now(); // counts from the beginning of the process
        return { ms, step: ms - start };
      }
      case "processor":
        return { ms: processTime() };
    }
  }
}

/** Does a piece of work once: milliseconds from the first call to the end of the wait for the device. */
async function timed(engine: PeerEngine, work: Work): Promise<number> {
  const start = performance.now();
  await work.run();
  // While a promise waits for the device, Dawn's binding polls with a whole core that a software driver needs.
  if (engine.finish) await patiently(engine.finish(), poller);
  return performance.now() - start;
}
