/** How this was called, for command lines to go on with: `npx stein` where npm started it, for then a shell may not find it. */
export const called = (): string => (process.env["npm_command"] ? "npx stein" : "stein");
