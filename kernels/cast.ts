import { defineKernel, linearGroups, linearMain } from "./kernel.ts";

/** Element types that change into each other. */
export type CastType = "f32" | "i32";
export type CastVariant = { from: CastType; to: CastType };

/** y = x in another type: whole numbers to the nearest float32, floats towards 0. */
export const cast = defineKernel({
  name: "cast",
  bindings: ({ from, to }: CastVariant) => ({ x: `read ${from}`, y: `read_write ${to}` }) as const,
  params: { count: "u32" },
  variants: [
    { from: "i32", to: "f32" },
    { from: "f32", to: "i32" },
  ] as CastVariant[],
  main: ({ to }) => `
    ${linearMain(256)}
      if (thread >= p.count) { return; }
      y[thread] = ${to}(x[thread]);
    }`,
  dispatch: ({ count }) => linearGroups(count, 256),
  cost: ({ count }) => ({ bytes: 8 * count, flops: 0 }),
});
