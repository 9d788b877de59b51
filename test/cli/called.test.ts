import { afterEach, expect, test, vi } from "vitest";
import { called } from "../../cli/called.ts";

afterEach(() => {
  vi.unstubAllEnvs();
});

test.each([
  ["exec", "npx stein"],
  ["run-script", "npx stein"],
  ["", "stein"],
  [undefined, "stein"],
])("npm_command %s: %s", (command, expected) => {
  vi.stubEnv("npm_command", command);
  expect(called()).toBe(expected);
});
