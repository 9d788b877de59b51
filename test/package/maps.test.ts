/** Source maps and declaration maps lead to the TypeScript sources that are in the package. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { SourceMap, type SourceMapPayload } from "node:module";
import { dirname, join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { INSTALL_TIMEOUT, type Installed, installed, run } from "./installed.ts";

let it: Installed;
beforeAll(async () => {
  it = await installed();
}, INSTALL_TIMEOUT);

const read = (path: string) => readFileSync(join(it.home, path), "utf8");
const mapOf = (path: string) => JSON.parse(read(`${path}.map`)) as SourceMapPayload;

test("every file of the library has its map, and every map its source", () => {
  const paths = it.packed.files.map(({ path }) => path);
  const mapped = paths.filter((path) => /^dist\/(?!cli|bench).*\.(js|d\.ts)$/.test(path));
  expect(mapped.length).toBeGreaterThan(500);
  for (const path of mapped) {
    expect(read(path)).toMatch(new RegExp(`//# sourceMappingURL=${path.split("/").at(-1)}\\.map$`));
    const { sources } = mapOf(path);
    expect(sources).toHaveLength(1);
    expect(existsSync(join(it.home, dirname(path), sources[0]!)), sources[0]).toBe(true);
  }
});

test("JavaScript without maps does not name any", () => {
  const paths = it.packed.files.map(({ path }) => path).filter((path) => /^dist\/(cli|bench)\//.test(path));
  for (const path of paths) expect(read(path)).not.toContain("sourceMappingURL");
});

/** The source line that a map gives for the first place of `text` in a file. */
function follow(path: string, text: string): string {
  const before = read(path).split(text)[0]!.split("\n");
  const entry = new SourceMap(mapOf(path)).findEntry(before.length - 1, before.at(-1)!.length);
  if (!("originalSource" in entry)) throw new Error(`${path}: nothing for ${text}`);
  return readFileSync(join(it.home, dirname(path), entry.originalSource), "utf8").split("\n")[
    entry.originalLine
  ]!;
}

test("a declaration leads to its source line", () => {
  expect(follow("dist/engine/op.d.ts", "defineOp")).toMatch(/^export function defineOp</);
  expect(follow("dist/samplers/sde/ve.d.ts", "ve(")).toMatch(/^export function ve\(/);
  expect(follow("dist/models/ncsn-small.d.ts", "NcsnSmall ")).toMatch(/^export class NcsnSmall /);
});

test("JavaScript leads to its source line", () => {
  expect(follow("dist/train/trainer.js", "this.#unread === UNREAD_MOST")).toMatch(
    /if \(this\.#unread === UNREAD_MOST\)/,
  );
});

test("Node's stack traces name the source", async () => {
  const program = 'import { ve } from "stein/samplers"; ve({ sigmaMin: 2, sigmaMax: 1 });';
  writeFileSync(join(it.user, "throws.mjs"), program);
  const { stderr } = await run(it.user, process.execPath, "--enable-source-maps", "throws.mjs");
  const [, path, line] = /stein\/(samplers\/sde\/ve\.ts):(\d+)/.exec(stderr) ?? [];
  expect(path, stderr).toBeDefined();
  expect(read(path!).split("\n")[Number(line) - 1]).toMatch(/throw new UsageError\(/);
});
