import { randomUUID } from "node:crypto";
import { existsSync, lstatSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { embeddedPackage } from "./advice.ts";
import { readTar } from "./tar.ts";

/* SwiftShader with its loader, out of the npm package @sparticuz/chromium. */

/** The package's archive of the driver. */
interface Archive {
  path: string;
  version: string;
}

/** The package exports no path to its archive, so look through the folders where it would be resolved. */
export function findArchive(): Archive | undefined {
  for (const from of [import.meta.url, join(process.cwd(), "here.js")]) {
    for (const folder of createRequire(from).resolve.paths(embeddedPackage) ?? []) {
      const path = join(folder, embeddedPackage, "bin", "swiftshader.tar.br");
      if (!existsSync(path)) continue;
      const { version } = JSON.parse(readFileSync(join(folder, embeddedPackage, "package.json"), "utf8"));
      return { path, version };
    }
  }
  return undefined;
}

/** The folder of the embedded driver, for who starts another program on it; undefined where none is installed. */
export function embeddedDriver(): string | undefined {
  const archive = findArchive();
  return archive && unpack(archive);
}

/**
 * Unpacks the driver into a folder for this version and user, and puts back what a cleaner took out of it. Each file
 * appears whole, by a rename, so processes that do this at the same time do not disturb each other.
 */
export function unpack({ path, version }: Archive): string {
  const folder = join(tmpdir(), `stein-swiftshader-${version}-${process.getuid?.()}`);
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  if (!isOwn(folder)) {
    throw new Error(`${folder} is in the way and not this user's alone; remove it or set TMPDIR`);
  }

  const names = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"];
  const missing = names.filter((name) => !existsSync(join(folder, name)));
  if (missing.length === 0) return folder;

  const files = readTar(brotliDecompressSync(readFileSync(path)));
  for (const name of missing) {
    const bytes = files.get(name);
    if (!bytes) throw new Error(`${path} holds no ${name}`);
    const fresh = join(folder, `${name}.${randomUUID()}`);
    writeFileSync(fresh, bytes);
    renameSync(fresh, join(folder, name));
  }
  return folder;
}

/** A real folder of this user's that nobody else can write: its libraries are about to be loaded. */
function isOwn(folder: string): boolean {
  const stat = lstatSync(folder, { throwIfNoEntry: false });
  return stat?.isDirectory() === true && stat.uid === process.getuid?.() && (stat.mode & 0o022) === 0;
}
