import { UsageError } from "../../engine/errors.ts";
import type { Kind } from "./kinds.ts";

export const models: Kind = {
  family: (c) => c.attrs.string("network", "?"),
  async run(_engine, c) {
    throw new UsageError(`unknown network ${c.attrs.string("network", "?")}`);
  },
};
