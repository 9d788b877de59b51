/** Verdicts, the table, the block of a page, and what the command refuses. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { chosenBy, peersOf, readPage } from "../../bench/peers/options.ts";
import { requireInstalled } from "../../bench/peers/packages.ts";
import { BEGIN, circumstances, END, type PeersRecord, tableOf, withBlock } from "../../bench/peers/tables.ts";
import { goalText, type Outcome, type Row, timesOf, verdictOf } from "../../bench/peers/verdict.ts";
import { workloads } from "../../bench/peers/workloads.ts";

const took = (...ms: number[]): Outcome => ({ times: timesOf(ms) });
const row = (outcomes: Row["outcomes"], goal: Row["goal"] = { times: 2 }): Row => ({
  name: "work",
  goal,
  outcomes,
});

test("times are the middle, the least and the most", () => {
  expect(timesOf([5, 1, 9])).toEqual({ median: 5, least: 1, most: 9, rounds: 3 });
  expect(timesOf([4, 1, 9, 6]).median).toBe(5);
  expect(() => timesOf([])).toThrow("expected one or more");
});

describe("a goal", () => {
  test("is met at so many times the speed of the best peer, and missed just below", () => {
    expect(verdictOf(row({ stein: took(10), tfjs: took(90), jax: took(20) }))).toEqual({
      best: { peer: "jax", ms: 20 },
      ratio: 2,
      met: true,
    });
    expect(verdictOf(row({ stein: took(10), tfjs: took(90), jax: took(19.9) })).met).toBe(false);
  });

  test("is held against replay, not against the eager run", () => {
    expect(verdictOf(row({ stein: took(10), eager: took(100), tfjs: took(20) })).met).toBe(true);
  });

  test("is not won against a peer that is wrong, nor lost to one", () => {
    expect(verdictOf(row({ stein: took(10), tfjs: { wrong: "y" }, jax: { cannot: "no" } }))).toEqual({});
    expect(verdictOf(row({ stein: took(10), tfjs: { wrong: "y" }, jax: took(15) })).met).toBe(false);
  });

  test("is missed where ours is wrong or fails", () => {
    expect(verdictOf(row({ stein: { wrong: "y" }, jax: took(15) }))).toEqual({ met: false });
    expect(verdictOf(row({ stein: { failed: "lost" }, jax: took(15) }))).toEqual({ met: false });
  });

  test("may have a time of its own", () => {
    const goal = { times: 1, within: 8000 };
    expect(goalText(goal)).toBe("1x, below 8,000 ms");
    expect(verdictOf(row({ stein: took(9000), jax: took(20_000) }, goal)).met).toBe(false);
    expect(verdictOf(row({ stein: took(9000) }, goal)).met).toBe(false);
    expect(verdictOf(row({ stein: took(7000), jax: took(20_000) }, goal)).met).toBe(true);
    expect(verdictOf(row({ stein: took(7000), jax: took(6000) }, goal)).met).toBe(false);
  });

  test("is what the project promises", () => {
    const goals = Object.fromEntries(workloads.map(({ name, goal }) => [name, goalText(goal)]));
    expect(Object.keys(goals)).toHaveLength(workloads.length);
    const beyond = Object.entries(goals).filter(([, goal]) => goal !== "1x");
    expect(Object.fromEntries(beyond)).toEqual({
      "conv 3x3, 64 channels, 8x32x32, backward": "2x",
      "instance norm 8x64x32x32, both passes": "2x",
      "attention N 8, HW 256, C 128, both passes": "2x",
      "Langevin chain 128x3x32x32, 100 steps": "5x",
      "training step, dilated network, 8x3x32x32": "2x",
      "first training step of a process, no shader cache": "1x, below 8,000 ms",
    });
  });
});

const record: PeersRecord = {
  date: "2026-01-02T03:04:05.000Z",
  node: "v20.19.0",
  platform: "linux x64",
  processor: "some processor",
  rounds: 3,
  load: { before: 0.5, after: 2.25, others: 0.03, cores: 2 },
  engines: {
    stein: { adapter: "llvmpipe", versions: { stein: "0.1.0" } },
    jax: { adapter: "llvmpipe", versions: { "@jax-js/jax": "0.1.25" } },
    ort: { adapter: undefined, versions: { "onnxruntime-node": "1.30.0" } },
  },
  rows: [
    row({ stein: took(12.345), eager: took(150.4), jax: took(30), ort: { cannot: "has no gradients" } }),
    row({ stein: took(2), jax: { wrong: "y: off" }, ort: { cannot: "has no gradients" } }, { times: 1 }),
    row({ stein: took(2), jax: took(1), ort: { failed: "lost" } }, { times: 1 }),
  ],
};

test("the table holds medians, the ratio to the best peer, the goal and whether it is met, with reasons below", () => {
  expect(tableOf(record)).toEqual({
    table: [
      [
        "milliseconds, medians",
        "Stein",
        "Stein, eager",
        "jax-js",
        "ONNX Runtime",
        "best peer / ours",
        "goal",
        "",
      ],
      ["work", "12.3", "150", "30.0", "cannot (1)", "2.43x", "2x", "met"],
      ["work", "2.00", "-", "wrong (2)", "cannot (1)", "-", "1x", "-"],
      ["work", "2.00", "-", "1.00", "failed (3)", "0.50x", "1x", "MISSED"],
    ],
    notes: ["(1) ONNX Runtime has no gradients.", "(2) jax-js: y: off.", "(3) ONNX Runtime: lost."],
  });
});

test("where and how quietly it ran stands above", () => {
  expect(circumstances(record)).toEqual([
    "adapter: llvmpipe; ONNX Runtime does not tell its own",
    "packages: stein 0.1.0, @jax-js/jax 0.1.25, onnxruntime-node 1.30.0",
    "host: Node v20.19.0, linux x64, some processor, 2026-01-02, 3 rounds",
    "load: average 0.5 before and 2.3 after on 2 cores; other processes took 3 % of them",
  ]);
  const noisy = { ...record, load: { ...record.load, others: 0.5 } };
  expect(circumstances(noisy).at(-1)).toMatch(/50 % of them: NOISY$/);
  const apart = { ...record, engines: { ...record.engines, jax: { adapter: "other", versions: {} } } };
  expect(circumstances(apart)[0]).toMatch("llvmpipe; other (NOT THE SAME)");
});

test("a page's block is replaced, what stands around it kept", () => {
  const page = `before\n${BEGIN}\n\nold\n\n${END}\nafter\n`;
  const once = withBlock("a.md", page, "new");
  expect(once).toBe(`before\n${BEGIN}\n\nnew\n\n${END}\nafter\n`);
  expect(withBlock("a.md", once, "new")).toBe(once);
});

test("a page without its block, or with two, is refused", () => {
  const lines =
    'expected the lines "<!-- peers: begin, written by npm run bench:peers -->" and "<!-- peers: end -->"';
  const pages = ["none", BEGIN, END, `${END}${BEGIN}`, `${BEGIN}${END}`.repeat(2), `${BEGIN}${END}${END}`];
  for (const page of pages) expect(() => withBlock("a.md", page, "new"), page).toThrow(lines);
});

test("packages that are not installed are named with the command that brings them", () => {
  expect(() => requireInstalled(["a", "b", "c"], (name) => name === "b")).toThrowErrorMatchingInlineSnapshot(
    `[UsageError: got no a, c, expected the peers' packages in bench/peers; run npm ci --prefix bench/peers]`,
  );
  expect(() => requireInstalled(["b"], () => true)).not.toThrow();
});

describe("what is asked wrongly", () => {
  test("a peer that there is none of is named with the nearest", () => {
    expect(peersOf("tfjs, ort")).toEqual(["tfjs", "ort"]);
    expect(() => peersOf("tfjs,jex")).toThrowErrorMatchingInlineSnapshot(
      `[UsageError: got --peers tfjs,jex with "jex", expected some of tfjs,jax,ort; did you mean jax?]`,
    );
  });

  test("a filter that nothing passes lists what there is", () => {
    expect(chosenBy("MATMUL").map(({ name }) => name)).toEqual(["matmul 512^3", "matmul 1024^3"]);
    expect(chosenBy("")).toHaveLength(workloads.length);
    expect(() => chosenBy("fft")).toThrow(
      /got --filter fft, expected part of a workload's name; one of: matmul 512\^3; /,
    );
  });

  test("a page that is not there or has no place for the table is refused before any work, exit code 2", {
    timeout: 120_000, // of a process that translates TypeScript, where the cores are shared
  }, () => {
    const folder = mkdtempSync(join(tmpdir(), "stein-peers-test-"));
    try {
      const [page, none] = [join(folder, "page.md"), join(folder, "none.md")];
      writeFileSync(page, `${BEGIN}\n${END}\n`);
      expect(readPage(page)).toBe(`${BEGIN}\n${END}\n`);
      expect(() => readPage(none)).toThrow(`got --write ${none}, expected a Markdown file that can be read`);
      writeFileSync(page, "no block\n");
      const script = fileURLToPath(new URL("../../bench/peers/run.ts", import.meta.url));
      const { status, stdout, stderr } = spawnSync(
        process.execPath,
        ["--import", "tsx", script, "--write", page],
        { encoding: "utf8" },
      );
      expect([status, stdout]).toEqual([2, ""]);
      expect(stderr).toMatch(
        /^bench:peers: --write: got .* without one block for the table, .*; add them\n$/,
      );
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});
