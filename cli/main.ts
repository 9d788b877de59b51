import { runProgram } from "./program.ts";

for (const stream of [process.stdout, process.stderr])
  stream.on("error", (fault: NodeJS.ErrnoException) => {
    if (fault.code === "EPIPE") process.exit(141); // the reader, such as head, has enough: 128 + SIGPIPE, as others end
    if (stream === process.stdout)
      console.error(
        `stein: cannot write the output (${fault.message}), expected room for it; check the disc`,
      );
    process.exit(2);
  });

const code = await runProgram(process.argv.slice(2));
if (code !== 0) process.exitCode = code; // a command may have set its own
