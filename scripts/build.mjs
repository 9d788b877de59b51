/*
 * Builds dist/. The library (whatever package.json exports, and what it needs) gets declarations and maps, both of which
 * lead to the TypeScript sources in the package; comments stand there and in the declarations, not in the JavaScript.
 * The command line is only run, by bin/stein.js: JavaScript alone.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import ts from "typescript";

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
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, isPublic ? text : text.replace(/^\/\/# sourceMappingURL=.*$/m, ""));
}

function report(faults) {
  if (faults.length === 0) return;
  const names = { getCurrentDirectory: ts.sys.getCurrentDirectory, getNewLine: () => "\n" };
  console.error(ts.formatDiagnostics(faults, { ...names, getCanonicalFileName: (name) => name }));
  process.exit(1);
}
