/** `npm run figures` as it is typed. What is asked wrongly is refused before any device is opened. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const script = fileURLToPath(new URL("../../bench/figures/run.ts", import.meta.url));

function figures(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", script, ...args], {
    encoding: "utf8",
    timeout: 60_000,
  });
  return { status, stdout, stderr: stderr.trim() };
}

test("a figure that there is none of is named with the nearest, exit code 2", () => {
  expect(figures("modse")).toEqual({
    status: 2,
    stdout: "",
    stderr: `figures: got figure "modse", expected learning, manifold, low-density, modes, images; did you mean modes?`,
  });
});

test("options out of range are named", () => {
  const { status, stderr } = figures("images", "--minutes", "-1");
  expect([status, stderr]).toEqual([2, "figures: got --minutes -1, expected a number above 0"]);
});

test("what only images take is refused without them", () => {
  const { status, stderr } = figures("modes", "--steps", "5");
  expect(status).toBe(2);
  expect(stderr).toBe(
    "figures: got --steps 5 without images, expected it with images only; others take --budget",
  );
});

test("help names every figure", () => {
  const { status, stdout } = figures("--help");
  expect(status).toBe(0);
  for (const name of ["learning", "manifold", "low-density", "modes", "images", "--budget", "--minutes"])
    expect(stdout).toContain(name);
});

test("a figure leaves its picture and its numbers, and prints its table", () => {
  const folder = mkdtempSync(join(tmpdir(), "stein-figures-"));
  try {
    const { status, stdout } = figures("manifold", "--budget", "0.01", "--seed", "4", "--out", folder);
    expect(status).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(["manifold.json", "manifold.svg"]);
    const record = JSON.parse(readFileSync(join(folder, "manifold.json"), "utf8"));
    expect(record).toMatchObject({ figure: "manifold", seed: 4, settings: { steps: 20, sigma: 0.1 } });
    // Far from the circle's middle the blurred density is that of a line, whose score has the mean square 1 / sigma^2.
    expect(Math.abs(record.least.mean + 50)).toBeLessThan(4 * record.least.error + 1);
    for (const row of record.table) for (const cell of row) expect(stdout).toContain(cell);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
