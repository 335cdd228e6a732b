// rm(1) and rmdir(1), for names that Deno's own remove can't reach because they are not UTF-8.
import { spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/**
 * Removes what a file lists (relative to the root, each beginning with `./`, NUL-terminated): files, links and empty directories;
 * what isn't there is fine. Throws an Error with the last words of rm or rmdir if anything is left.
 */
export async function removeListed(root: string, listFile: string, system: System): Promise<void> {
  const script = "code=0; " +
    'for name in "$@"; do if [ -d "$name" ] && [ ! -L "$name" ]; then rmdir "$name"; else rm -f "$name"; fi || code=1; ' +
    "done; exit $code";
  const { code, stderr } = await spawn({
    program: "/bin/sh",
    args: ["-c", 'exec xargs -0 -r -a "$0" sh -c "$1" sh', listFile, script],
    cwd: root,
    env: { LC_ALL: "C" },
  }, system);
  if (code !== 0) throw new Error(stderr.trimEnd().split("\n").at(-1) || `xargs ended with code ${code}`);
}
