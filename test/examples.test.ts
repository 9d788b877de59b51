/** Every example runs as its reader would run it, and says what it should; what it imports is in the package. */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { encode } from "fast-png";
import { describe, expect, onTestFinished, test } from "vitest";
import { toBatch } from "../data/dataset.ts";
import { digits } from "../data/digits.ts";
import { tempFolder } from "./data/temp-folder.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** 12 drawn digits as files of a folder. */
function pictures(): string {
  const set = digits({ count: 12, seed: 3 });
  const folder = tempFolder();
  for (let i = 0; i < set.count; i++) {
    const data = Uint8Array.from(toBatch(set, [i]), (v) => Math.round(255 * v));
    const png = encode({ width: set.width, height: set.height, channels: 1, depth: 8, data });
    writeFileSync(join(folder, `${i}.png`), png);
  }
  return folder;
}

/** What each prints; numbers are checked by the examples themselves, which end with an error when they are off. */
const examples: Record<string, { args?: () => string[]; prints: readonly RegExp[] }> = {
  "add-an-op.ts": { prints: [/^derivative 0: .* 1\.0000 .*$/m, /^derivative 2: /m, /^beside its oracle: /m] },
  "custom-kernel.ts": {
    prints: [/^fn main\(@builtin/m, /^37000 values, off by at most 0; 68\.\d % became 0/m],
  },
  "fuse-your-own-update.ts": {
    prints: [
      /^separate: 8 kernels a step/m,
      /^fused: 2 kernels a step/m,
      /^variance 1\.3\d\d, expected 1\.316$/m,
    ],
  },
  "sample.ts": { prints: [/^ {2}3\.0 #{20,}$/m, /^ {2}0\.0 $/m, /^400 evaluations of the score/m] },
  "train-on-your-images.ts": {
    args: () => [pictures(), "20"],
    prints: [
      /^33057 parameters, 12 images$/m,
      /^step 10: loss [\d.]+\nstep 20: loss [\d.]+$/m,
      /^[ .:=+*#%@-]{32}$/m,
    ],
  },
};

test("there is none that is not run here, and docs/library.md tells of each", () => {
  const names = readdirSync(join(root, "examples"));
  expect(Object.keys(examples)).toEqual(names.sort());
  const page = readFileSync(join(root, "docs/library.md"), "utf8");
  for (const name of names) expect(page).toContain(`examples/${name}`);
});

describe.each(Object.entries(examples))("%s", (name, { args, prints }) => {
  const text = readFileSync(join(root, "examples", name), "utf8");

  test("is short, and imports only what a user has", () => {
    expect(text.trimEnd().split("\n").length).toBeLessThanOrEqual(40);
    const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { exports: object };
    for (const [, from] of text.matchAll(/from "([^"]+)"/g))
      if (!from!.startsWith("node:")) expect(exports).toHaveProperty([from!.replace("stein", ".")]);
  });

  test("runs", async () => {
    const command = ["--import", "tsx", `examples/${name}`, ...(args?.() ?? [])];
    const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root });
    for (const line of prints) expect(stdout).toMatch(line);
  });
});

/** The first program of a page, and the numbers that it prints. */
async function firstProgramOf(page: string): Promise<number[]> {
  const [, text] = /```ts\n(.*?)```/s.exec(readFileSync(join(root, page), "utf8"))!;
  mkdirSync(join(root, "out"), { recursive: true });
  const folder = mkdtempSync(join(root, "out", "page-")); // below the sources, to which "stein" leads in a clone
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "program.ts"), text!);
  const command = ["--import", "tsx", join(folder, "program.ts")];
  const { stdout } = await promisify(execFile)(process.execPath, command, { cwd: root });
  return stdout.trim().split(" ").map(Number);
}

test("README.md's program prints the loss that it says", async () => {
  const side = 32;
  let sum = 0;
  for (let i = 0; i < side ** 2; i++) {
    const taps = [i % side, Math.floor(i / side)].map((at) => (at === 0 || at === side - 1 ? 2 : 3));
    sum += (3 * taps[0]! * taps[1]! * 0.5 * 0.1) ** 2; // all above 0, where elu changes nothing
  }
  const [loss, count] = await firstProgramOf("README.md");
  expect(loss).toBeCloseTo(sum / side ** 2, 5);
  expect(count).toBe(216);
});

test("the first program of docs/library.md draws from N(0, 1)", async () => {
  const [nfe, deviation] = await firstProgramOf("docs/library.md");
  expect(nfe).toBe(200);
  expect(Math.abs(deviation! - 1)).toBeLessThan(4 * Math.sqrt(0.5 / 1000)); // four standard errors
});
