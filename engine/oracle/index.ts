/**
 * The oracle: every op in plain float64 loops, slow and clear. `engine.verify` and the tests hold the kernels
 * to it. It knows nothing of the engine.
 */
export type { Array64 } from "./array.ts";
export * as array from "./array.ts";
export * as attention from "./attention.ts";
export * as binary from "./binary.ts";
export * as cast from "./cast.ts";
export * as combine from "./combine.ts";
export * as conv2d from "./conv2d.ts";
export * as dropout from "./dropout.ts";
export * as embedding from "./embedding.ts";
export * as matmul from "./matmul.ts";
export * as norm from "./norm.ts";
export * as philox from "./philox.ts";
export * as pool from "./pool.ts";
export * as reduce from "./reduce.ts";
export * as resize from "./resize.ts";
export * as shape from "./shape.ts";
export * as softmax from "./softmax.ts";
export * as unary from "./unary.ts";
export * as updates from "./updates.ts";
export * as upfirdn2d from "./upfirdn2d.ts";
