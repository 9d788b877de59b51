/** stein tune: measures, keeps, and what it kept is taken. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { parseConfig } from "../../cli/config.ts";
import { batchesOf, walkSteps } from "../../cli/tune.ts";
import type { Tuning } from "../../engine/autotune.ts";
import { engine } from "../support/engine.ts";
import { newFolder, removeFolders, stein, steinHere, tiny } from "./stein.ts";

afterAll(removeFolders);

const folder = newFolder({ "run.yaml": tiny() });
const env = { STEIN_CACHE_DIR: join(folder, "cache") };
const kept = () => readdirSync(env.STEIN_CACHE_DIR).filter((name) => name.startsWith("tuning-"));

test("a table and JSON of what was measured, kept in one file, from then on known", {
  timeout: 100_000,
}, async () => {
  const args = ["tune", "run.yaml", "--batch", "2", "--count", "2", "--budget", "1"];
  const first = await stein([...args, "--json"], { cwd: folder, env });
  expect(first.code, first.complaints.join("\n")).toBe(0);
  const { met, tuned, place, batches } = JSON.parse(first.stdout) as Tuning & { batches: unknown };
  expect(batches).toEqual({ training: 2, sampling: 2 });
  expect(tuned).toHaveLength(met);
  const families = new Set(tuned.map(({ key }) => key.split(" ")[0]));
  for (const family of ["conv2d", "conv2d_weight_grad", "reduce"]) expect(families).toContain(family);
  for (const { key, trials } of tuned)
    for (const { way, fault } of trials) expect(fault, `${key}: ${way}`).toBeUndefined();
  expect(kept()).toHaveLength(1);
  expect(place).toBe(join(env.STEIN_CACHE_DIR, kept()[0]!));
  const { choices } = JSON.parse(readFileSync(place!, "utf8")) as { choices: object };
  expect(Object.keys(choices)).toHaveLength(met);

  const second = await stein(args, { cwd: folder, env });
  expect(second.stdout).toBe(`all ${met} shapes were known; --compare measures them anew\n`);

  const compared = await stein([...args, "--compare"], { cwd: folder, env });
  expect(compared.code).toBe(0);
  expect(compared.stdout).toMatch(/^shape +heuristic +ms +fastest +ms +ratio\n/);
  expect(compared.stdout).toMatch(
    new RegExp(`\\n.*: \\d+ of ${met} heuristics within 25 % of the fastest; `),
  );
});

test("STEIN_AUTOTUNE is a mode, or nothing is begun", async () => {
  const { code, complaints } = await stein(["doctor"], { cwd: folder, env: { STEIN_AUTOTUNE: "always" } });
  expect(complaints).toEqual(["stein: STEIN_AUTOTUNE: got always, expected off, cached, on"]);
  expect(code).toBe(2);
});

test("a budget is a whole number of milliseconds", async () => {
  const { code, complaints } = await steinHere(["tune", "run.yaml", "--budget", "0"], { cwd: folder });
  expect(complaints).toEqual(["stein: got --budget 0, expected a whole number from 1"]);
  expect(code).toBe(2);
});

test("unless told, as many images are drawn at once as sampling does: a batch, or all where they are fewer", () => {
  const drawnAtOnce = (count: number, batchSize: number) =>
    batchesOf(parseConfig(tiny({ sampling: { count, batchSize } }), "run.yaml")).sampling;
  expect(drawnAtOnce(1000, 64)).toBe(64);
  expect(drawnAtOnce(10, 64)).toBe(10);
});

test("a loss that differentiates the score is walked through with its derivatives of the second order", () => {
  const launches = (training: Record<string, unknown>) => {
    const config = parseConfig(tiny({ training }), "run.yaml");
    let count = 0;
    engine.dry(
      () => walkSteps(engine, config, { training: 4, sampling: 4 }),
      () => count++,
    );
    return count;
  };
  expect(launches({ loss: "ssm-vr" })).toBeGreaterThan(1.5 * launches({}));
});
