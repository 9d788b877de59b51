/** The Bench view: measures, draws, tells and saves by the schema of `stein bench --json`, stops, and leaves nothing. */
import { readFileSync } from "node:fs";
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { type Line, parseLines } from "../../bench/index.ts";
import { closeBrowsers, liveBytes, webTest } from "./browser.ts";

closeBrowsers();

/** Cores may be shared with others. */
const patience = { timeout: 100_000 };

const button = (page: Page, name: string) => page.getByRole("button", { name, exact: true });

async function saved(page: Page): Promise<Line[]> {
  const [download] = await Promise.all([page.waitForEvent("download"), button(page, "Save JSON").click()]);
  expect(download.suggestedFilename()).toBe("stein-bench.jsonl");
  return parseLines(readFileSync(await download.path(), "utf8"), "stein-bench.jsonl"); // throws where the schema is broken
}

const linesOf = <Kind extends Line["kind"]>(lines: readonly Line[], kind: Kind) =>
  lines.filter((line): line is Extract<Line, { kind: Kind }> => line.kind === kind);

webTest(
  "measures a family under the roofline, saves it, keeps nothing",
  { at: "bench" },
  async ({ page }) => {
    await page.getByRole("heading", { level: 2, name: "Bench" }).waitFor();
    const before = await liveBytes(page);
    await page.getByLabel("Cases", { exact: true }).selectOption("families");
    await button(page, "Start").click();
    await page.getByText("Families: got none, expected at least one").waitFor();
    await page.getByLabel("softmax", { exact: true }).check();
    await page.getByLabel("Rounds").fill("1");
    await button(page, "Start").click();
    await page.getByText(/^Done after .*: 6 cases, all right\.$/).waitFor(patience);
    expect(await liveBytes(page)).toBe(before);

    const lines = await saved(page);
    const [run] = linesOf(lines, "run");
    expect(lines[0]).toBe(run);
    expect(run!.driver.software).toBe(true);
    expect(run!.adapter).toMatch(/swiftshader/);
    const [roofs] = linesOf(lines, "roofs");
    const cases = linesOf(lines, "case");
    expect(cases.map((c) => c.name)).toEqual([
      "roofline copy",
      "roofline multiply-add",
      "roofline dispatch",
      "matmul 512",
      "softmax, forward",
      "softmax, both passes",
    ]);
    const softmax = cases[4]!;
    const ms = softmax.by === "gpu" ? softmax.gpu!.median : softmax.wall.median;
    expect(softmax.rate).toBeCloseTo(softmax.bytes / ms / 1e6, 6);
    const { gigaflops, gigabytesPerSecond, dispatchMicroseconds, by } = roofs!;
    expect(by).toBe(softmax.by);
    const least = Math.max(
      softmax.bytes / gigabytesPerSecond / 1e6,
      softmax.flops / gigaflops / 1e6,
      dispatchMicroseconds! / 1e3,
    );
    expect(softmax.ofRoofline).toBeCloseTo(least / ms, 6);

    const rows = page.locator("tbody tr");
    await expect(rows.count()).resolves.toBe(6);
    await expect(rows.nth(4).textContent()).resolves.toContain(`${(100 * softmax.ofRoofline!).toFixed(0)} %`);
    await expect(page.locator("svg.roofline path.point title").count()).resolves.toBe(3); // of those with operations and bytes
    await page.getByText(/A processor plays GPU/).waitFor();
  },
);

webTest(
  "compares the paths of a sampler's step, all to the same numbers",
  { at: "bench" },
  async ({ page }) => {
    await page.getByRole("heading", { level: 2, name: "Bench" }).waitFor();
    const before = await liveBytes(page);
    await page.getByLabel("Batch").fill("1");
    await page.getByLabel("Rounds").fill("1");
    await button(page, "Compare paths").click();
    await page.getByText("Compared.").waitFor(patience);
    expect(await liveBytes(page)).toBe(before);
    const lines = await saved(page);
    const rows = linesOf(lines, "fusion");
    expect(lines[0]!.kind).toBe("run");
    expect(rows.length).toBe(10);
    await expect(page.locator("tbody tr").count()).resolves.toBe(10);
    const kernels = (fusion: string) =>
      rows.find((r) => r.update === "langevin" && r.fusion === fusion && r.replayed)!.kernels;
    expect(kernels("network")).toBeLessThan(kernels("fused"));
    expect(kernels("fused")).toBeLessThanOrEqual(kernels("separate")); // recorded, separate ops are joined too
    const apart = /here to (\S+)( × 10\^(-\d+))? of the largest/.exec(
      (await page.locator("section").textContent())!,
    )!;
    expect(Number(apart[1]) * 10 ** Number(apart[3] ?? 0)).toBeLessThan(1e-5);
  },
);

webTest("stops when asked, and when it is left", { at: "bench" }, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: "Bench" }).waitFor();
  const before = await liveBytes(page);
  await button(page, "Start").click();
  await page.getByText(/^Checking .* of 18/).waitFor(patience);
  await button(page, "Stop").click();
  await page.getByText(/^Stopped after/).waitFor(patience);
  expect(await liveBytes(page)).toBe(before);
  await button(page, "Start").click();
  await page.getByText(/^Checking .* of 18/).waitFor(patience);
  await page.getByRole("link", { name: "Learn", exact: true }).click();
  await page.getByRole("heading", { level: 2, name: "Learn" }).waitFor();
  expect(await liveBytes(page)).toBe(before);
});

webTest("a driver that gets exp wrong is found out, and not timed", { at: "bench" }, async ({ page }) => {
  await page.addInitScript(() => {
    const { createShaderModule } = GPUDevice.prototype;
    GPUDevice.prototype.createShaderModule = function (descriptor) {
      const code = descriptor.code.replace("y * r + 5.0000001201e-1", "y * r + 5.1e-1");
      return createShaderModule.call(this, { ...descriptor, code });
    };
  });
  await page.reload();
  await page.getByLabel("Cases", { exact: true }).selectOption("families");
  await page.getByLabel("softmax", { exact: true }).check();
  await page.getByLabel("Rounds").fill("1");
  await button(page, "Start").click();
  await page.getByText(/^Done after .*: 6 cases, 2 WRONG\.$/).waitFor(patience);
  const wrong = await page.locator("tr.wrong").allTextContents();
  expect(wrong.length).toBe(2);
  for (const row of wrong) expect(row).toMatch(/^softmax, .*WRONG, and so not timed: .*error/);
  const lines = await saved(page);
  expect(linesOf(lines, "fault").map((fault) => fault.name)).toEqual([
    "softmax, forward",
    "softmax, both passes",
  ]);
  expect(linesOf(lines, "case").filter((c) => c.group === "softmax")).toEqual([]);
});
