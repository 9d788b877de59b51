import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Load } from "../host.ts";
import { watchLoad } from "../load.ts";
import { processTime } from "../processor.ts";
import { disagreement } from "./agreement.ts";
import { type Answerer, Child } from "./child.ts";
import type { Introduction, Results } from "./engine.ts";
import type { HostArray } from "./inputs.ts";
import { type EngineName, type PeerName, roster } from "./roster.ts";
import { type Outcome, type Row, timesOf } from "./verdict.ts";
import type { Workload } from "./workloads.ts";

export interface Comparison {
  readonly rows: readonly Row[];
  readonly engines: Readonly<Partial<Record<EngineName, Introduction>>>;
  readonly load: Load;
}

interface CompareOptions {
  readonly peers: readonly PeerName[];
  readonly workloads: readonly Workload[];
  /** Timed rounds of all work in all engines; a first step, which takes a process, is done in at most COLD_ROUNDS of them. */
  readonly rounds: number;
  /** Told how far it is, of how much, and what is being done. */
  readonly onProgress: (done: number, total: number, what: string) => void;
}

/** Starts an engine's process with these variables beside the usual ones. */
type Start = (name: EngineName, env?: Record<string, string>) => Answerer;

/** Beyond the check, in which everything is compiled. */
const WARM_UPS = 1;
const COLD_ROUNDS = 3;

/**
 * Every workload in every engine: first each engine's results are held to ours, then all that agree are timed
 * interleaved, one workload in each engine in turn, so that the machine's moods fall on all.
 */
export async function compare(options: CompareOptions, start: Start = childOf): Promise<Comparison> {
  const { peers, workloads, rounds, onProgress } = options;
  const names: EngineName[] = ["stein", "eager", ...peers];
  const children = new Map(names.map((name) => [name, start(name)]));
  const pairs = workloads.flatMap((workload) =>
    names.filter((name) => !(workload.cold && name === "eager")).map((name) => new Pair(workload, name)),
  );
  const coldRounds = Math.min(rounds, COLD_ROUNDS);
  const warm = pairs.filter(({ workload }) => !workload.cold);
  const cold = pairs.filter(({ workload }) => workload.cold);
  /** The same work in the same engine, checked already. */
  const twin = (pair: Pair) =>
    warm.find(({ name, workload }) => name === pair.name && workload.problem === pair.workload.problem);
  const checked = pairs.filter((pair) => !pair.workload.cold || !twin(pair));
  const total = checked.length + warm.length * (WARM_UPS + rounds) + cold.length * coldRounds;
  let done = 0;
  const progress = ({ name, workload }: Pair, doing: string) =>
    onProgress(done++, total, `${doing} ${roster[name].title}: ${workload.name}`);

  try {
    const engines: Partial<Record<EngineName, Introduction>> = {};
    for (const [name, child] of children) engines[name] = await introduction(child);
    for (const workload of workloads)
      await check(
        checked.filter((pair) => pair.workload === workload),
        children,
        (pair) => progress(pair, "check"),
      );

    const processor = async () => {
      const spent = await Promise.all([...children.values()].map(processorTime));
      return spent.reduce((sum, ms) => sum + ms, processTime());
    };
    const loadSince = watchLoad(await processor());
    for (let round = -WARM_UPS; round < rounds; round++)
      for (const pair of warm) {
        progress(pair, round < 0 ? "warm up" : `round ${round + 1}`);
        await pair.time(children.get(pair.name)!, round >= 0);
      }
    const load = loadSince(await processor());
    for (const child of children.values()) child.end(); // a first step has the machine to itself

    for (let round = 0; round < coldRounds; round++)
      for (const pair of cold) {
        progress(pair, "new process,");
        await pair.first(start, twin(pair)?.outcome);
      }
    onProgress(total, total, "");

    const rows = workloads.map((workload) => ({
      name: workload.name,
      goal: workload.goal,
      outcomes: Object.fromEntries(
        pairs.filter((pair) => pair.workload === workload).map((pair) => [pair.name, pair.outcome]),
      ),
    }));
    return { rows, engines, load };
  } finally {
    for (const child of children.values()) child.end();
  }
}

/** All engines on the system's driver: the embedded one is known to ours alone. */
function childOf(name: EngineName, env = {}): Answerer {
  const { script, args } = roster[name];
  return new Child(new URL(`engines/${script}`, import.meta.url), {
    args,
    env: { STEIN_DRIVER: "system", ...env },
  });
}

async function introduction(child: Answerer): Promise<Introduction> {
  try {
    return await child.ask<"introduce">({ ask: "introduce" });
  } catch (cause) {
    return { adapter: `none: ${(cause as Error).message}`, versions: {} };
  }
}

/** Ours first, the peers against it. The noise that ours drew in a training step is given to them. */
async function check(
  pairs: readonly Pair[],
  children: ReadonlyMap<EngineName, Answerer>,
  progress: (pair: Pair) => void,
): Promise<void> {
  let truth: Results | undefined;
  let noise: HostArray | undefined;
  for (const pair of pairs) {
    progress(pair);
    const answer = await pair.check(children.get(pair.name)!, noise, truth);
    truth ??= answer?.results;
    noise ??= answer?.noise;
  }
}

/** A workload in an engine. */
class Pair {
  readonly workload: Workload;
  readonly name: EngineName;
  readonly #times: number[] = [];
  #fault: Exclude<Outcome, { times: unknown }> | undefined;

  constructor(workload: Workload, name: EngineName) {
    this.workload = workload;
    this.name = name;
  }

  get outcome(): Outcome {
    if (this.#fault) return this.#fault;
    return this.#times.length > 0 ? { times: timesOf(this.#times) } : { failed: "not timed" };
  }

  async check(child: Answerer, noise: HostArray | undefined, truth: Results | undefined) {
    const { name, problem } = this.workload;
    return this.#guard(async () => {
      const answer = await child.ask<"check">({ ask: "check", name, problem, noise });
      if ("cannot" in answer) {
        this.#fault = answer;
        return undefined;
      }
      const wrong = disagreement(problem, answer.results, truth ?? answer.results);
      if (wrong !== undefined) this.#fault = { wrong };
      return answer;
    });
  }

  async time(child: Answerer, kept: boolean): Promise<void> {
    if (this.#fault) return;
    if (!child.alive) {
      this.#fault = { failed: "its process ended in other work" };
      return;
    }
    await this.#guard(async () => {
      const { ms } = await child.ask<"time">({ ask: "time", name: this.workload.name });
      if (kept) this.#times.push(ms);
    });
  }

  /** In a new process that finds no compiled shaders. `known`: what came of the same work before. */
  async first(start: Start, known: Outcome | undefined): Promise<void> {
    if (this.#fault) return;
    if (known && !("times" in known)) {
      this.#fault = known;
      return;
    }
    const folder = mkdtempSync(join(tmpdir(), "stein-peers-"));
    const child = start(this.name, { MESA_SHADER_CACHE_DIR: folder });
    await this.#guard(async () => {
      const answer = await child.ask<"first">({ ask: "first", problem: this.workload.problem });
      if ("cannot" in answer) this.#fault = answer;
      else this.#times.push(answer.ms);
    });
    child.end();
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }); // a process may die slowly
  }

  async #guard<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (cause) {
      this.#fault = { failed: (cause as Error).message };
      return undefined;
    }
  }
}

async function processorTime(child: Answerer): Promise<number> {
  if (!child.alive) return 0;
  return (await child.ask<"processor">({ ask: "processor" })).ms;
}
