import { defineKernel, linearGroups, linearMain } from "./kernel.ts";

/** y [count, width] = table [rows, width] at labels [count]. Labels outside the table give NaN. */
export const embedding = defineKernel({
  name: "embedding",
  bindings: { table: "read f32", labels: "read i32", y: "read_write f32" },
  params: { count: "u32", rows: "u32", width: "u32" },
  lib: [`fn nan_at(i: u32) -> f32 { return bitcast<f32>(0x7fc00000u | (i & 0u)); }`],
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.count * p.width) { return; }
      let row = u32(labels[thread / p.width]);
      y[thread] = select(nan_at(thread), table[min(row, p.rows - 1u) * p.width + thread % p.width], row < p.rows);
    }`,
  dispatch: ({ count, width }) => linearGroups(count * width, 64),
  cost: ({ count, width }) => ({ bytes: 8 * count * width, flops: 0 }),
});

/** dtable [rows, width]: the sum of dy [count, width] over the entries with that label, in their order. */
export const embeddingGrad = defineKernel({
  name: "embedding_grad",
  bindings: { dy: "read f32", labels: "read i32", dtable: "read_write f32" },
  params: { count: "u32", rows: "u32", width: "u32" },
  variants: [{}],
  main: () => `
    ${linearMain(64)}
      if (thread >= p.rows * p.width) { return; }
      let row = i32(thread / p.width);
      let column = thread % p.width;
      var total = 0.0;
      for (var i = 0u; i < p.count; i++) {
        if (labels[i] == row) { total += dy[i * p.width + column]; }
      }
      dtable[thread] = total;
    }`,
  dispatch: ({ rows, width }) => linearGroups(rows * width, 64),
  cost: ({ count, rows, width }) => ({ bytes: 4 * (count + rows) * width, flops: count * width }),
});
