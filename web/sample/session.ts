import type { Engine } from "../../engine/engine.ts";
import type { Page } from "../view.ts";
import type { Shipped } from "./checkpoint.ts";
import { draw, type Settings, type Watching } from "./drawing.ts";
import { openTrained, type Trained } from "./network.ts";

/** The network on the page's device, and the one drawing that it may be at. */
export class Session {
  readonly #page: Page;
  readonly #shipped: Promise<Shipped>;
  #trained: Trained | undefined;
  #run: AbortController | undefined;
  #ended: Promise<unknown> = Promise.resolve();

  constructor(page: Page, shipped: Promise<Shipped>) {
    this.#page = page;
    this.#shipped = shipped;
    page.left.addEventListener("abort", () => this.stop());
  }

  /** Draws images; undefined when it was stopped. One at a time: throws what the sampler throws. */
  draw(settings: Settings, onStep: Watching["onStep"]): Promise<Float32Array | undefined> {
    const run = new AbortController();
    this.#run = run;
    if (this.#page.left.aborted) run.abort();
    const drawing = this.#draw(settings, { signal: run.signal, onStep }).catch((fault) => {
      if (run.signal.aborted && fault === run.signal.reason) return undefined;
      throw fault;
    });
    this.#ended = drawing.catch(() => {});
    return drawing;
  }

  /** Ends the drawing after its step at hand. */
  stop(): void {
    this.#run?.abort();
  }

  /** Ends the drawing, waits for that and frees the network. */
  async close(): Promise<void> {
    this.stop();
    await this.#ended;
    this.#trained?.dispose();
    this.#trained = undefined;
  }

  async #draw(settings: Settings, watching: Watching): Promise<Float32Array> {
    const shipped = await this.#shipped;
    const engine = await this.#page.engine();
    watching.signal.throwIfAborted();
    if (this.#trained?.engine !== engine) {
      this.#trained = openTrained(engine, shipped);
      await engine.sync(); // the page may draw breath between two long pieces of work
    }
    await this.#compile(engine, this.#trained, settings.count);
    watching.signal.throwIfAborted();
    this.#page.status(`Drawing ${settings.count} ${settings.count === 1 ? "image" : "images"} …`);
    return draw(this.#trained, settings, watching);
  }

  /** Compiles the network's kernels at once rather than one by one in the first step. */
  async #compile(engine: Engine, { score, image }: Trained, count: number): Promise<void> {
    const step = () =>
      engine.noGrad(() => score(engine.zeros([count, ...image]), engine.zeros([count], "i32")));
    await engine.prepare(step, {
      onProgress: (done, total) => {
        if (done === 1) this.#page.status(`Compiling ${total} kernels …`);
      },
    });
  }
}
