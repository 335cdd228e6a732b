// Starts the process: passes its arguments and streams to src/ and sets the exit code. Everything else is in src/.
import { run } from "./src/cli/run.ts";
import { messageOf } from "./src/errors/errors.ts";
import { realSystem } from "./src/system/system.ts";

const system = realSystem();
// Not awaited here: Deno ends a module that awaits a promise that never resolves, before any message can be printed.
run(Deno.args, system).then((exitCode) => system.end(exitCode)).catch((error) => {
  // Only `OutputLost` gets here: stdout can't be written. EPIPE (`| head`) is a normal end and needs no message.
  const gone = error instanceof Error && error.cause instanceof Deno.errors.BrokenPipe;
  if (!gone) system.stderr.write(`error: ${messageOf(error)}\n`);
  Deno.exit(1);
});
