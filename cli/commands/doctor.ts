import type { Command } from "commander";
import { mebibytes } from "../../engine/buffers.ts";
import { Engine } from "../../engine/engine.ts";
import { adapterName } from "../../engine/platform/platform.ts";
import { measureRoofline } from "../../engine/roofline.ts";
import { limitNames, systemOf } from "../system.ts";

export function doctorCommand(program: Command): void {
  program
    .command("doctor")
    .description("show the adapter, its limits and its measured speed; without one, what to install")
    .option("--json", "as JSON")
    .action(async ({ json }: { json?: boolean }) => {
      const engine = await Engine.create();
      try {
        const roofline = await measureRoofline(engine);
        const { driver, device, hardware } = engine;
        const system = systemOf(engine);
        if (json) {
          console.log(JSON.stringify({ ...system, roofline }, null, 2));
          return;
        }
        const rows: [string, string][] = [
          ["system", `Node ${process.version}, ${process.platform} ${process.arch}`],
          ["adapter", adapterName(driver)],
          ["vendor", [driver.vendor, driver.architecture].filter(Boolean).join(", ") || "unknown"],
          ["driver", `${driver.source}${driver.software ? ", software: correct, but slow" : ""}`],
          ["kernels for", hardware.kind === "cpu" ? "CPU drivers" : "GPUs"],
          ["features", system.features.join(", ") || "none"],
          ...limitNames.map((name): [string, string] => [
            name,
            name.endsWith("Size") && device.limits[name] > 1 << 16
              ? mebibytes(device.limits[name])
              : String(device.limits[name]),
          ]),
          [
            "copy bandwidth",
            `${roofline.gigabytesPerSecond.toFixed(1)} GB/s, read and written by a copy kernel`,
          ],
          ["multiply-add rate", `${roofline.gigaflops.toFixed(0)} GFLOP/s in float32`],
          ["dispatch", `${roofline.dispatchMicroseconds.toFixed(1)} microseconds each`],
        ];
        for (const [name, value] of rows) console.log(`${name.padEnd(34)} ${value}`);
        if (driver.software)
          console.log(
            "\nA GPU needs its vendor's Vulkan driver on Linux; macOS and Windows need nothing extra.",
          );
      } finally {
        engine.destroy();
      }
    });
}
