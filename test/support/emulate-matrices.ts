import type { Kernel, Variant } from "../../kernels/kernel.ts";

/**
 * A kernel for matrix units as one for any adapter: each thread is a subgroup of one lane, and what units do stands as
 * loops. For variants with `lanes: 1`; checks all of a kernel but the units themselves. An operand is where it stands in
 * workgroup memory and its pitch; sums are arrays.
 */
export const emulated = <B extends string, P extends string, V extends Variant>(
  kernel: Kernel<B, P, V>,
): Kernel<B, P, V> => ({ ...kernel, matrix: undefined, main: (v) => emulate(kernel.main(v)) });

/** A count that compilers do not know, so that they leave loops alone: unrolled, these would take minutes. */
const upTo = (count: number): string => `min(${count}u, ${count - 1}u + p.vecs)`;

function emulate(text: string): string {
  const [k, m] = sizes(text, "left");
  const [n] = sizes(text, "right");
  const product = `
fn half(e: u32, right: bool) -> f32 {
  let word = select(ta[min(e / 8u, arrayLength_a - 1u)][e % 8u / 2u], tb[min(e / 8u, arrayLength_b - 1u)][e % 8u / 2u], right);
  return unpack2x16float(word)[e % 2u];
}
fn product(l: vec2u, r: vec2u, s: array<f32, ${m * n}>) -> array<f32, ${m * n}> {
  var y = s;
  for (var i = 0u; i < ${upTo(m * n)}; i++) {
    for (var j = 0u; j < ${upTo(k)}; j++) {
      y[i] += half((l.x + i / ${n}u * l.y) * 8u + j, false) * half((r.x + i % ${n}u * r.y) * 8u + j, true);
    }
  }
  return y;
}`
    .replace("arrayLength_a", `${lengthOf(text, "ta")}u`)
    .replace("arrayLength_b", `${lengthOf(text, "tb")}u`);
  const main = text
    .replace(
      ", @builtin(subgroup_id) sub: u32, @builtin(subgroup_invocation_id) own: u32) {",
      ") { let sub = lane; let own = 0u;",
    )
    // Left operands lie row by row, right ones column by column: both along k.
    .replace(/subgroupMatrixLoad<subgroup_matrix_left<f16, \d+, \d+>, row_major>\(&ta, /g, "vec2u(")
    .replace(/subgroupMatrixLoad<subgroup_matrix_right<f16, \d+, \d+>, col_major>\(&tb, /g, "vec2u(")
    .replace(
      /subgroupMatrixStore<row_major>\(&(\w+), (\w+), (\w+), (\d+)u\)/g,
      (_, array, at, value, pitch) =>
        `for (var i = 0u; i < ${upTo(m * n)}; i++) { ${array}[${at} + i / ${n}u * ${pitch}u + i % ${n}u] = ${value}[i]; }`,
    )
    .replaceAll("subgroupMatrixMultiplyAccumulate(", "product(")
    .replace(/subgroup_matrix_result<f32, \d+, \d+>/g, `array<f32, ${m * n}>`);
  return `${main}\n${product}`;
}

const sizes = (text: string, kind: string): [columns: number, rows: number] => {
  const [, columns, rows] = new RegExp(`subgroup_matrix_${kind}<\\w+, (\\d+), (\\d+)>`).exec(text)!;
  return [Number(columns), Number(rows)];
};

const lengthOf = (text: string, array: string): number =>
  Number(new RegExp(`${array}: array<vec4u, (\\d+)>`).exec(text)![1]);
