import type { Capture } from "../engine/capture.ts";
import { costOf } from "../engine/dry.ts";
import type { Engine } from "../engine/engine.ts";
import { costOf as commandCost } from "../engine/profiler.ts";
import type { Shape, Tensor } from "../engine/tensor.ts";
import type { Fusion, ScoreFunction } from "../samplers/index.ts";
import { StepNoise } from "../samplers/noise.ts";
import { normRatio } from "../samplers/update.ts";
import { type Case, type MeasureOptions, measure, type Progress, type Timing } from "./harness.ts";

/** A way to take a sampler's steps. */
export interface Path {
  readonly fusion: Fusion;
  /** Recorded once and replayed, or launched op by op. */
  readonly replayed: boolean;
}

/** What a step's update is, in words. */
export const pathInWords: Readonly<Record<Fusion, string>> = {
  separate: "separate ops",
  fused: "one update kernel, the draw inside",
  network: "in the network's last kernel",
};

const paths: readonly Path[] = [
  { fusion: "separate", replayed: false },
  { fusion: "fused", replayed: false },
  { fusion: "separate", replayed: true },
  { fusion: "fused", replayed: true },
  { fusion: "network", replayed: true },
];

/** Langevin's step of a size known beforehand, or the corrector's, which the norms of noise and score decide. */
const updates = ["langevin", "corrector"] as const;
export type UpdateName = (typeof updates)[number];

/** What a step or the network alone asks of the device. */
interface Work {
  readonly kernels: number;
  /** What the kernels have to read and write, each tensor once. */
  readonly bytes: number;
}

/** Milliseconds: by the clock, by the device's timestamps, and of a software driver's threads over the cores, see `Timing`. */
type Times = Pick<Timing, "wall" | "gpu" | "alone">;

export interface FusionRow extends Path, Work {
  readonly update: UpdateName;
  readonly batch: number;
  readonly step: Times;
  /** The network alone, replayed. */
  readonly network: Work & { readonly time: Times };
  /** What the step takes beyond the network as a share of the network's time, by the steadiest medians. */
  readonly share: number;
}

export interface Sampled {
  readonly score: ScoreFunction;
  /** [c,h,w] */
  readonly image: Shape;
  /** What the score is told, for so many samples. [n] */
  condition(batch: number): Tensor;
}

export interface FusionOptions extends Pick<MeasureOptions, "rounds" | "warmUps" | "host" | "signal"> {
  readonly batches: readonly number[];
  readonly onProgress?: (batch: number, progress: Progress) => void;
}

/**
 * A sampler's step by every path, at each batch size: all paths and the network alone take turns, so that a change of
 * the machine's mood falls on all of them. The chain stays finite, for its steps are tiny. Stopped by its signal it
 * gives the batch sizes that it has finished.
 */
export async function measureFusion(
  engine: Engine,
  sampled: Sampled,
  { batches, onProgress, ...options }: FusionOptions,
): Promise<FusionRow[]> {
  const rows: FusionRow[] = [];
  for (const batch of batches) {
    const bench = new Batch(engine, sampled, batch);
    try {
      rows.push(...(await bench.rows({ ...options, onProgress: (p) => onProgress?.(batch, p) })));
      if (options.signal?.aborted) break;
    } finally {
      bench.dispose();
    }
  }
  return rows;
}

class Batch {
  readonly #engine: Engine;
  readonly #sampled: Sampled;
  readonly #x: Tensor;
  readonly #condition: Tensor;
  readonly #captures: Capture<void>[] = [];

  constructor(engine: Engine, sampled: Sampled, batch: number) {
    this.#engine = engine;
    this.#sampled = sampled;
    this.#x = engine.untrack(engine.zeros([batch, ...sampled.image]));
    this.#condition = engine.untrack(sampled.condition(batch));
  }

  async rows(options: MeasureOptions): Promise<FusionRow[]> {
    const network = this.#work(() => this.#network(), true, false);
    const kinds = updates.flatMap((update) => paths.map((path) => ({ update, ...path })));
    const steps = kinds.map(({ update, fusion, replayed }) =>
      this.#work(() => this.#step(update, fusion), replayed, fusion === "network"),
    );
    const names = ["network alone", ...kinds.map(pathName)];
    const cases = [network, ...steps].map(({ run }, i) => caseOf(names[i]!, run));
    const { timings, faults } = await measure(this.#engine, cases, options);
    if (faults.length > 0) throw new Error(faults[0]!.what);
    if (timings.length < cases.length) return []; // stopped
    const [alone, ...times] = timings.map(({ wall, gpu, alone }): Times => ({ wall, gpu, alone }));
    const steadiest = ({ wall, alone }: Times) => (alone ?? wall).median;
    return kinds.map((kind, i) => ({
      ...kind,
      batch: this.#x.dim(0),
      kernels: steps[i]!.kernels,
      bytes: steps[i]!.bytes,
      step: times[i]!,
      network: { kernels: network.kernels, bytes: network.bytes, time: alone! },
      share: steadiest(times[i]!) / steadiest(alone!) - 1,
    }));
  }

  dispose(): void {
    for (const capture of this.#captures) capture.dispose();
    this.#x.dispose();
    this.#condition.dispose();
  }

  #network(): void {
    this.#engine.noGrad(() => void this.#sampled.score(this.#x, this.#condition));
  }

  #step(update: UpdateName, fusion: Fusion): void {
    const noise = new StepNoise(this.#engine, { seed: 1, fusion });
    this.#engine.noGrad(() => {
      const score = this.#sampled.score(this.#x, this.#condition);
      const z = noise.of(this.#x.shape);
      const unit = update === "corrector" ? normRatio(score, z) : undefined;
      noise.updateBy(this.#x, score, { keep: 1, pull: 1e-8, noise: 1e-4, unit }, z);
    });
  }

  /** What is launched, counted where it is known: in the record, or on a walk without the device. */
  #work(body: () => void, replayed: boolean, fuseUpdates: boolean): Work & { run: () => void } {
    const engine = this.#engine;
    if (!replayed) {
      const costs: number[] = [];
      engine.dry(body, (launch) => costs.push(costOf(launch).bytes));
      return { kernels: costs.length, bytes: total(costs), run: body };
    }
    engine.scope(body); // makes what outlives the step
    const capture = engine.capture(body, { fuseUpdates, hoist: true, inputs: [this.#x] });
    this.#captures.push(capture);
    const costs = capture.commands.map((command) => commandCost(command).bytes);
    return { kernels: costs.length, bytes: total(costs), run: () => capture.replay() };
  }
}

/** "langevin, fused, replayed" */
export const pathName = ({ update, fusion, replayed }: Path & { update: UpdateName }): string =>
  `${update}, ${fusion}, ${replayed ? "replayed" : "launched"}`;

const total = (numbers: readonly number[]): number => numbers.reduce((sum, n) => sum + n, 0);

const caseOf = (name: string, run: () => void): Case => ({
  name,
  run,
  group: "fusion",
  shape: "",
  bound: "memory",
  bytes: 0,
  flops: 0,
});
