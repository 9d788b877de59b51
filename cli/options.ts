import { UsageError } from "../engine/errors.ts";

/** Parses the value of an option as a whole number. Throws UsageError below `least`, and above `most`. */
export const wholeFrom =
  (least: number, option: string, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const n = Number(text);
    if (text.trim() !== "" && Number.isSafeInteger(n) && n >= least && n <= most) return n;
    const to = n > most ? ` to ${most}${most === Number.MAX_SAFE_INTEGER ? ", 2^53 - 1" : ""}` : "";
    throw new UsageError(`got ${option} ${text}, expected a whole number from ${least}${to}`);
  };

/** Parses the value of an option as a number. Throws UsageError unless it lies between the two. */
export const between =
  (least: number, most: number, option: string) =>
  (text: string): number => {
    const n = Number(text);
    if (text.trim() !== "" && n >= least && n <= most && Number.isFinite(n)) return n;
    throw new UsageError(
      `got ${option} ${text}, expected a number from ${least}${most === Infinity ? "" : ` to ${most}`}`,
    );
  };

/** Parses the value of an option as a number. Throws UsageError unless it is above 0. */
export const positive =
  (option: string) =>
  (text: string): number => {
    const n = Number(text);
    if (n > 0 && Number.isFinite(n)) return n;
    throw new UsageError(`got ${option} ${text}, expected a number above 0`);
  };

export type Span = readonly [from: number, to: number];

/** Parses the value of an option as a span: a:b for a to b - 1. Throws UsageError for another text, and where b <= a. */
export const spanOf =
  (option: string, example: string) =>
  (text: string): Span => {
    const [a, b] = text.split(":").map(Number);
    if (/^\d+:\d+$/.test(text) && Number.isSafeInteger(b) && b! > a!) return [a!, b!];
    throw new UsageError(
      `got ${option} ${text}, expected a:b with whole numbers and a below b, such as ${example}`,
    );
  };

/** An option by its name in code as it is typed: --corrector-steps of correctorSteps. */
export const flagOf = (name: string): string => `--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`;
