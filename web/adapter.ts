import type { Engine } from "../engine/engine.ts";
import { element } from "./dom.ts";
import * as format from "./format.ts";

const wanted = {
  "shader-f16": "f16",
  subgroups: "subgroups",
  "timestamp-query": "timestamp queries",
} as const;

const limits = {
  maxBufferSize: "largest buffer",
  maxStorageBufferBindingSize: "bytes a kernel sees at once",
  maxComputeWorkgroupStorageSize: "workgroup memory",
  maxComputeInvocationsPerWorkgroup: "threads of a workgroup",
  maxStorageBuffersPerShaderStage: "buffers of a kernel",
} as const;
const inBytes = (name: string) => name.endsWith("Size");

/** What runs the kernels, in one line; a software driver is named as what it is. */
export function adapterLine({ driver }: Engine): string {
  const names = [driver.description, driver.device, driver.architecture].filter(Boolean);
  const name = [driver.vendor, names[0]].filter(Boolean).join(" ") || "an adapter the browser does not name";
  return driver.software ? `${name}: a processor plays GPU, correct but slow` : name;
}

/** Features and limits as a list of terms, and the memory that tensors hold now under the id "memory". */
export function adapterFacts(engine: Engine): HTMLDListElement {
  const { features, limits: given } = engine.device;
  const list = element("dl");
  const add = (term: string, value: string, id?: string) =>
    list.append(element("dt", {}, term), element("dd", { id }, value));
  for (const [name, words] of Object.entries(wanted)) add(words, features.has(name) ? "yes" : "no");
  for (const [name, words] of Object.entries(limits)) {
    const value = given[name as keyof typeof limits];
    add(words, inBytes(name) ? format.bytes(value) : format.count(value));
  }
  add("tensors hold now", memoryLine(engine), "memory");
  return list;
}

/** Bytes that tensors hold, exactly: a view that was left holds none of its own any more. */
export function memoryLine(engine: Engine): string {
  const { live, peak } = engine.memory();
  return `${format.count(live)} bytes, at most ${format.bytes(peak)}`;
}
