import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { sizeOf } from "../../data/files.ts";
import { UsageError } from "../../engine/errors.ts";
import { readTar } from "../../engine/platform/tar.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { requireWritable } from "../writable.ts";
import { download, md5Of } from "./download.ts";
import type { Source, SourceFile } from "./sources.ts";

export interface FetchOptions {
  /** Folder the files go into. */
  to: string;
  /** Address of the folder they come from; the source's own unless given. */
  from?: string | undefined;
  onProgress?: ((file: string, done: number, total: number | undefined) => void) | undefined;
}

/** What became of each file: brought, or there already. */
export type Fetched = { file: string; brought: boolean }[];

/**
 * Brings the files of a set into a folder, unpacked where it is an archive (which then is taken away). Files that are
 * there and right are left alone. Throws UsageError as `download` does, on an archive without its files, and for a file in
 * the place of its folder.
 */
export async function fetchSet(
  source: Source,
  { to, from = source.from, onProgress }: FetchOptions,
): Promise<Fetched> {
  if (isUnpacked(source, to))
    return source.unpacks!.names.map((name) => ({ file: inside(source, to, name), brought: false }));
  if (source.unpacks) requireWritable("fetch", join(to, source.unpacks.folder), "--to", to);
  const base = new URL(withSlash(requireAddress(from)));
  const fetched: Fetched = [];
  for (const file of source.files) {
    const path = join(to, file.name);
    const brought = !(await isThere(path, file));
    if (brought) {
      await download({
        url: new URL(file.name, base).href,
        path,
        md5: file.md5,
        onProgress: (done, total) => onProgress?.(file.name, done, total),
      });
    }
    if (source.unpacks) fetched.push(...unpack(source, path, to));
    else fetched.push({ file: path, brought });
  }
  return fetched;
}

const inside = ({ unpacks }: Source, to: string, name: string) => join(to, unpacks!.folder, name);

const isUnpacked = (source: Source, to: string): boolean =>
  source.unpacks?.names.every((name) => sizeOf(inside(source, to, name)) === source.unpacks!.bytes) ?? false;

const isThere = async (path: string, { bytes, md5 }: SourceFile): Promise<boolean> =>
  sizeOf(path) === bytes && (await md5Of(path)) === md5;

function unpack(source: Source, archive: string, to: string): Fetched {
  const { names } = source.unpacks!;
  const found = readTar(gunzipSync(readFileSync(archive)));
  const missing = names.filter((name) => !found.has(name));
  if (missing.length > 0)
    throw new UsageError(`fetch: got ${archive} without ${missing.join(", ")}, expected it to hold them`);
  const fetched = names.map((name) => {
    const file = inside(source, to, name);
    writeFileAtomic(file, found.get(name)!);
    return { file, brought: true };
  });
  rmSync(archive);
  return fetched;
}

function requireAddress(from: string): string {
  if (URL.canParse(from) && /^https?:$/.test(new URL(from).protocol)) return from;
  throw new UsageError(
    `fetch: got --from ${from}, expected the http or https address of the folder the files lie in`,
  );
}

const withSlash = (address: string) => (address.endsWith("/") ? address : `${address}/`);
