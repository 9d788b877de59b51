import { runProgram } from "./program.ts";

for (const stream of [process.stdout, process.stderr])
  stream.on("error", (fault: NodeJS.ErrnoException) => {
    if (fault.code === "EPIPE") process.exit(141); // the reader, such as head, has enough: 128 + SIGPIPE, as others end
    throw fault;
  });

const code = await runProgram(process.argv.slice(2));
if (code !== 0) process.exitCode = code; // a command may have set its own
