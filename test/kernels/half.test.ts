import { describe, expect, test } from "vitest";
import { convertAccesses, halfElement } from "../../kernels/half.ts";

const convert = (text: string) =>
  convertAccesses(
    text,
    new Map([
      ["x", "f32"],
      ["y", "vec4f"],
      ["bits", "u32"],
    ]),
  );

describe("convertAccesses", () => {
  test.each([
    ["let a = x[i + 1u];", "let a = f32(x[i + 1u]);"],
    ["let a = y[i].x * x[j];", "let a = vec4f(y[i]).x * f32(x[j]);"],
    ["y[i] = v;", "y[i] = vec4<f16>(v);"],
    ["x[i] += a - b;", "x[i] = f16(f32(x[i]) + (a - b));"],
    ["y[i] = y[j] + vec4f(x[k]);", "y[i] = vec4<f16>(vec4f(y[j]) + vec4f(f32(x[k])));"],
    ["bits[i] = bits[j];", "bits[i] = f16(bitcast<f32>(bitcast<u32>(f32(bits[j]))));"],
    ["if (x[i] == 0.0) { return; }", "if (f32(x[i]) == 0.0) { return; }"],
    ["let a = x[u32(x[0])];", "let a = f32(x[u32(f32(x[0]))]);"],
  ])("%s", (before, after) => expect(convert(before)).toBe(after));

  test.each(["let a = xx[i];", "let a = p.x[i];", "let a = max[i]; z[i] = a;", "p.x = 1.0;"])(
    "%s stays",
    (text) => expect(convert(text)).toBe(text),
  );
});

test("what cannot be stored in halves is refused", () => {
  expect(halfElement("vec4f")).toBe("vec4<f16>");
  expect(() => halfElement("atomic<u32>")).toThrow("atomic<u32> cannot be stored as f16");
});
