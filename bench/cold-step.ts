import { Engine } from "../engine/engine.ts";
import { DilatedStep } from "./networks.ts";

// Run by cold.ts in a process of its own: opens the device, builds the dilated network, takes two steps, prints one
// line of JSON and ends. Times in milliseconds.

const engine = await Engine.create({ quiet: true });
const opened = performance.now();
const work = new DilatedStep(engine);
await engine.sync();

const start = performance.now();
await engine.prepare(() => work.step());
const compiled = performance.now();
work.advance();
const capture = engine.capture(() => work.step());
await engine.sync();
const stepped = performance.now();
work.advance();
capture.replay();
await engine.sync();

console.log(
  JSON.stringify({
    open: opened, // since the process began, the loading of TypeScript included
    compile: compiled - start,
    kernels: engine.programs.compiled,
    first: stepped - start,
    second: performance.now() - stepped,
    total: stepped,
  }),
);
engine.destroy();
