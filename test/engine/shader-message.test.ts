import { expect, test } from "vitest";
import { shaderMessage } from "../../engine/shader-message.ts";

test("naga's drawing becomes one line: heading, marks and notes", () => {
  const unknown = `
Shader 'broken {"size":8}' parsing error: no definition in scope for identifier: \`g\`
  ┌─ wgsl:8:13
  │
8 │   y[id.x] = g(1.0);
  │             ^ unknown identifier

`;
  expect(shaderMessage(unknown)).toBe("no definition in scope for identifier: `g`; unknown identifier");

  const types = `
Shader 'copy' parsing error: automatic conversions cannot convert elements of \`u32\` to \`f32\`
  ┌─ wgsl:4:3
  │
4 │   x[0] = 1u;
  │   ^^^^   ^^ this expression has type u32
  │   │       
  │   a value with elements of type f32 is required here

`;
  expect(shaderMessage(types)).toBe(
    "automatic conversions cannot convert elements of `u32` to `f32`; this expression has type u32; " +
      "a value with elements of type f32 is required here",
  );

  const invalid = `
Shader validation error: Entry point main at Compute is invalid
  ┌─ copy:4:3
  │
4 │   x[0] = 1.0;
  │   ^^^^ writing to this location is not permitted
  │
  = note: The pointer [1] doesn't relate to a valid destination for a store

`;
  expect(shaderMessage(invalid)).toBe(
    "Entry point main at Compute is invalid; writing to this location is not permitted; " +
      "The pointer [1] doesn't relate to a valid destination for a store",
  );
});

test("another compiler's message stays as it is", () => {
  const tint = "no matching overload for 'operator + (f32, u32)'\n\n2 candidate operators:\n • a\n • b";
  expect(shaderMessage(tint)).toBe(tint);
});
