/** The package's version: measured choices of another version's kernels do not count. */
export const version = "0.1.0";
