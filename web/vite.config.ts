import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const folder = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: folder("."),
  base: "./", // any static host, under any path
  server: { fs: { allow: [folder("..")] } }, // the page imports the very sources of the library
  build: { outDir: folder("../web-dist"), emptyOutDir: true, target: "es2022" },
});
