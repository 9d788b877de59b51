/** The package in a browser: built by Vite without anything of Node's, and run in Chromium with the results of Node. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encode } from "fast-png";
import { beforeAll, expect, test } from "vitest";
import { launchChromium, noChromium } from "../support/chromium.ts";
import { INSTALL_TIMEOUT, installed, run, tool } from "./installed.ts";

const png = encode({ width: 4, height: 4, channels: 1, depth: 8, data: new Uint8Array(16).fill(51) });

/** Says the same in Node and in a page. */
const program = `
import { Engine, matmul, scale } from "stein";
import { digits, imagesFromBytes, mnistFromBytes, toBatch, twoGaussians } from "stein/data";
import { Linear, Init, countParameters } from "stein/models";
import { annealedLangevin, asScore } from "stein/samplers";
import { geometricSigmas } from "stein/train";

export async function report() {
  const engine = await Engine.create({ quiet: true });
  const product = matmul(engine.tensor([1, 2, 3, 4], [2, 2]), engine.tensor([5, 6, 7, 8], [2, 2]));
  const sigmas = geometricSigmas({ begin: 1, end: 0.1, count: 2 });
  const score = asScore((x) => scale(x, -1));
  const x = await annealedLangevin(engine, score, [2, 4], { sigmas, stepsPerLevel: 2, epsilon: 1e-3, seed: 5 });
  const png = Uint8Array.from(${JSON.stringify([...png])});
  const idx = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255);
  const result = {
    product: [...(await product.data())],
    samples: [...(await x.data())],
    digit: [...toBatch(digits({ count: 4, seed: 2 }), [3])],
    image: [...toBatch(imagesFromBytes([{ name: "a.png", bytes: png }], { size: 2, channels: 1 }), [0])],
    idx: [...toBatch(mnistFromBytes({ images: idx.buffer }), [0])],
    toy: [...twoGaussians.sample(2, 1)],
    parameters: countParameters(new Linear(new Init(engine, 0), 3, 5)),
  };
  engine.destroy();
  return result;
}
`;

let folder: string;

beforeAll(async () => {
  const { user } = await installed();
  folder = join(user, "page");
  mkdirSync(folder);
  writeFileSync(join(folder, "report.js"), program);
}, INSTALL_TIMEOUT);

/** Builds a page whose one script is `script`: what Vite said, and the scripts it wrote. */
async function build(
  script: string,
  out: string,
): Promise<{ code: number; said: string; scripts: string[] }> {
  const page =
    '<!doctype html><link rel="icon" href="data:," /><script type="module" src="./page.js"></script>';
  writeFileSync(join(folder, "index.html"), page);
  writeFileSync(join(folder, "page.js"), script);
  const vite = [tool("vite/bin/vite.js"), "build", "--minify", "false", "--base", "./", "--outDir", out];
  const { code, stdout, stderr } = await run(folder, process.execPath, ...vite);
  const assets = join(folder, out, "assets");
  const names = existsSync(assets) ? readdirSync(assets) : [];
  return {
    code,
    said: stdout + stderr,
    scripts: names.map((name) => readFileSync(join(assets, name), "utf8")),
  };
}

const ofNode = /["'`]node:|externalized for browser|createRequire/;

test("a page that imports every part has nothing of Node in it", async () => {
  const all = ["", "/models", "/samplers", "/train", "/data"].map(
    (part, i) => `import * as p${i} from "stein${part}";`,
  );
  const { code, said, scripts } = await build(
    `${all.join("\n")}\nglobalThis.all = [p0, p1, p2, p3, p4];`,
    "all",
  );
  expect(code, said).toBe(0);
  expect(said).not.toMatch(/externalized|\bwarn/i);
  for (const script of scripts) expect(script).not.toMatch(ofNode);
  const bytes = scripts.reduce((sum, script) => sum + script.length, 0);
  console.log(`all of the library in a page: ${Math.round(bytes / 1024)} KiB, not minified`);
});

test("and these signs show where there is something of Node", async () => {
  const { scripts } = await build(
    'import { readFileSync } from "node:fs"; globalThis.all = readFileSync;',
    "node",
  );
  expect(scripts).toHaveLength(1);
  expect(scripts[0]).toMatch(ofNode);
});

test("what reads files is no part of it: a page that wants it is not built", async () => {
  const { code, said } = await build('import { imageFolder } from "stein/data"; imageFolder(".");', "files");
  expect(code).toBe(1);
  expect(said).toMatch(/"imageFolder" is not exported by .*data\/browser\.js/);
});

test("in Chromium it computes what it does in Node", async (context) => {
  if (noChromium) return context.skip(noChromium);
  const built = await build('import { report } from "./report.js"; globalThis.report = report;', "run");
  expect(built.code, built.said).toBe(0);
  writeFileSync(
    join(folder, "node.mjs"),
    'import { report } from "./report.js"; console.log(JSON.stringify(await report()));',
  );
  const { stdout, stderr } = await run(folder, process.execPath, "node.mjs");
  const inNode = JSON.parse(stdout || stderr);

  const running = await launchChromium();
  try {
    const page = await running.newPage();
    const faults: string[] = [];
    page.on("pageerror", (error) => faults.push(String(error)));
    // No server: a page of localhost may use WebGPU.
    await page.route("http://localhost/**", (route) =>
      route.fulfill({ path: join(folder, "run", new URL(route.request().url()).pathname) }),
    );
    await page.goto("http://localhost/index.html");
    await page.waitForFunction("globalThis.report !== undefined", undefined, { timeout: 30_000 });
    const inPage = await page.evaluate<typeof inNode>("globalThis.report()");

    expect(faults).toEqual([]);
    const { samples, ...rest } = inPage;
    const { samples: expected, ...others } = inNode;
    expect(rest).toEqual(others);
    expect(rest.product).toEqual([19, 22, 43, 50]);
    expect(rest.image.map((v: number) => Math.round(255 * v))).toEqual([51, 51, 51, 51]);
    expect(samples).toHaveLength(8);
    for (const [i, v] of samples.entries()) expect(Math.abs(v - expected[i])).toBeLessThan(1e-5);
  } finally {
    await running.close();
  }
});
