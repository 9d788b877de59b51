/** Trains as the command line does, in the folder given, and takes the device away after some steps. Prints the error. */
import { readConfig } from "../../../cli/config.ts";
import { openRun } from "../../../cli/run.ts";
import { train } from "../../../cli/training-loop.ts";
import { Engine } from "../../../engine/engine.ts";

const [config, folder, after] = process.argv.slice(2);
const engine = await Engine.create({ quiet: true });
const run = openRun(engine, readConfig(config!), folder!);
const watch = setInterval(() => {
  if (run.trainer.step >= Number(after)) {
    clearInterval(watch);
    engine.device.destroy();
  }
}, 1);
try {
  await train(run);
} catch (fault) {
  const { name, message } = fault as Error;
  console.log(JSON.stringify({ name, message }));
}
engine.destroy();
