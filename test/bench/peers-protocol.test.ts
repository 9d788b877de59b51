/** Engines in processes of their own: questions, answers, and what becomes of those that fail. */
import { afterEach, describe, expect, test } from "vitest";
import { type Answerer, Child, type ChildOptions } from "../../bench/peers/child.ts";
import { compare } from "../../bench/peers/compare.ts";
import { normals } from "../../bench/peers/inputs.ts";
import type { Answers, Question } from "../../bench/peers/messages.ts";
import type { EngineName } from "../../bench/peers/roster.ts";
import type { Workload } from "../../bench/peers/workloads.ts";

const matmul = (size: number) => ({ kind: "matmul", size }) as const;

/** Milliseconds: a process that translates TypeScript takes long to start where the cores are shared. */
const STARTING = 120_000;

describe("a process", { timeout: STARTING }, () => {
  const children: Child[] = [];
  function child(script = "fake-engine.ts", options: ChildOptions = {}): Child {
    const made = new Child(new URL(`child/${script}`, import.meta.url), options);
    children.push(made);
    return made;
  }
  afterEach(() => {
    for (const one of children.splice(0)) one.end();
  });

  test("introduces itself, is checked and timed; where it ends, the next question starts another", async () => {
    const fake = child("fake-engine.ts", { env: { FAKE_VERSION: "1.2.3" } });
    const introduction = { adapter: "fake", versions: { fake: "1.2.3" } };
    expect(await fake.ask<"introduce">({ ask: "introduce" })).toEqual(introduction);
    const checked = await fake.ask<"check">({ ask: "check", name: "one", problem: matmul(4) });
    expect(checked).toEqual({ results: { y: normals([4, 4], 1).values } });
    const adds = { kind: "adds", length: 2, size: 4 } as const;
    const refused = await fake.ask<"check">({ ask: "check", name: "two", problem: adds });
    expect(refused).toEqual({ cannot: "knows matmul only" });

    const { ms } = await fake.ask<"time">({ ask: "time", name: "one" });
    expect(ms).toBeGreaterThanOrEqual(49); // until the device has done, which takes 50 ms here
    const first = await fake.ask<"first">({ ask: "first", problem: matmul(4) });
    if (!("ms" in first)) throw new Error("it can");
    expect(first.step).toBeGreaterThanOrEqual(49);
    expect(first.ms).toBeGreaterThan(first.step); // counts from the beginning of the process
    expect((await fake.ask<"processor">({ ask: "processor" })).ms).toBeGreaterThan(0);

    await expect(fake.ask<"check">({ ask: "check", name: "three", problem: matmul(13) })).rejects.toThrow(
      "its process ended with exit code 7 (Error: out of memory)",
    );
    expect(fake.alive).toBe(false);
    expect(await fake.ask<"introduce">({ ask: "introduce" })).toEqual(introduction);
  });

  test("that does not start says why in one line", async () => {
    const fake = child("fake-engine.ts", { args: ["unready"] });
    await expect(fake.ask<"introduce">({ ask: "introduce" })).rejects.toThrow(/^Error: it does not start$/);
  });

  test("that gives no answer is given up", async () => {
    const fake = child("mute.mjs", { patience: 200 });
    await expect(fake.ask<"introduce">({ ask: "introduce" })).rejects.toThrow("no answer within 0.2 s");
    expect(fake.alive).toBe(false);
  });
});

describe("a comparison", () => {
  const problem = matmul(4);
  const workloads: Workload[] = [
    { name: "warm", problem, goal: { times: 1 } },
    { name: "cold", problem, goal: { times: 1 }, cold: true },
  ];
  const truth = Float32Array.of(1, 2, 3);

  type Manner = "right" | "wrong" | "told" | "cannot" | "crashes" | "falls";

  /** An engine in this process. Each time it is asked takes a millisecond more, or as many as `cold` in a new one. */
  class Fake implements Answerer {
    alive = true;
    readonly #manner: Manner;
    readonly #cold: boolean;
    #timed = 0;

    constructor(manner: Manner, cold: boolean) {
      this.#manner = manner;
      this.#cold = cold;
    }

    async ask(question: Question): Promise<never> {
      return this.#answer(question) as never;
    }

    end(): void {
      this.alive = false;
    }

    #answer(question: Question): Answers[Question["ask"]] {
      const manner = this.#manner;
      switch (question.ask) {
        case "introduce":
          return { adapter: "fake", versions: { fake: manner } };
        case "processor":
          return { ms: 0 };
        case "first":
          return { ms: this.#cold ? 5000 : 1, step: 1 };
        case "time":
          if (manner === "falls" && this.#timed >= 2) throw new Error("lost the device");
          return { ms: ++this.#timed };
        case "check": {
          if (manner === "cannot") return { cannot: "knows no such thing" };
          if (manner === "crashes") {
            this.end();
            throw new Error("its process ended with SIGSEGV");
          }
          const noisy = manner === "told" && question.noise?.values[0] !== 0.5;
          const y = truth.map((v) => v + (manner === "wrong" || noisy ? 0.1 : 0));
          return { results: { y }, noise: { dims: [1], values: Float32Array.of(0.5) } };
        }
      }
    }
  }

  async function run(manners: Partial<Record<EngineName, Manner>>, rounds = 1, asked = workloads) {
    const heard: { done: number; total: number }[] = [];
    const environments: unknown[] = [];
    const comparison = await compare(
      {
        peers: ["tfjs", "jax", "ort"],
        workloads: asked,
        rounds,
        onProgress: (done, total) => heard.push({ done, total }),
      },
      (name, env = {}) => {
        if ("MESA_SHADER_CACHE_DIR" in env) environments.push([name, env["MESA_SHADER_CACHE_DIR"]]);
        return new Fake(manners[name] ?? "right", "MESA_SHADER_CACHE_DIR" in env);
      },
    );
    return { ...comparison, heard, environments };
  }

  test("times who agrees and names who is wrong, cannot or crashes, warm and cold", async () => {
    const { rows, engines } = await run({ tfjs: "wrong", jax: "cannot", ort: "crashes" });
    const failures = {
      tfjs: { wrong: "y: off by 3.3e-2 of the largest value" },
      jax: { cannot: "knows no such thing" },
      ort: { failed: "its process ended with SIGSEGV" },
    };
    const second = { times: { median: 2, least: 2, most: 2, rounds: 1 } }; // the warm-up is not kept
    expect(rows).toEqual([
      { name: "warm", goal: { times: 1 }, outcomes: { stein: second, eager: second, ...failures } },
      {
        name: "cold",
        goal: { times: 1 },
        outcomes: { stein: { times: { median: 5000, least: 5000, most: 5000, rounds: 1 } }, ...failures },
      },
    ]);
    expect(engines.jax).toEqual({ adapter: "fake", versions: { fake: "cannot" } });
  });

  test("tells how far it is of how much", async () => {
    const { heard } = await run({}, 4);
    expect(new Set(heard.map(({ total }) => total)).size).toBe(1);
    expect(heard.map(({ done }) => done)).toEqual(heard.map((_, i) => i));
    expect(heard.at(-1)).toEqual({ done: 5 + 5 * (1 + 4) + 4 * 3, total: heard[0]!.total });
  });

  test("starts every first step in a process with a shader cache of its own", async () => {
    const { environments } = await run({}, 2);
    expect(environments).toHaveLength(4 * 2);
    expect(new Set(environments.map((pair) => (pair as string[])[1])).size).toBe(4 * 2);
  });

  test("gives the others the noise that ours drew, and drops who fails in the middle", async () => {
    const { rows } = await run({ tfjs: "told", jax: "falls" }, 2, workloads.slice(0, 1));
    expect(rows[0]!.outcomes).toMatchObject({
      tfjs: { times: { rounds: 2, median: 2.5 } },
      jax: { failed: "lost the device" },
      ort: { times: { rounds: 2 } },
    });
  });

  test("drops an engine whose process ended in other work", async () => {
    const two = [workloads[0]!, { ...workloads[0]!, name: "other", problem: matmul(5) }];
    let checks = 0;
    const { rows } = await compare(
      { peers: ["jax"], workloads: two, rounds: 1, onProgress: () => {} },
      (name) => {
        const fake = new Fake("right", false);
        const { ask } = fake;
        fake.ask = async (question: Question) => {
          if (name === "jax" && question.ask === "check" && ++checks === 2) {
            fake.end();
            throw new Error("its process ended with SIGKILL");
          }
          return ask.call(fake, question);
        };
        return fake;
      },
    );
    expect(rows.map(({ outcomes }) => outcomes.jax)).toEqual([
      { failed: "its process ended in other work" },
      { failed: "its process ended with SIGKILL" },
    ]);
  });

  test("checks what is asked cold alone before it times it", async () => {
    const { rows } = await run({ tfjs: "wrong" }, 1, workloads.slice(1));
    expect(rows[0]!.outcomes.tfjs).toMatchObject({ wrong: expect.any(String) });
    expect(rows[0]!.outcomes.jax).toMatchObject({ times: { median: 5000 } });
  });
});
