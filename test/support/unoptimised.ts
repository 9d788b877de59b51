/**
 * Has llvmpipe compile without LLVM's passes, in two thirds of the time: for tests that compile every variant of every kernel.
 * What llvmpipe chooses runs with them in all other tests.
 */
export const unoptimised = { GALLIVM_PERF: "nopt" } as const;
