/**
 * The embedded driver, in child processes as a user would start them: Linux x64 only, where that driver exists.
 * Each child opens the GPU, adds up 1 to 1000 and must then end by itself.
 */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("../..", import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), "stein-test-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

interface Outcome {
  /** Exit code; null when the child did not end within the limit and was killed. */
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs child/sum.ts with these variables and none of the driver's own. */
function runSum(variables: Record<string, string>): Promise<Outcome> {
  const { VK_ICD_FILENAMES, VK_DRIVER_FILES, STEIN_DRIVER, ...rest } = process.env;
  const options = { cwd: root, env: { ...rest, ...variables }, timeout: 45_000 };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--import", "tsx", "test/platform/child/sum.ts"],
      options,
      (_, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

describe.runIf(process.platform === "linux" && process.arch === "x64")("drivers", { timeout: 60_000 }, () => {
  test("the embedded driver unpacks, computes, announces itself, leaves no variables and lets the process end", async () => {
    const TMPDIR = mkdtempSync(join(scratch, "tmp-"));
    const { code, stdout, stderr } = await runSum({ STEIN_DRIVER: "embedded", TMPDIR });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      source: "embedded",
      software: true,
      description: expect.stringContaining("SwiftShader"),
      sum: 500500,
      variables: [],
    });
    expect(stderr).toMatch(/^stein: STEIN_DRIVER=embedded; running on SwiftShader .*$/m);

    const folder = join(TMPDIR, `stein-swiftshader-147.0.0-${process.getuid?.()}`);
    const driver = ["libvk_swiftshader.so", "libvulkan.so.1", "vk_swiftshader_icd.json"];
    expect(readdirSync(folder).sort()).toEqual(driver);

    rmSync(join(folder, driver[0]!)); // as a cleaner of temporary files might
    const again = await runSum({ STEIN_DRIVER: "embedded", TMPDIR });
    expect(again.code, again.stderr).toBe(0);
    expect(readdirSync(folder).sort()).toEqual(driver);
  });

  test("processes that unpack at the same time do not disturb each other", async () => {
    const TMPDIR = mkdtempSync(join(scratch, "tmp-"));
    const both = await Promise.all([1, 2].map(() => runSum({ STEIN_DRIVER: "embedded", TMPDIR })));
    for (const { code, stderr } of both) expect(code, stderr).toBe(0);
  });

  test("a folder that others can write is not trusted", async () => {
    const TMPDIR = mkdtempSync(join(scratch, "tmp-"));
    const folder = join(TMPDIR, `stein-swiftshader-147.0.0-${process.getuid?.()}`);
    mkdirSync(folder);
    chmodSync(folder, 0o777);
    const { code, stderr } = await runSum({ STEIN_DRIVER: "embedded", TMPDIR });
    expect(code).toBe(1);
    expect(stderr).toContain("is in the way and not this user's alone; remove it or set TMPDIR");
  });

  test("STEIN_DRIVER=embedded is stronger than VK_ICD_FILENAMES", async () => {
    const { code, stdout, stderr } = await runSum({
      STEIN_DRIVER: "embedded",
      VK_ICD_FILENAMES: "/nonexistent",
    });
    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      source: "embedded",
      sum: 500500,
      variables: ["VK_ICD_FILENAMES"],
    });
  });

  test.each(["system", "auto"])(
    "a driver named in vain is an error, not a reason to take another (%s)",
    async (choice) => {
      const { code, stderr } = await runSum({ STEIN_DRIVER: choice, VK_ICD_FILENAMES: "/nonexistent" });
      expect(code).toBe(1);
      expect(stderr).toContain("DeviceError: openGpu: no GPU adapter on ");
      expect(stderr).toContain(
        "found: VK_ICD_FILENAMES=/nonexistent is set and leads to no adapter; unset it or mend it",
      );
      expect(stderr).toContain("without root: export STEIN_DRIVER=embedded");
    },
  );

  test("STEIN_DRIVER misspelt", async () => {
    const { code, stderr } = await runSum({ STEIN_DRIVER: "embeded" });
    expect(code).toBe(1);
    expect(stderr).toContain("UsageError: STEIN_DRIVER: got embeded, expected auto, system or embedded");
  });
});
