import type { Config } from "../config.ts";
import type { Method } from "./method.ts";
import { onLadder } from "./methods-on-ladder.ts";
import { onSde } from "./methods-on-sde.ts";

/** The sampler that a configuration names. Throws UsageError, before any GPU work, for settings that no sampler takes. */
export const methodOf = (config: Config): Method => (config.sde ? onSde(config) : onLadder(config));
