/** Lines of progress, as a log has them. */
import { afterEach, expect, test, vi } from "vitest";
import { Progress, progressOf } from "../../cli/progress.ts";

const lines: string[] = [];
let now = 0;

function log(): void {
  lines.length = now = 0;
  vi.spyOn(performance, "now").mockImplementation(() => now);
  vi.spyOn(process.stderr, "write").mockImplementation((line) => lines.push(String(line)) > 0);
}

afterEach(() => void vi.restoreAllMocks());

test("tell how far, how fast and how long still, and how long it took", () => {
  log();
  const update = progressOf("drawing");
  for (now = 0; now <= 20_000; now += 1000) update(now / 1000, 20, "a note");
  expect(lines).toEqual([
    "drawing 1/20 (5 %)  1.00/s  19.0 s left  a note\n",
    "drawing 11/20 (55 %)  1.00/s  9.0 s left  a note\n",
    "drawing 20/20 (100 %)  1.00/s  took 20.0 s  a note\n",
  ]);
});

test("of nothing at all tell no share", () => {
  log();
  new Progress("file, KiB", 0).update(0);
  expect(lines).toEqual(["file, KiB 0  took 0.0 s\n"]);
});

test("of what nobody knows the end of tell how far and how fast", () => {
  log();
  const progress = new Progress("file, KiB", undefined);
  for (now = 0; now <= 12_000; now += 500) progress.update(now / 10);
  expect(lines).toEqual(["file, KiB 100  100/s\n", "file, KiB 1100  100/s\n"]);
});
