import { cpus } from "node:os";
import { Command, Option } from "commander";
import { wholeFrom } from "../../cli/options.ts";
import { writeFileAtomic } from "../../cli/pictures/write.ts";
import { endLine, Progress } from "../../cli/progress.ts";
import { table } from "../../cli/table.ts";
import { UsageError } from "../../engine/errors.ts";
import { markdownTable } from "../figures/table.ts";
import { compare } from "./compare.ts";
import { chosenBy, peersOf, readPage } from "./options.ts";
import { requireInstalled } from "./packages.ts";
import { type PeerName, peerNames, peers } from "./roster.ts";
import { circumstances, type PeersRecord, tableOf, withBlock } from "./tables.ts";
import { verdictOf } from "./verdict.ts";

interface Options {
  rounds: number;
  filter?: string;
  peers: PeerName[];
  json?: string;
  write?: string;
}

const program = new Command("bench:peers")
  .description(
    "The same work in Stein, TensorFlow.js, jax-js and ONNX Runtime on the same adapter, in one interleaved run. " +
      "Every engine's results are held to ours before it is timed. See docs/peers.md.",
  )
  .addOption(
    new Option("--rounds <n>", "timed rounds of all work").default(7).argParser(wholeFrom(1, "--rounds")),
  )
  .option("--filter <text>", "only workloads whose name holds this")
  .addOption(
    new Option("--peers <list>", "which peers, by commas")
      .default(peerNames, peerNames.join(","))
      .argParser(peersOf),
  )
  .option("--json <file>", "also write all of it as JSON")
  .option("--write <file>", "also replace the block of this Markdown file that holds the table")
  .action(run);

async function run({ rounds, filter = "", json, write, ...options }: Options): Promise<void> {
  const chosen = chosenBy(filter);
  if (write !== undefined) readPage(write); // complains before any work
  requireInstalled(options.peers.flatMap((name) => peers[name].packages));
  let bar: Progress | undefined;
  const comparison = await compare({
    peers: options.peers,
    workloads: chosen,
    rounds,
    onProgress: (done, total, what) => (bar ??= new Progress("peers", total)).update(done, what),
  });
  endLine();
  const record: PeersRecord = {
    date: new Date().toISOString(),
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    processor: cpus()[0]?.model ?? "unknown processor",
    rounds,
    ...comparison,
  };
  const { table: cells, notes } = tableOf(record);
  console.log([...circumstances(record), "", table(cells[0]!, cells.slice(1)), ...notes].join("\n"));
  if (record.rows.some(({ outcomes: { stein } }) => stein && ("wrong" in stein || "failed" in stein)))
    process.exitCode = 1;
  if (json !== undefined) writeFileAtomic(json, `${JSON.stringify(withVerdicts(record), null, 2)}\n`);
  if (write !== undefined) {
    const block = [
      ...circumstances(record).map((text) => `- ${text}`),
      "",
      markdownTable(cells),
      "",
      ...notes,
    ];
    writeFileAtomic(write, withBlock(write, readPage(write), block.join("\n").trimEnd()));
  }
}

/** For machines: each row with its verdict. */
const withVerdicts = (record: PeersRecord) => ({
  ...record,
  rows: record.rows.map((row) => ({ ...row, verdict: verdictOf(row) })),
});

try {
  await program.parseAsync();
} catch (fault) {
  endLine();
  if (!(fault instanceof UsageError)) throw fault;
  console.error(`bench:peers: ${fault.message}`);
  process.exitCode = 2;
}
