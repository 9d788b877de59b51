/** The log of a run and its lines, without a device. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bestEvaluation, type Metrics, MetricsLog, readMetrics } from "../../cli/metrics-log.ts";
import { lossPlot, ratePlot } from "../../cli/metrics-plot.ts";
import { duration } from "../../cli/progress.ts";
import { complaint, tempFolder } from "../data/temp-folder.ts";

const row = (step: number): Metrics => ({
  ...{ step, loss: 10 + step, gradNorm: 1, lr: 1e-3, imagesPerSecond: 64, seconds: step / 4 },
});
const line = (step: number) => `${JSON.stringify(row(step))}\n`;

describe("metrics.jsonl", () => {
  test("goes on where training goes on: later lines and half a line are cut off", () => {
    const path = join(tempFolder(), "metrics.jsonl");
    const reopened = (text: string, step: number) => {
      writeFileSync(path, text);
      const log = new MetricsLog(path, step);
      return [readFileSync(path, "utf8"), log.seconds];
    };
    const four = [0, 1, 2, 3].map(line).join("");
    expect(reopened(four, 4)).toEqual([four, 0.75]);
    expect(reopened(four, 2)).toEqual([line(0) + line(1), 0.25]);
    expect(reopened(four, 0)).toEqual(["", 0]);
    expect(reopened(`${four}{"step":4,"lo`, 9)).toEqual([four, 0.75]);
    expect(reopened(four.trimEnd(), 9)).toEqual([line(0) + line(1) + line(2), 0.5]); // a whole line lacks its end
    expect(reopened("not mine\n", 9)).toEqual(["", 0]);
  });

  test("is begun with its folder", () => {
    const path = join(tempFolder(), "a", "b", "metrics.jsonl");
    const log = new MetricsLog(path, 0);
    log.add([]);
    expect(existsSync(path)).toBe(false);
    log.add([row(0), row(1)]);
    log.add([row(2)]);
    expect(readFileSync(path, "utf8")).toBe(line(0) + line(1) + line(2));
    expect(log.recent(2)).toBe(11.5);
    expect(log.recent(50)).toBe(11);
  });

  test("says where it cannot be written", () => {
    const folder = tempFolder({ file: "" });
    mkdirSync(join(folder, "metrics.jsonl"));
    const open = (...path: string[]) => complaint(folder, () => new MetricsLog(join(folder, ...path), 0));
    expect(open("file", "metrics.jsonl")).toMatch(
      /^UsageError: write: cannot write FOLDER\/file\/metrics\.jsonl \(E.*\), expected a writable place; check the folder and its space$/,
    );
    expect(open("metrics.jsonl")).toMatch(/^UsageError: write: cannot write FOLDER\/metrics\.jsonl \(EISDIR/);
  });

  test("is read back up to the first line that is none", () => {
    const path = join(tempFolder(), "metrics.jsonl");
    writeFileSync(path, `${line(0)}${line(1)}not mine\n${line(2)}`);
    expect(readMetrics(path)).toEqual([row(0), row(1)]);
    expect(readFileSync(path, "utf8")).toContain("not mine"); // reading changes nothing
  });

  test("is plotted at any length, in files that do not grow with it", () => {
    const sizes = [3, 700, 300_000].flatMap((steps) => {
      const rows = Array.from({ length: steps }, (_, i) => ({ ...row(i), evalLoss: 2 }));
      const svg = lossPlot(rows, "Loss");
      expect(svg).toContain(steps > 500 ? `one step in ${Math.ceil(steps / 500)}` : "each step");
      expect(svg).toContain("held back");
      return [svg.length, ratePlot(rows).length];
    });
    expect(Math.max(...sizes)).toBeLessThan(60_000);
  });

  test("is plotted without what was not measured", () => {
    expect(lossPlot([row(0), row(1)], "Loss")).not.toContain("held back");
    expect(lossPlot([], "Loss")).toContain("<svg");
  });

  test("knows the best evaluation and after how many steps it was", () => {
    expect(bestEvaluation([row(0)])).toBe(undefined);
    const rows = [3, 1.5, 2].map((evalLoss, i) => ({ ...row(10 * i + 9), evalLoss }));
    expect(bestEvaluation([row(0), ...rows])).toEqual({ step: 20, loss: 1.5 });
  });
});

test("times are said as a person would", () => {
  expect([0.04, 4.25, 59.94, 59.96, 187.4, 3599.6, 3600, 36_061, 359_999].map(duration)).toEqual([
    "0.0 s",
    "4.3 s",
    "59.9 s",
    "1 min 00 s",
    "3 min 07 s",
    "1 h 00 min",
    "1 h 00 min",
    "10 h 01 min",
    "100 h 00 min",
  ]);
});
