// The process: its arguments, streams and exit code. Everything else is in src/.
import { run } from "./src/cli/run.ts";
import { messageOf } from "./src/errors.ts";
import { realSystem } from "./src/system/system.ts";

const system = realSystem();
// Not awaited here: the runtime ends a module that waits for something that never happens before anything can be said.
run(Deno.args, system).then((exitCode) => system.end(exitCode)).catch((error) => {
  // Only a stdout that takes no more gets here. A reader that has gone away (`| head`) needs no message.
  const gone = error instanceof Error && error.cause instanceof Deno.errors.BrokenPipe;
  if (!gone) system.stderr.write(`error: ${messageOf(error)}\n`);
  Deno.exit(1);
});
