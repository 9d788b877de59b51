import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { build } from "vite";
import { afterAll, expect, test } from "vitest";
import { launchChromium, noChromium } from "../support/chromium.ts";
import { serve } from "./static-server.ts";

// The built page in a real browser. The page is built once in a process and served under a path of its own, as it may
// be by any host; each test file has one browser, and each test a page whose console has to stay clean.

/** A page of the browser's that is open at a view. */
export interface Visit {
  readonly page: Page;
  /** Errors and warnings of the console, and what was thrown and caught by nobody. */
  readonly complaints: readonly string[];
}

export interface VisitOptions {
  /** The view to open: what comes after "#". */
  readonly at?: string;
  /** Start the browser so that it offers no adapter. */
  readonly withoutGpu?: boolean;
  /** What the browser itself is known to say on the console in such a visit. */
  readonly expected?: RegExp;
  /** A script that runs before the page's own. */
  readonly before?: () => void;
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: "light" | "dark";
  readonly reducedMotion?: "reduce" | "no-preference";
}

if (noChromium) console.warn(`test/web: skipped, ${noChromium}`);

/** A test of the page. Where there is no Chromium it is reported as skipped, with the reason. */
export function webTest(name: string, options: VisitOptions, run: (visit: Visit) => Promise<void>): void {
  test(name, async (context) => {
    if (noChromium) return context.skip(noChromium);
    const browser = await launched(options.withoutGpu === true);
    const { url } = await site();
    const { at = "", expected, width = 1280, height = 900 } = options;
    const { colorScheme = "light", reducedMotion = "reduce" } = options;
    const scene = await browser.newContext({ viewport: { width, height }, colorScheme, reducedMotion });
    try {
      const page = await scene.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        const bad = ["error", "warning"].includes(message.type());
        if (bad && !expected?.test(message.text())) complaints.push(message.text());
      });
      page.on("pageerror", (fault) => complaints.push(String(fault)));
      if (options.before) await page.addInitScript(options.before);
      await page.goto(at ? `${url}#${at}` : url);
      await run({ page, complaints });
      expect(complaints).toEqual([]);
    } finally {
      await scene.close();
    }
  });
}

/** Bytes that the page's tensors hold now, as the header tells them. */
export async function liveBytes(page: Page): Promise<number> {
  const line = await page.locator("#details").evaluate(async (details: HTMLDetailsElement) => {
    for (const open of [false, true]) {
      if (details.open === open) continue;
      const toggled = new Promise((resolve) => details.addEventListener("toggle", resolve, { once: true }));
      details.open = open;
      await toggled; // the page counts when the list opens
    }
    return document.getElementById("memory")!.textContent!;
  });
  return Number(line.replace(/ bytes.*/, "").replaceAll(",", ""));
}

const browsers = new Map<boolean, Promise<Browser>>();

function launched(withoutGpu: boolean): Promise<Browser> {
  const running = browsers.get(withoutGpu) ?? launchChromium({ withoutGpu });
  browsers.set(withoutGpu, running);
  return running;
}

/** Closes a test file's browsers; call it once in each file that has web tests. */
export function closeBrowsers(): void {
  afterAll(async () => {
    for (const browser of browsers.values()) await (await browser).close();
    browsers.clear();
  });
}

let built: Promise<{ url: string }> | undefined;

/** The built page's address. */
function site(): Promise<{ url: string }> {
  built ??= (async () => {
    const folder = mkdtempSync(join(tmpdir(), "stein-web-"));
    process.once("exit", () => rmSync(folder, { recursive: true, force: true }));
    const configFile = fileURLToPath(new URL("../../web/vite.config.ts", import.meta.url));
    await build({ configFile, logLevel: "error", build: { outDir: folder } });
    return serve(folder, "/some/where/");
  })();
  return built;
}
