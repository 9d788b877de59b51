import { setTimeout as sleep } from "node:timers/promises";
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
  readonly #works = new Map<string, Timed>();

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
        this.#works.set(question.name, new Timed(this.#engine, work));
        return work.check(question.noise);
      }
      case "time":
        return { ms: await this.#works.get(question.name)!.once() };
      case "first": {
        const start = performance.now();
        const work = await this.#engine.prepare(question.problem);
        if (!isWork(work)) return work;
        await new Timed(this.#engine, work).once();
        const ms = performance.now(); // counts from the beginning of the process
        return { ms, step: ms - start };
      }
      case "processor": {
        const { user, system } = process.cpuUsage();
        return { ms: (user + system) / 1000 };
      }
    }
  }
}

/** Work that knows how long it took at best. */
class Timed {
  readonly #engine: PeerEngine;
  readonly #work: Work;
  #least = 0;

  constructor(engine: PeerEngine, work: Work) {
    this.#engine = engine;
    this.#work = work;
  }

  /** Does it once: milliseconds from the first call to the end of the wait for the device. */
  async once(): Promise<number> {
    const start = performance.now();
    await this.#work.run();
    if (this.#engine.finish) {
      // While a promise waits for the device, Dawn's binding polls with a whole core that a software driver needs.
      const rest = 0.5 * this.#least - (performance.now() - start);
      if (rest >= 2) await sleep(rest);
      await this.#engine.finish();
    }
    const ms = performance.now() - start;
    this.#least = this.#least === 0 ? ms : Math.min(this.#least, ms);
    return ms;
  }
}
