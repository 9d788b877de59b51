import { parse } from "yaml";
import { UsageError } from "../../engine/errors.ts";
import { isRecord } from "./values.ts";

/** A key of a configuration with the value it is to have, as typed: training.steps=100, model.channels=[8, 16, 16]. */
const form = /^(?<section>[a-z]\w*)\.(?<key>[a-z]\w*)=(?<value>.*)$/is;

/**
 * What a configuration file holds, with some keys changed. Values are read as YAML; without one the key is taken out, so
 * that its default holds. Throws UsageError for a change of another form; whether there is such a key is not looked at.
 */
export function withChanges(given: unknown, changes: readonly string[]): unknown {
  if (changes.length === 0) return given;
  const sections: Record<string, unknown> = isRecord(given) ? { ...given } : {};
  for (const change of changes) {
    const { section, key, value } = partsOf(change);
    const { [key]: _, ...rest } = isRecord(sections[section]) ? sections[section] : {};
    sections[section] = value === null ? rest : { ...rest, [key]: value };
  }
  return sections;
}

function partsOf(change: string): { section: string; key: string; value: unknown } {
  const parts = form.exec(change)?.groups;
  if (!parts)
    throw new UsageError(`got --set ${change}, expected section.key=value, such as training.steps=100`);
  try {
    return { section: parts.section!, key: parts.key!, value: parse(parts.value!, { logLevel: "error" }) };
  } catch {
    throw new UsageError(
      `got --set ${change}, whose value is not YAML; expected such as training.steps=100 or model.channels=[8, 16]`,
    );
  }
}
