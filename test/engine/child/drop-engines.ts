/** Drops engines that it has not destroyed, has their handles collected, and computes on another. Started by undestroyed.test.ts. */
import { Engine } from "../../../engine/engine.ts";
import { collect } from "../../../engine/platform/collect.ts";

const kept = await Engine.create({ quiet: true });
const drop = async () => {
  const dropped = await Engine.create({ quiet: true });
  dropped.zeros([4]);
};
for (let i = 0; i < 24; i++) {
  await drop();
  collect();
  await new Promise((resolve) => setTimeout(resolve, 50)); // their native parts go in the next rounds of the event loop
  await kept.zeros([16]).data();
}
kept.destroy();
console.log("done");
