import { type Kernel, range, type Variant } from "../../kernels/kernel.ts";

/**
 * A kernel for matrix units as one for any adapter: each thread is a subgroup of one lane, and what units do stands as
 * loops. For variants with `lanes: 1`; checks all of a kernel but the units themselves. Matrices hold f32.
 */
export const emulated = <B extends string, P extends string, V extends Variant>(
  kernel: Kernel<B, P, V>,
): Kernel<B, P, V> => ({ ...kernel, matrices: undefined, main: (v) => emulate(kernel.main(v)) });

const matrix = "subgroup_matrix_(left|right|result)<f(?:16|32), (\\d+), (\\d+)>";

/** A count that compilers do not know, so that they leave loops alone: unrolled, these would take minutes. */
const upTo = (count: number): string => `min(${count}u, ${count - 1}u + p.vecs)`;

function emulate(text: string): string {
  const functions = new Map<string, string>();
  const called = (name: string, body: string): string => {
    functions.set(name, body);
    return name;
  };
  const main = text
    .replace(
      ", @builtin(subgroup_id) sub: u32, @builtin(subgroup_invocation_id) own: u32) {",
      ") { let sub = lane; let own = 0u;",
    )
    .replace(
      new RegExp(`subgroupMatrixLoad<${matrix}, (\\w+)>\\(&(\\w+), `, "g"),
      (_, kind, columns, rows, layout, array) => {
        const [c, r] = [Number(columns), Number(rows)];
        const name = `load_${kind}_${array}`;
        const places = range(r * c).map((i) => [Math.floor(i / c), i % c] as const);
        const along = layout === "row_major" ? "r * pitch * 8u + c" : "c * pitch * 8u + r";
        return `${called(
          name,
          `fn ${name}(at: u32, pitch: u32) -> array<f32, ${places.length}> {
        var m: array<f32, ${places.length}>;
        for (var i = 0u; i < ${upTo(places.length)}; i++) {
          let r = i / ${c}u; let c = i % ${c}u; let e = at * 8u + ${along};
          m[i] = unpack2x16float(${array}[e / 8u][e % 8u / 2u])[e % 2u];
        }
        return m;
      }`,
        )}(`;
      },
    )
    .replace(
      /subgroupMatrixStore<row_major>\(&(\w+), (\w+), (\w+), (\d+)u\)/g,
      (_, array, at, value, pitch) => {
        const columns = Number(pitch) - 4;
        return `for (var i = 0u; i < ${upTo(sizeOf(text))}; i++) { ${array}[${at} + i / ${columns}u * ${pitch}u + i % ${columns}u] = ${value}[i]; }`;
      },
    )
    .replaceAll("subgroupMatrixMultiplyAccumulate(", `${called("product", product(text))}(`)
    .replace(
      new RegExp(matrix, "g"),
      (_, _kind, columns, rows) => `array<f32, ${Number(columns) * Number(rows)}>`,
    );
  return [...functions.values(), main].join("\n");
}

const dims = (text: string, kind: string): [columns: number, rows: number] => {
  const [, c, r] = new RegExp(`subgroup_matrix_${kind}<\\w+, (\\d+), (\\d+)>`).exec(text)!;
  return [Number(c), Number(r)];
};

const sizeOf = (text: string): number => dims(text, "result").reduce((a, b) => a * b);

function product(text: string): string {
  const [k, m] = dims(text, "left");
  const [n] = dims(text, "right");
  return `fn product(l: array<f32, ${m * k}>, r: array<f32, ${k * n}>, s: array<f32, ${m * n}>) -> array<f32, ${m * n}> {
    var a = l; var b = r; var y = s;
    for (var i = 0u; i < ${upTo(m * n)}; i++) {
      for (var j = 0u; j < ${upTo(k)}; j++) { y[i] += a[i / ${n}u * ${k}u + j] * b[j * ${n}u + i % ${n}u]; }
    }
    return y;
  }`;
}
