import type { Introduction, Results } from "./engine.ts";
import type { HostArray } from "./inputs.ts";
import type { Problem } from "./workloads.ts";

/** What an engine's process is asked, one question at a time. */
export type Question =
  | { readonly ask: "introduce" }
  /** Make a problem ready, do it once and tell the results. */
  | {
      readonly ask: "check";
      readonly name: string;
      readonly problem: Problem;
      readonly noise?: HostArray | undefined;
    }
  /** Do a checked problem once. */
  | { readonly ask: "time"; readonly name: string }
  /** Make a problem ready and do it for the first time. */
  | { readonly ask: "first"; readonly problem: Problem }
  /** How much processor time the process has had. */
  | { readonly ask: "processor" };

export interface Answers {
  introduce: Introduction;
  check: { readonly results: Results; readonly noise?: HostArray | undefined } | { readonly cannot: string };
  time: { readonly ms: number };
  /** Milliseconds since the process began, and of them from the ready engine on. */
  first: { readonly ms: number; readonly step: number } | { readonly cannot: string };
  processor: { readonly ms: number };
}

export type Ask = Question["ask"];
export type QuestionOf<A extends Ask> = Extract<Question, { readonly ask: A }>;

/** What comes back: an answer, or what went wrong, in one line. */
export type Reply = { readonly answer: Answers[Ask] } | { readonly fault: string };
