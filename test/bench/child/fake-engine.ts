/** An engine without a device, in a process of its own. The problem's size tells how it does. */
import type { PeerEngine } from "../../../bench/peers/engine.ts";
import { inputsOf } from "../../../bench/peers/inputs.ts";
import { serve } from "../../../bench/peers/worker.ts";

serve(async (): Promise<PeerEngine> => {
  if (process.argv[2] === "unready") throw new Error("it does not start\nsecond line");
  return {
    adapter: "fake",
    versions: { fake: process.env.FAKE_VERSION ?? "none" },
    prepare: async (problem) => {
      if (problem.kind !== "matmul") return { cannot: "knows matmul only" };
      return {
        check: async () => {
          if (problem.size === 13) {
            console.error("Error: out of memory");
            process.exit(7);
          }
          return { results: { y: inputsOf(problem)["a"]!.values } };
        },
        run: () => undefined,
      };
    },
    finish: () => new Promise((resolve) => setTimeout(resolve, 50)),
  };
});
