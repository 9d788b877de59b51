// Checks that each folder imports only from those it may see, that no imports run in a circle, and that the page in web
// reaches nothing that only Node has.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";

const may = {
  kernels: [],
  engine: ["kernels"],
  models: ["engine"],
  samplers: ["engine"],
  data: ["engine/errors.ts"],
  train: ["engine", "models", "samplers"],
  cli: ["kernels", "engine", "models", "samplers", "train", "data", "bench"],
  bench: ["kernels", "engine", "models", "samplers", "train", "data", "cli"],
  web: ["kernels", "engine", "models", "samplers", "train", "data", "bench"],
};

const files = Object.keys(may).flatMap((folder) =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith(".ts") && !/\.(d|config)\.ts$/.test(f.name))
    .map((f) => join(f.parentPath ?? f.path, f.name))
    .filter((file) => !file.includes("node_modules")),
);
const faults = [];
const graph = new Map();
const packages = new Map();
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const runtime = [];
  for (const [, types, path] of text.matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+"(\.[^"]+)"/gms)) {
    const target = relative(".", join(dirname(file), path));
    const [from, to] = [file, target].map((p) => p.split("/")[0]);
    if (from !== to && ![to, target].some((t) => may[from].includes(t)))
      faults.push(`${file} may not import ${target}`);
    if (!types) runtime.push(target);
  }
  graph.set(file, runtime);
  packages.set(
    file,
    [...text.matchAll(/^(?:import|export)\s+(?!type\s)(?:[^;"]*?from\s+)?"([^."][^"]*)"/gms)].map(
      ([, name]) => name,
    ),
  );
}

const state = new Map();
function visit(file, trail) {
  if (state.get(file) === "done") return;
  if (state.get(file) === "open") {
    faults.push(`a circle: ${[...trail.slice(trail.indexOf(file)), file].join(" -> ")}`);
    return;
  }
  state.set(file, "open");
  for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
  state.set(file, "done");
}
for (const file of files) visit(file, []);

const seen = new Set();
function reach(file, trail) {
  if (seen.has(file)) return;
  seen.add(file);
  for (const name of packages.get(file) ?? [])
    faults.push(`the page has no ${name}: ${[...trail, file].join(" -> ")}`);
  for (const next of graph.get(file) ?? []) reach(next, [...trail, file]);
}
reach("web/main.ts", []);

if (faults.length > 0) {
  console.error(faults.join("\n"));
  process.exit(1);
}
console.log(`directions: ${files.length} files, no import against the grain, no circle`);
