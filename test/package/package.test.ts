/** The package as a user gets it: packed, installed into an empty folder without development tools, and used. */
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const user = mkdtempSync(join(tmpdir(), "stein-package-"));
afterAll(() => rmSync(user, { recursive: true, force: true }));

interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

function run(cwd: string, command: string, ...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile(
      command,
      args,
      { cwd, timeout: 170_000, maxBuffer: 1 << 24 },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}

interface Packed {
  filename: string;
  size: number;
  unpackedSize: number;
  files: { path: string }[];
}
let packed: Packed;
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
};

beforeAll(async () => {
  const build = await run(root, "npm", "run", "build", "--silent");
  expect(build.stdout + build.stderr.replace(/^npm warn .*\n/gm, "")).toBe("");
  const pack = await run(root, "npm", "pack", "--ignore-scripts", "--json", "--pack-destination", user);
  [packed] = JSON.parse(pack.stdout) as [Packed];
  writeFileSync(join(user, "package.json"), '{ "private": true, "type": "module" }');
  const flags = ["--no-save", "--prefer-offline", "--omit=dev", "--no-audit", "--no-fund"];
  const install = await run(user, "npm", "install", ...flags, join(user, packed.filename));
  expect(install.code, install.stderr).toBe(0);
}, 180_000);

test("holds what runs, the configurations and the licence, in less than 1 MB", () => {
  const paths = packed.files.map(({ path }) => path);
  console.log(`package: ${packed.size} bytes packed, ${packed.unpackedSize} unpacked, ${paths.length} files`);
  for (const path of [
    "bin/stein.js",
    "dist/cli/main.js",
    "dist/engine/index.d.ts",
    "configs/demo.yaml",
    "LICENSE",
  ])
    expect(paths).toContain(path);
  for (const path of paths)
    expect(path).toMatch(
      /^(bin\/stein\.js|configs\/[\w/-]+\.yaml|docs\/[\w-]+\.md|scripts\/export_pytorch\.py|dist\/(bench|cli|data|engine|kernels|models|samplers|train)\/[\w/.-]+\.(js|d\.ts)|package\.json|(README|CHANGELOG)\.md|LICENSE)$/,
    );
  expect(packed.size).toBeLessThan(1_000_000);
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
  expect(kernels.stdout).toMatch(/^clip_factor +1 variant /m);
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

test("its types hold for a strict program under nodenext, and refuse a wrong one", async () => {
  writeFileSync(join(user, "right.mts"), program);
  writeFileSync(
    join(user, "wrong.mts"),
    'import { Engine, matmul } from "stein";\nconst engine = await Engine.create();\nmatmul(engine, 5);\n',
  );
  const options = {
    ...{ module: "nodenext", target: "es2023", lib: ["es2023", "dom", "esnext.disposable"], strict: true },
    ...{ noEmit: true, types: ["@webgpu/types"] },
  };
  writeFileSync(
    join(user, "tsconfig.json"),
    JSON.stringify({ compilerOptions: options, files: ["right.mts", "wrong.mts"] }),
  );
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  const { stdout } = await run(user, process.execPath, tsc, "-p", ".");
  expect(stdout).toMatch(/^wrong\.mts\(3,8\): error TS2345: /);
  expect(stdout.match(/error TS/g)).toHaveLength(1);
});
