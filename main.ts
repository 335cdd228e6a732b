// The process: its arguments, streams and exit code. Everything else is in src/.
import { run } from "./src/cli/run.ts";
import { messageOf } from "./src/errors.ts";
import { realSystem } from "./src/system/system.ts";

const system = realSystem();
try {
  await system.end(await run(Deno.args, system));
} catch (error) {
  // Only a stdout that takes no more gets here; its reader must not take silence for success. One that has gone away
  // (`| head`) has what it wanted.
  const gone = error instanceof Error && error.cause instanceof Deno.errors.BrokenPipe;
  if (!gone) system.stderr.write(`error: ${messageOf(error)}\n`);
  Deno.exit(1);
}
