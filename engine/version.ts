/** The package's version, told by `--version`; what was measured of another version's kernels does not count. */
export const version = "0.1.0";
