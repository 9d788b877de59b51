import { Engine } from "../engine/engine.ts";
import { readConfig, parseConfig } from "./config.ts";
import { describeModel } from "./describe.ts";
const e = await Engine.create();
const ve = (res: number, extra="") => parseConfig(`
data: {name: cifar10}
model: {name: ncsnpp, nf: 128, chMult: [1,2,2,2], numResBlocks: ${res}, attnResolutions: [16], dropout: 0.1 ${extra}}
sde: {name: ve}
training: {steps: 1}`, "x");
for (const c of [readConfig("configs/demo.yaml"), readConfig("configs/cifar10.yaml"), ve(4), ve(8)]) {
  const t=performance.now();
  const {layers, ...d} = describeModel(e, c);
  console.log(JSON.stringify(d), (performance.now()-t).toFixed(0), "ms", e.memory());
}
e.destroy();
