type Permission =
  | { name: "env"; variable: string }
  | { name: "read"; path: string }
  | { name: "sys"; kind: "systemMemoryInfo" | "homedir" };

type Host = { Deno?: { permissions: { querySync(permission: Permission): { state: string } } } };

/** May the program have this? Asked before: without the right, Deno would stop and put the question to the user. */
export function granted(permission: Permission): boolean {
  const { Deno } = globalThis as Host;
  return Deno === undefined || Deno.permissions.querySync(permission).state === "granted";
}
