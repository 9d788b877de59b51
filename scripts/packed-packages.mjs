/**
 * The folders under node_modules that `roots` need on x64 Linux with glibc, as package-lock.json resolves them: their
 * dependencies, optional ones that fit, peers that must be there, and so on. Throws where the lock lacks one that must be there.
 */
export function packedPackages(lock, roots) {
  const found = new Set();
  const visit = (from, name, optional) => {
    const path = resolve(lock.packages, from, name);
    if (!path) {
      if (optional) return;
      throw new Error(
        `gpu-pack: ${from || "the project"} needs ${name}, expected it in package-lock.json; npm install mends it`,
      );
    }
    const entry = lock.packages[path];
    if (found.has(path) || (optional && !fits(entry))) return;
    found.add(path);
    const {
      dependencies = {},
      optionalDependencies = {},
      peerDependencies = {},
      peerDependenciesMeta = {},
    } = entry;
    for (const dependency of Object.keys(dependencies))
      visit(path, dependency, dependency in optionalDependencies);
    for (const dependency of Object.keys(optionalDependencies)) visit(path, dependency, true);
    for (const peer of Object.keys(peerDependencies))
      if (!peerDependenciesMeta[peer]?.optional) visit(path, peer, false);
  };
  for (const root of roots) visit("", root, false);
  return [...found].sort();
}

/** Node's own search: beside `from`, then beside each folder that holds it. */
function resolve(packages, from, name) {
  for (let folder = from; ; ) {
    const path = `${folder && `${folder}/`}node_modules/${name}`;
    if (packages[path]) return path;
    if (!folder) return undefined;
    folder = folder.slice(0, Math.max(0, folder.lastIndexOf("/node_modules/")));
  }
}

function fits({ os = ["linux"], cpu = ["x64"], libc = ["glibc"] }) {
  return os.includes("linux") && cpu.includes("x64") && [libc].flat().includes("glibc");
}
