import { mkdirSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { UsageError } from "../errors.ts";
import type { TextCache } from "./cache.ts";
import { locked } from "./file-lock.ts";
import { granted } from "./granted.ts";
import { textOf } from "./read-text.ts";
import { replaceFile } from "./replace-file.ts";

/** Files in STEIN_CACHE_DIR, or else in this system's folder for caches. */
export const cache: TextCache = {
  place: (name) => join(folder(), name),

  async read(name) {
    if (!mayFindFolder()) return undefined;
    const path = join(folder(), name);
    return granted({ name: "read", path }) ? textOf(path) : undefined;
  },

  async update(name, change) {
    const path = join(folder(), name);
    try {
      mkdirSync(folder(), { recursive: true });
      await locked(`${path}.lock`, () => {
        const text = change(textOf(path));
        replaceFile(path, (file) => writeFileSync(file, text));
      });
    } catch (cause) {
      throw new UsageError(
        `cache: cannot write ${path} (${(cause as Error).message}), expected a writable folder; ` +
          "set STEIN_CACHE_DIR to one",
        { cause },
      );
    }
  },
};

/** What says where the folder is: of Stein, of Linux, of Windows. */
const variables = ["STEIN_CACHE_DIR", "XDG_CACHE_HOME", "LOCALAPPDATA"] as const;

/** Under Deno, whether all that `folder` asks may be read. */
const mayFindFolder = (): boolean =>
  variables.every((variable) => granted({ name: "env", variable })) &&
  granted({ name: "sys", kind: "homedir" });

function folder(): string {
  const [own, cacheHome, localData] = variables.map((variable) => process.env[variable]);
  if (own) return own;
  if (process.platform === "darwin") return join(homedir(), "Library", "Caches", "stein");
  if (process.platform === "win32") return join(localData || homedir(), "stein", "cache");
  return join(cacheHome || join(homedir(), ".cache"), "stein");
}
