/** The page around the views: what it says of the device, its routes, and what it says where there is no device. */
import { expect } from "vitest";
import { barriers, contrast } from "./access.ts";
import { closeBrowsers, liveBytes, webTest } from "./browser.ts";

closeBrowsers();

webTest("opens at Sample and says that software runs it", {}, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: "Sample" }).waitFor();
  await expect(page.title()).resolves.toBe("Sample · Stein");
  await expect(page.locator("#adapter").textContent()).resolves.toMatch(
    /^Running on .*swiftshader.*: a processor plays GPU, correct but slow\.$/i,
  );
});

webTest("tells features and limits", {}, async ({ page }) => {
  await page.getByText("Features and limits").click();
  const facts = await page.locator("#facts").textContent();
  for (const term of ["f16", "subgroups", "timestamp queries", "largest buffer", "tensors hold now"])
    expect(facts).toContain(term);
  expect(await liveBytes(page)).toBeTypeOf("number");
});

webTest("shows the view that the address names, and each by its link", { at: "bench" }, async ({ page }) => {
  for (const name of ["Bench", "Learn", "Sample"]) {
    await page.getByRole("link", { name, exact: true }).click();
    await page.getByRole("heading", { level: 2, name }).waitFor();
    const current = page.locator('nav a[aria-current="page"]');
    await expect(current.textContent()).resolves.toBe(name);
  }
});

webTest("skips to the view without leaving it", { at: "learn" }, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: "Learn" }).waitFor();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(page.evaluate(() => document.activeElement?.id)).resolves.toBe("view");
  await expect(page.title()).resolves.toBe("Learn · Stein");
});

const withoutGpu = { withoutGpu: true, expected: /^No available adapters\.$/ };

webTest("without an adapter says what to do, and looks again", withoutGpu, async ({ page }) => {
  await page.getByRole("heading", { level: 2, name: /needs WebGPU/ }).waitFor();
  await expect(page.getByRole("alert").first().textContent()).resolves.toMatch(
    /^The browser has WebGPU but offers no adapter; .*\.$/,
  );
  await expect(page.locator("dt").allTextContents()).resolves.toEqual(["Chrome, Edge", "Firefox", "Safari"]);
  await page.getByRole("button", { name: "Look again" }).click();
  await page.getByRole("heading", { level: 2, name: /needs WebGPU/ }).waitFor();
});

for (const colorScheme of ["light", "dark"] as const)
  webTest(`can be read on ${colorScheme} paper`, { colorScheme }, async ({ page }) => {
    const colours = await page.evaluate(() => {
      const style = getComputedStyle(document.documentElement);
      const names = [
        "paper",
        "raised",
        "wash",
        "ink",
        "faint",
        "edge",
        "accent",
        "on-accent",
        "focus",
        "warn",
      ];
      return Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--${name}`).trim()]));
    });
    const { paper, raised, wash, ink, faint, edge, accent, focus, warn } = colours as Record<string, string>;
    for (const under of [paper!, raised!, wash!])
      for (const text of [ink!, faint!]) expect(contrast(text, under)).toBeGreaterThan(4.5);
    expect(contrast(colours["on-accent"]!, accent!)).toBeGreaterThan(4.5);
    expect(contrast(accent!, paper!)).toBeGreaterThan(4.5);
    for (const mark of [edge!, focus!, warn!]) expect(contrast(mark, paper!)).toBeGreaterThan(3);
  });

webTest("stands in nobody's way, on a phone too", { width: 360, height: 740 }, async ({ page }) => {
  await page.getByRole("button", { name: "Start" }).waitFor();
  await page.getByText("Features and limits").click();
  expect(await barriers(page)).toEqual([]);
  await page.getByLabel("Draw", { exact: true }).selectOption("rest");
  await page.getByRole("application").waitFor();
  expect(await barriers(page)).toEqual([]);
});

webTest("shows where the keyboard is, and gets everywhere by Tab", {}, async ({ page }) => {
  await page.getByRole("button", { name: "Start" }).waitFor();
  await page.getByLabel("Draw", { exact: true }).selectOption("rest");
  const met: string[] = [];
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press("Tab");
    const here = await page.evaluate(() => {
      const e = document.activeElement as HTMLElement;
      if (e === document.body) return { what: "", outline: "" }; // between the page's end and its beginning
      return { what: e.ariaLabel ?? e.textContent?.trim() ?? "", outline: getComputedStyle(e).outlineStyle };
    });
    if (here.what === "") continue;
    met.push(here.what);
    expect(here.outline, here.what).toBe("solid");
  }
  for (const wanted of ["Sample", "Learn", "Features and limits", "Right half", "Start"])
    expect(met).toContain(wanted);
  expect(met.some((what) => what.startsWith("The digit 3; "))).toBe(true);
});
