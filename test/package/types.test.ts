/** The package's types in programs of its users, for every way in which TypeScript resolves them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import ts from "typescript";
import { beforeAll, expect, test } from "vitest";
import { INSTALL_TIMEOUT, installed } from "./installed.ts";

const right = `
import { type Capture, defineKernel, defineOp, Engine, linearUpdate, matmul, type OpSpec, type Tensor } from "stein";
import { digits, type ImageSet, openImageSet, toBatch } from "stein/data";
import { asPredictor, buildScoreNet, Conv2d, Module, NcsnSmall } from "stein/models";
import { annealedLangevin, asScore, predictorCorrector, type ScoreFunction, ve } from "stein/samplers";
import { annealed, Batches, geometricSigmas, Trainer } from "stein/train";

export async function draw(): Promise<Float32Array> {
  const engine = await Engine.create();
  const sigmas = geometricSigmas({ begin: 1, end: 0.1, count: 2 });
  const images: ImageSet = openImageSet({ name: "digits", count: 3, size: 8 });
  const network = buildScoreNet(engine, { name: "ncsn-small", imageChannels: 1, imageSize: images.width, sigmas, seed: 0 });
  const x: Tensor = await annealedLangevin(engine, asPredictor(network), [2, 1, 8, 8], {
    ...{ sigmas, stepsPerLevel: 1, epsilon: 1e-3, seed: 0 },
  });
  const recorded: Capture<Tensor> = engine.capture(() => matmul(x, x));
  recorded.replay();
  return (await recorded.result.data()) as Float32Array;
}
export const gpu = (engine: Engine): GPUDevice => engine.device;
export const all = [defineKernel, defineOp, linearUpdate, digits, toBatch, Conv2d, Module, NcsnSmall, predictorCorrector, ve, annealed, Batches, Trainer];
export type Types = [OpSpec<object>, ScoreFunction];
export const score = asScore((x) => x);
`;

const wrong = `
import { Engine, matmul } from "stein";
const engine = await Engine.create();
matmul(engine, 5);
`;

const inPage = `
import { imagesFromBytes } from "stein/data";
export const set = imagesFromBytes([{ name: "a.png", bytes: new ArrayBuffer(8) }]);
`;
const fileInPage = `
import { imageFolder } from "stein/data";
export const set = imageFolder("images");
`;

const { ModuleKind, ModuleResolutionKind } = ts;
const nodenext = { module: ModuleKind.NodeNext, moduleResolution: ModuleResolutionKind.NodeNext };
const node16 = { module: ModuleKind.Node16, moduleResolution: ModuleResolutionKind.Node16 };
const bundler = { module: ModuleKind.ESNext, moduleResolution: ModuleResolutionKind.Bundler };
const dom = ["lib.es2023.d.ts", "lib.dom.d.ts"];
const bare = ["lib.es2023.d.ts"];

let folder: string;
beforeAll(async () => {
  const { user } = await installed();
  folder = join(user, "typed");
  mkdirSync(folder);
  for (const [name, text] of Object.entries({ right, wrong, inPage, fileInPage }))
    writeFileSync(join(folder, `${name}.mts`), text);
}, INSTALL_TIMEOUT);

const standard = new Map<string, ts.SourceFile | undefined>();

/** What a strict program of its own is told, declarations of packages looked into: "FILE: CODE". */
function complaints(files: string[], options: ts.CompilerOptions): string[] {
  const all = { target: ts.ScriptTarget.ES2023, strict: true, exactOptionalPropertyTypes: true, ...options };
  const settings = { ...all, noEmit: true, types: [], skipDefaultLibCheck: true };
  const host = ts.createCompilerHost(settings);
  const parse = host.getSourceFile;
  host.getSourceFile = (path, ...rest) => {
    if (dirname(path) !== dirname(ts.getDefaultLibFilePath(settings))) return parse(path, ...rest);
    if (!standard.has(path)) standard.set(path, parse(path, ...rest)); // parsed once for all
    return standard.get(path);
  };
  const roots = files.map((name) => join(folder, `${name}.mts`));
  return ts
    .getPreEmitDiagnostics(ts.createProgram(roots, settings, host))
    .map(({ file, code, messageText }) => {
      const where = file ? basename(file.fileName) : "";
      return `${where}: TS${code} ${ts.flattenDiagnosticMessageText(messageText, " ")}`;
    });
}

test.each([
  ["nodenext, with the DOM", { ...nodenext, lib: dom }],
  ["nodenext, without", { ...nodenext, lib: bare }],
  ["node16, without", { ...node16, lib: bare }],
  ["bundler, with the DOM", { ...bundler, lib: dom }],
  ["bundler, without", { ...bundler, lib: bare }],
])("%s: a right program passes and a wrong one does not", (_, options) => {
  expect(complaints(["right", "inPage", "fileInPage", "wrong"], options)).toEqual([
    expect.stringMatching(/^wrong\.mts: TS2345 /),
  ]);
});

test("bundler, told to be in a browser: what reads files is not there", () => {
  const options = { ...bundler, lib: dom, customConditions: ["browser"] };
  expect(complaints(["inPage"], options)).toEqual([]);
  expect(complaints(["fileInPage"], options)).toEqual([
    expect.stringMatching(/^fileInPage\.mts: TS2305 .* no exported member 'imageFolder'/),
  ]);
});
