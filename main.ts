// The process: its arguments, streams and exit code. Everything else is in src/.
import { run } from "./src/cli/run.ts";
import { messageOf } from "./src/errors.ts";
import { realSystem } from "./src/system/system.ts";

const system = realSystem();
try {
  Deno.exit(await run(Deno.args, system));
} catch (error) {
  // Only a stdout that takes no more (closed, full) gets here; its reader must not take silence for success.
  try {
    system.stderr.write(`error: Cannot write to standard output: ${messageOf(error)}\n`);
  } catch {
    // Nobody is left to tell.
  }
  Deno.exit(1);
}
