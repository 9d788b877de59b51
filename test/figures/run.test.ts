/** `npm run figures` as it is typed. What is asked wrongly is refused before any device is opened. */
import { spawnSync } from "node:child_process";
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
