// In a clone: teaches a new thread to read TypeScript, as bin/stein.js does the first one. The build has no use for it.
import { register } from "tsx/esm/api";

register();
await import("./decoder-worker.ts");
