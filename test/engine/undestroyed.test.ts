import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

test("an engine that is dropped without destroy() does not end the process", async () => {
  const script = fileURLToPath(new URL("child/drop-engines.ts", import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, ["--import", "tsx", script], {
    timeout: 60_000,
  });
  expect(stdout).toBe("done\n");
});
