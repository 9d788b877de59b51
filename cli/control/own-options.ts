import { UsageError } from "../../engine/errors.ts";
import type { Config } from "../config.ts";
import { flagOf } from "../options.ts";

/** Options, by their names in code, that only networks of one kind take. */
interface OwnOptions<Name extends string> {
  readonly ladder: readonly Name[];
  readonly sde: readonly Name[];
}

/** Throws UsageError for an option that is given and is for networks of the other kind. */
export function requireOwn<Name extends string>(
  who: string,
  { sde }: Config,
  options: { readonly [name in Name]?: unknown },
  own: OwnOptions<Name>,
): void {
  const foreign = own[sde ? "ladder" : "sde"].find((name) => options[name] !== undefined);
  if (foreign === undefined) return;
  throw new UsageError(
    `${who}: got ${flagOf(foreign)}, which is for networks ${sde ? "on a ladder of noise scales" : "on an SDE"}; leave it out`,
  );
}
