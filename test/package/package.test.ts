/** What is in the package, what it brings, and that its command and a program run. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { INSTALL_TIMEOUT, type Installed, installed, root, run, tool } from "./installed.ts";

const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
  scripts: Record<string, string>;
};

let user: string;
let packed: Installed["packed"];
beforeAll(async () => {
  ({ user, packed } = await installed());
}, INSTALL_TIMEOUT);

test("holds what runs, the configurations and the licence, in less than 1.2 MB", () => {
  const paths = packed.files.map(({ path }) => path);
  console.log(`package: ${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${paths.length} files`);
  for (const path of [
    "bin/stein.js",
    "dist/cli/main.js",
    "dist/engine/index.d.ts",
    "dist/engine/index.js.map",
    "engine/index.ts",
    "examples/sample.ts",
    "configs/demo.yaml",
    "LICENSE",
  ])
    expect(paths).toContain(path);
  const library = "(data|engine|kernels|models|samplers|train)";
  const expected = new RegExp(
    [
      `^dist/${library}/[\\w/.-]+\\.(js|d\\.ts)(\\.map)?$`,
      `^${library}/[\\w/.-]+\\.ts$`, // where the maps lead
      "^dist/(bench|cli)/[\\w/.-]+\\.js$",
      "^bin/stein\\.js$|^scripts/export_pytorch\\.py$|^configs/[\\w/-]+\\.yaml$|^docs/[\\w-]+\\.md$|^docs/bench\\.schema\\.json$|^examples/[\\w-]+\\.ts$",
      "^package\\.json$|^(README|CHANGELOG)\\.md$|^LICENSE$",
    ].join("|"),
  );
  for (const path of paths) expect(path).toMatch(expected);
  expect(packed.size).toBeLessThan(1_200_000);
  expect(packed.unpackedSize).toBeLessThan(5_000_000);
});

test("runs nothing of its own when it is installed", () => {
  const atInstall = ["preinstall", "install", "postinstall", "prepare", "prepublish"];
  expect(Object.keys(manifest.scripts).filter((name) => atInstall.includes(name))).toEqual([]);
});

test("brings its dependencies and no development tools", async () => {
  const { stdout } = await run(user, "npm", "ls", "--all", "--json");
  const { dependencies } = JSON.parse(stdout) as { dependencies: Record<string, { dependencies?: object }> };
  expect(Object.keys(dependencies.stein!.dependencies!).sort()).toEqual(
    Object.keys(manifest.dependencies).sort(),
  );
  for (const name of ["typescript", "tsx", "vitest", "@sparticuz/chromium"])
    expect(stdout).not.toContain(`"${name}"`);
});

test("npx stein runs in it, from the build", async () => {
  const { stdout } = await run(user, "npx", "stein", "--version");
  expect(stdout).toBe(`${manifest.version}\n`);
  const kernels = await run(user, "npx", "stein", "kernels", "list");
  expect(kernels.stdout).toMatch(/^multiply_add +1 variant /m);
  expect(kernels.code).toBe(0);
  const wrong = await run(user, "npx", "stein", "train", "nowhere.yaml", "--debug");
  expect(wrong.stderr).toMatch(/dist\/cli\/config\.js:\d+/);
  expect(wrong.code).toBe(2);
});

test("npx stein runs in the clone, from the sources", async () => {
  const { stdout, code } = await run(root, "npx", "stein", "--version");
  expect(stdout).toBe(`${manifest.version}\n`);
  expect(code).toBe(0);
  const wrong = await run(root, "npx", "stein", "train", "nowhere.yaml", "--debug");
  expect(wrong.stderr).toMatch(/[^t]\/cli\/config\.ts:\d+/);
});

const program = `
import { Engine, matmul } from "stein";
import { asPredictor, buildScoreNet, countParameters } from "stein/models";
import { annealedLangevin } from "stein/samplers";
import { geometricSigmas } from "stein/train";
import { openImageSet } from "stein/data";

const engine = await Engine.create();
const y = matmul(engine.tensor([1, 2, 3, 4], [2, 2]), engine.tensor([5, 6, 7, 8], [2, 2]));
const sigmas = geometricSigmas({ begin: 1, end: 0.1, count: 2 });
const images = openImageSet({ name: "digits", count: 3, size: 8 });
const network = buildScoreNet(engine, { name: "ncsn-small", imageChannels: 1, imageSize: images.width, sigmas, seed: 0 });
const settings = { sigmas, stepsPerLevel: 1, epsilon: 1e-3, seed: 0 };
const x = await annealedLangevin(engine, asPredictor(network), [2, 1, 8, 8], settings);
console.log(JSON.stringify({ product: [...(await y.data())], parameters: countParameters(network), images: x.shape }));
engine.destroy();
`;

test("a program that imports every part of it multiplies matrices and draws images", async () => {
  writeFileSync(join(user, "program.mjs"), program);
  const { code, stdout, stderr } = await run(user, process.execPath, "program.mjs");
  expect(code, stderr).toBe(0);
  expect(JSON.parse(stdout)).toEqual({
    product: [19, 22, 43, 50],
    parameters: expect.any(Number),
    images: [2, 1, 8, 8],
  });
});

test("an example runs against it", async () => {
  writeFileSync(
    join(user, "custom-kernel.ts"),
    readFileSync(join(user, "node_modules/stein/examples/custom-kernel.ts")),
  );
  const tsx = tool("tsx/dist/cli.mjs");
  const { code, stdout, stderr } = await run(user, process.execPath, tsx, "custom-kernel.ts");
  expect(code, stderr).toBe(0);
  expect(stdout).toMatch(/^37000 values, off by at most 0; 68\.\d % became 0/m);
});
