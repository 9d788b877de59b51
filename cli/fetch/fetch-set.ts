import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { sizeOf } from "../../data/files.ts";
import { UsageError } from "../../engine/errors.ts";
import { readTar } from "../../engine/platform/tar.ts";
import { writeFileAtomic } from "../pictures/write.ts";
import { FETCHING, lockRun } from "../run-lock.ts";
import { requireWritable } from "../writable.ts";
import { download, md5Of } from "./download.ts";
import type { Source, SourceFile } from "./sources.ts";

interface FetchOptions {
  /** Folder the files go into. */
  to: string;
  /** Address of the folder they come from; the source's own unless given. */
  from?: string | undefined;
  onProgress?: ((file: string, done: number, total: number | undefined) => void) | undefined;
}

/** What became of each file: brought, or there already. */
type Fetched = { file: string; brought: boolean }[];

/**
 * Brings the files of a set into a folder, unpacked where it is an archive (which then is taken away). Files that are
 * there and right are left alone: unpacked ones by their lengths, others by their sums. Throws UsageError as `download`
 * does, on an archive without its files, for a file in the place of its folder, and where another process is at it.
 */
export async function fetchSet(
  source: Source,
  { to, from = source.from, onProgress }: FetchOptions,
): Promise<Fetched> {
  if (await isWhole(source, to)) return filesOf(source, to).map((file) => ({ file, brought: false }));
  using _ = await lockRun("fetch", to, FETCHING); // two that write one file would spoil it
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

const filesOf = (source: Source, to: string): string[] =>
  source.unpacks
    ? source.unpacks.names.map((name) => inside(source, to, name))
    : source.files.map(({ name }) => join(to, name));

async function isWhole(source: Source, to: string): Promise<boolean> {
  const { unpacks, files } = source;
  if (unpacks) return filesOf(source, to).every((file) => sizeOf(file) === unpacks.bytes);
  for (const file of files) if (!(await isThere(join(to, file.name), file))) return false;
  return true;
}

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
