import { expect, test } from "vitest";
import { DeviceError, invariant, nearest, UsageError } from "../../engine/errors.ts";

test("nearest forgives a third of the letters", () => {
  const names = ["relu", "leakyRelu", "silu", "elu"];
  expect(nearest("leakyrelu", names)).toBe("leakyRelu");
  expect(nearest("leaky_relu", names)).toBe("leakyRelu");
  expect(nearest("slu", names)).toBe("silu");
  expect(nearest("x", [])).toBeUndefined();
  expect(nearest("swish", names)).toBeUndefined();
});

test("errors carry their name, cause and parts", () => {
  const cause = new Error("below");
  const error = new DeviceError("fill: no", { kernel: "fill", line: 3, cause });
  expect(error).toMatchObject({ name: "DeviceError", kernel: "fill", line: 3, cause });
  expect(new DeviceError("no").kernel).toBeUndefined();
  expect(new UsageError("no")).toMatchObject({ name: "UsageError", message: "no" });
  expect(() => invariant(false, "two and two")).toThrowErrorMatchingInlineSnapshot(
    `[Error: internal: two and two]`,
  );
  expect(() => invariant(1, "fine")).not.toThrow();
});
