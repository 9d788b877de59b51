import { type FusionRow, measureFusion } from "../../bench/fusion.ts";
import { type Case, type Measured, measure, type Progress } from "../../bench/harness.ts";
import { browserHost } from "../../bench/host.ts";
import { release } from "../../bench/inputs.ts";
import { reference } from "../../bench/kernels/matmul.bench.ts";
import { describeFusion, describeRun, linesOf, textOf } from "../../bench/record.ts";
import { roofline } from "../../bench/roofline.bench.ts";
import type { Line } from "../../bench/schema.ts";
import type { Engine } from "../../engine/engine.ts";
import { button, group, numberField } from "../controls.ts";
import { element } from "../dom.ts";
import { duration, number } from "../format.ts";
import { save } from "../save.ts";
import type { Page } from "../view.ts";
import { pathsApart } from "./agreement.ts";
import { CaseTable } from "./case-table.ts";
import { clockStep, clocksInWords } from "./clock.ts";
import { ExtentPanel } from "./extent.ts";
import { fusionTable } from "./fusion-table.ts";
import { ProgressLine } from "./progress.ts";
import { rooflineFigure } from "./roofline.ts";
import { networkName, sampledNetwork } from "./sampled.ts";

const WARM_UPS = 1;
/** Of a sampler's step, the network alone among them: what the fusion comparison times in each round. */
const WAYS = 11;
/** Of the largest value: what rounding may leave between the paths of a step. */
const APART = 1e-5;

/** The bench's controls, what it is doing, and what it has found. */
export class Workbench {
  readonly root: HTMLElement;
  readonly #page: Page;
  readonly #extent = new ExtentPanel();
  readonly #batch = numberField({ label: "Batch", value: 4, min: 1, max: 256 });
  readonly #start = button("Start", () => this.#begin((signal) => this.#kernels(signal)), { main: true });
  readonly #compare = button("Compare paths", () => this.#begin((signal) => this.#fusion(signal)));
  readonly #stop = button("Stop", () => this.#stopping?.abort());
  readonly #save = button("Save JSON", () => this.#saved());
  readonly #progress = new ProgressLine();
  readonly #table = new CaseTable();
  readonly #clocks = element("p", { class: "hint" });
  readonly #roofline = element("figure", { class: "roofline", hidden: true });
  readonly #paths = element("section");
  readonly #nothing = element("p", { class: "hint" }, "Nothing is measured yet.");
  #stopping: AbortController | undefined;
  #work: Promise<void> = Promise.resolve();
  /** Of the last run of each kind. */
  #kernelLines: readonly Line[] = [];
  #fusionLines: readonly Line[] = [];

  constructor(page: Page) {
    this.#page = page;
    this.#stop.disabled = this.#save.disabled = true;
    this.root = element(
      "div",
      {},
      element(
        "div",
        { class: "columns" },
        element(
          "div",
          {},
          element("div", { class: "buttons" }, this.#start, this.#stop, this.#save),
          this.#extent.root,
          group("A sampler's step", this.#batch.root, this.#compare),
        ),
        element("div", {}, this.#progress.root, this.#nothing, this.#roofline),
      ),
      this.#table.root,
      this.#clocks,
      this.#paths,
    );
  }

  /** Ends all work and frees what is on the device. */
  async end(): Promise<void> {
    this.#stopping?.abort();
    await this.#work;
  }

  /** One thing at a time; a fault is shown. What the bench keeps on the device goes when it is done. */
  #begin(work: (signal: AbortSignal) => Promise<void>): void {
    if (this.#stopping) return;
    const stopping = new AbortController();
    this.#stopping = stopping;
    this.#nothing.hidden = true;
    this.#start.disabled = this.#compare.disabled = true;
    this.#stop.disabled = false;
    this.#work = work(AbortSignal.any([stopping.signal, this.#page.left]))
      .catch((fault) => this.#page.fail(fault))
      .finally(() => {
        this.#stopping = undefined;
        this.#start.disabled = this.#compare.disabled = false;
        this.#stop.disabled = true;
        this.#save.disabled = this.#kernelLines.length + this.#fusionLines.length === 0;
        this.#progress.hide();
      });
  }

  async #kernels(signal: AbortSignal): Promise<void> {
    const { cases: wanted, rounds } = this.#extent;
    this.#page.status("Checking and timing kernels.");
    const engine = await this.#page.engine();
    const cases = [...new Set<Case>([...roofline(engine), reference, ...wanted])];
    const host = browserHost();
    const begun = performance.now();
    try {
      const measured = await measure(engine, cases, {
        rounds,
        warmUps: WARM_UPS,
        host,
        signal,
        onProgress: this.#counted(cases.length * (1 + WARM_UPS + rounds)),
        onRound: (soFar) => this.#show(engine, soFar),
      });
      this.#show(engine, measured);
      const { timings, faults } = measured;
      const wrong = faults.length === 0 ? "all right" : `${faults.length} WRONG`;
      this.#page.status(
        `${signal.aborted ? "Stopped" : "Done"} after ${duration((performance.now() - begun) / 1000)}: ` +
          `${timings.length + faults.length} cases, ${wrong}.`,
      );
    } finally {
      release(engine);
    }
  }

  async #fusion(signal: AbortSignal): Promise<void> {
    const [batch, { rounds }] = [this.#batch.value, this.#extent];
    this.#page.status("Checking that all paths of a step come to the same numbers.");
    const engine = await this.#page.engine();
    using sampled = sampledNetwork(engine);
    const apart = await pathsApart(engine, sampled, batch);
    if (!(apart <= APART)) {
      this.#paths.replaceChildren(
        element(
          "p",
          { class: "wrong" },
          `WRONG, and so not timed: the paths of a sampler's step are ${number(apart)} of the largest value apart.`,
        ),
      );
      return;
    }
    this.#page.status("Comparing the paths of a sampler's step.");
    const counted = this.#counted(WAYS * (1 + WARM_UPS + rounds));
    const rows = await measureFusion(engine, sampled, {
      batches: [batch],
      rounds,
      warmUps: WARM_UPS,
      host: browserHost(),
      signal,
      onProgress: (_, progress) => counted(progress),
    });
    this.#page.status(rows.length === 0 ? "Stopped before the comparison was done." : "Compared.");
    if (rows.length === 0) return;
    this.#showPaths(engine, rows, apart);
  }

  #showPaths(engine: Engine, rows: readonly FusionRow[], apart: number): void {
    this.#fusionLines = [
      describeRun(engine, browserHost()),
      ...rows.map((row) => describeFusion(row, networkName)),
    ];
    this.#paths.replaceChildren(
      element("h3", {}, "A sampler's step by every path"),
      element(
        "p",
        {},
        "The network's score and the update that follows it: as separate ops, as one kernel that draws its noise, or " +
          `inside the network's last kernel. All give the same numbers, here to ${number(apart, 2)} of the largest.`,
      ),
      fusionTable(rows),
    );
  }

  #show(engine: Engine, measured: Measured): void {
    const run = describeRun(engine, browserHost(), { timestampStep: measured.timestampStep });
    this.#kernelLines = linesOf(run, measured);
    this.#table.show(measured);
    this.#clocks.textContent = clocksInWords(run, clockStep());
    this.#roofline.replaceChildren(...rooflineFigure(this.#kernelLines));
    this.#roofline.hidden = this.#roofline.childElementCount === 0;
  }

  #saved(): void {
    const run = this.#kernelLines.length > 0 ? this.#kernelLines : this.#fusionLines.slice(0, 1);
    const text = textOf([...run, ...this.#fusionLines.slice(1)]);
    save("stein-bench.jsonl", new Blob([text], { type: "application/jsonl" }));
  }

  /** Shows how far things are, by counting what is done of so many. */
  #counted(total: number): (progress: Progress) => void {
    let done = 0;
    return (progress) => this.#progress.show(done++ / total, progress);
  }
}
