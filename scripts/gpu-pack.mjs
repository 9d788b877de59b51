/*
 * Fills .gpu/ with what a bare x86-64 Linux machine, with an NVIDIA driver and no network, needs beside the tracked files:
 * Node, the Vulkan loader with glvnd, and node_modules. See docs/gpu.md.
 */
import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { packedPackages } from "./packed-packages.mjs";

const help = `gpu-pack [--tests] [--out FOLDER]

Packs Node, the Vulkan loader and node_modules for a headless x86-64 Linux machine with an NVIDIA driver.
  --tests        also what vitest needs
  --out FOLDER   where to, by default .gpu
`;
const mostMebibytes = 50;

/** bin/stein.js runs the TypeScript sources through tsx. */
const toRun = ["tsx"];
const toTest = ["vitest", "vite", "fast-check"];

/** The loader and glvnd; then what NVIDIA's GLX library links, for its Vulkan driver may be in there. */
const debs = [
  ...["libvulkan1", "libegl1", "libglvnd0", "libopengl0", "libgl1", "libglx0", "libgles2"],
  ...["libx11-6", "libxext6", "libxcb1", "libxau6", "libxdmcp6", "libbsd0", "libmd0"],
];

const root = fileURLToPath(new URL("..", import.meta.url));

try {
  main();
} catch (error) {
  console.error(error.message);
  process.exit(2);
}

function main() {
  const { values } = parseArgs({
    options: { tests: { type: "boolean" }, out: { type: "string" }, help: { type: "boolean" } },
  });
  if (values.help) return console.log(help);
  if (process.platform !== "linux" || process.arch !== "x64")
    throw new Error(
      `gpu-pack: got ${process.platform} ${process.arch}, expected linux x64: the pack holds this machine's Node`,
    );

  const out = values.out ? resolve(values.out) : join(root, ".gpu");
  mkdirSync(out, { recursive: true });
  packNode(out);
  packLibraries(out);
  packModules(out, values.tests ? [...toRun, ...toTest] : toRun);
  copyFileSync(join(root, "scripts/run-on-gpu.sh"), join(out, "run-on-gpu.sh"));

  const names = [
    "node.xz",
    "modules.tar.xz",
    "run-on-gpu.sh",
    ...readdirSync(join(out, "debs")).map((n) => `debs/${n}`),
  ];
  const sizes = names.map((name) => statSync(join(out, name)).size / 2 ** 20);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  console.log(
    `${out}: ${total.toFixed(1)} MiB (node ${sizes[0].toFixed(1)}, modules ${sizes[1].toFixed(1)})`,
  );
  if (total > mostMebibytes)
    throw new Error(`gpu-pack: got ${total.toFixed(1)} MiB, expected at most ${mostMebibytes}`);
}

/** In blocks, which xz unpacks on several cores. */
function packNode(out) {
  const file = join(out, "node.xz");
  if (
    existsSync(file) &&
    statSync(file).mtimeMs > statSync(process.execPath).mtimeMs &&
    holds(file, process.execPath)
  )
    return;
  console.log("node: a minute");
  shell(`xz -T0 -4 --block-size=16MiB -c "$1" >"$2.part"`, process.execPath, file);
  renameSync(`${file}.part`, file);
}

function holds(file, original) {
  try {
    shell(`xz -dc -T0 "$1" | cmp -s - "$2"`, file, original);
    return true;
  } catch {
    return false;
  }
}

function packLibraries(out) {
  const folder = join(out, "debs");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  try {
    execFileSync("apt-get", ["download", "-qq", ...debs], {
      cwd: folder,
      stdio: ["ignore", "ignore", "pipe"],
    });
  } catch (error) {
    const because =
      error.code === "ENOENT"
        ? "there is no apt-get"
        : String(error.stderr ?? error.message)
            .trim()
            .split("\n")
            .at(-1);
    const loader = execFileSync("sh", [
      "-c",
      "PATH=$PATH:/sbin:/usr/sbin ldconfig -p | sed -n 's/.*libvulkan.so.1 .*x86-64.*=> //p' | head -1",
    ]);
    const path = loader.toString().trim();
    if (!path)
      throw new Error(
        `gpu-pack: no packages (${because}) and no libvulkan.so.1 here; expected one: apt-get update, or install the Vulkan loader`,
      );
    copyFileSync(path, join(folder, "libvulkan.so.1"));
    console.log(`no packages (${because}): packed ${path} alone; glvnd must be on the other machine`);
  }
}

function packModules(out, extra) {
  const read = (name) => JSON.parse(readFileSync(join(root, name), "utf8"));
  const roots = [...Object.keys(read("package.json").dependencies), ...extra];
  const paths = packedPackages(read("package-lock.json"), roots);
  const missing = paths.filter((path) => !existsSync(join(root, path, "package.json")));
  if (missing.length > 0)
    throw new Error(`gpu-pack: got no ${missing.join(", ")}, expected all of package-lock.json: npm ci`);

  // Nested node_modules are entries of their own where they are needed.
  const leftOut = [
    "webgpu/dist/darwin-universal",
    "webgpu/dist/linux-arm64",
    "webgpu/dist/win32-*",
    "*.map",
    "*.md",
  ];
  const file = join(out, "modules.tar.xz");
  const bins = join(root, "node_modules/.bin");
  const wanted = new Set(paths.map((path) => path.replace("node_modules/", "")));
  const links = ["tsx", "vitest", "vite", "esbuild"].filter(
    (n) => wanted.has(n) && existsSync(join(bins, n)),
  );
  shell(
    `o="$1"; shift; tar -cf - "$@" | xz -T0 -6 >"$o.part" && mv "$o.part" "$o"`,
    ...[file, ...leftOut.map((name) => `--exclude=${name}`)],
    ...[...paths, ...links.map((name) => `node_modules/.bin/${name}`)],
  );
  console.log(`${paths.length} packages, those of ${roots.length} names in ${dirname(file)}`);
}

function shell(script, ...args) {
  execFileSync("bash", ["-o", "pipefail", "-ec", script, "bash", ...args], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
}
