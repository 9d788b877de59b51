import { UsageError } from "../engine/errors.ts";
import type { AnnealedConfig, Config } from "./config.ts";

/** Throws UsageError for what a configuration can say and `who` cannot do yet. `name` is the file's. */
export function requireSupported(
  who: "train" | "sample" | "demo",
  config: Config,
  name: string,
): asserts config is AnnealedConfig {
  const unsupported = config.sde
    ? `sde.name "${config.sde.name}", expected a ladder of noise scales (sigmas)`
    : config.data.centered && "data.centered true, expected images in [0, 1]";
  if (unsupported)
    throw new UsageError(
      `${who}: not supported yet: got ${unsupported} in ${name}; its network can be seen with: stein model describe`,
    );
}
