/*
 * Builds dist/. The library (whatever package.json exports, and what it needs) gets declarations and maps, both of which
 * lead to the TypeScript sources in the package; comments stand there and in the declarations, not in the JavaScript.
 * The command line is only run, by bin/stein.js: JavaScript alone, without its spaces.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { SourceMap } from "node:module";
import { dirname, relative } from "node:path";
import ts from "typescript";
import { minifySync } from "vite";

/** Of source maps' numbers. */
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const library = /^(engine|kernels|models|samplers|train|data)\//;

const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: (fault) => report([fault]) };
const { options, fileNames } = ts.getParsedCommandLineOfConfigFile("tsconfig.build.json", {}, host);
const here = (path) => relative(options.rootDir, path);

rmSync(options.outDir, { recursive: true, force: true });

const public_ = fileNames.filter((path) => library.test(here(path)));
const declarations = ts.createProgram(public_, {
  ...options,
  ...{ declaration: true, declarationMap: true, emitDeclarationOnly: true },
});
report(ts.getPreEmitDiagnostics(declarations));
report(declarations.emit(undefined, write).diagnostics);

// `npm run check` has looked at the types of all the rest.
const scripts = ts.createProgram(
  fileNames,
  { ...options, noCheck: true, removeComments: true, sourceMap: true },
  undefined,
  declarations,
);
report(scripts.getSyntacticDiagnostics());
report(scripts.emit(undefined, write).diagnostics);

function write(path, text) {
  const isPublic = library.test(relative(options.outDir, path));
  if (!isPublic && path.endsWith(".map")) return;
  if (path.endsWith(".js.map")) text = byLines(text);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, isPublic ? text : minifySync(path, text, { compress: false, mangle: false }).code);
}

/** A map with one place for each line, a third of the size: TypeScript puts a statement on a line, and stops are at lines. */
function byLines(text) {
  const map = JSON.parse(text);
  const places = new SourceMap(map);
  let [line, column] = [0, 0];
  const mappings = map.mappings.split(";").map((segments, i) => {
    if (segments === "") return "";
    const { originalLine, originalColumn, generatedColumn } = places.findEntry(i, digitsOf(segments));
    const segment = [generatedColumn, 0, originalLine - line, originalColumn - column].map(quantity).join("");
    [line, column] = [originalLine, originalColumn];
    return segment;
  });
  return JSON.stringify({ ...map, mappings: mappings.join(";") });
}

/** The first number of a map's line: the column where its first segment begins. */
function digitsOf(segments) {
  let [value, shift] = [0, 0];
  for (const c of segments) {
    const digit = DIGITS.indexOf(c);
    value += (digit & 31) << shift;
    shift += 5;
    if (digit < 32) break;
  }
  return value >> 1;
}

/** A number as source maps write it: base 64, low bits first, the sign in the lowest. */
function quantity(n) {
  let rest = n < 0 ? (-n << 1) | 1 : n << 1;
  let text = "";
  do {
    const digit = rest & 31;
    rest >>= 5;
    text += DIGITS[rest > 0 ? digit | 32 : digit];
  } while (rest > 0);
  return text;
}

function report(faults) {
  if (faults.length === 0) return;
  const names = { getCurrentDirectory: ts.sys.getCurrentDirectory, getNewLine: () => "\n" };
  console.error(ts.formatDiagnostics(faults, { ...names, getCanonicalFileName: (name) => name }));
  process.exit(1);
}
