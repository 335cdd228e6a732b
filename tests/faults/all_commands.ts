// All commands that write, for the test that tries a sample of their system calls and for the task that tries all of
// them.
import { type CrashSample, tryCrashPoints } from "./crash_points.ts";
import type { Report } from "./harness.ts";
import { Judge } from "./judge.ts";
import { triedCommands } from "./tried_commands.ts";

/** Tries the commands whose names match; `report` gets each result as soon as it is known. */
export async function tryAllCommands(
  { filter, ...sample }: CrashSample & { readonly filter: RegExp },
  report: (report: Report) => void,
): Promise<void> {
  // In memory if possible: the calls are tested, not the disk.
  const memory = await Deno.stat("/dev/shm").then(() => ({ dir: "/dev/shm" }), () => ({}));
  const own = await Deno.makeTempDir({ ...memory, prefix: "euler-files-crashes-" });
  await using judge = new Judge();
  try {
    const path = `${own}/world`;
    for (const [name, command] of Object.entries(triedCommands(path))) {
      if (filter.test(name)) report(await tryCrashPoints(name, command, { path, own, judge }, sample));
    }
  } finally {
    await judge.remove(own);
  }
}
