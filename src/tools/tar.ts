// tar(1): one archive of a directory tree, written in one go.
import { CliError } from "../errors.ts";
import { findProgram } from "../system/spawn.ts";
import type { System } from "../system/system.ts";
import { type Listener, runAloud } from "./aloud.ts";

/** What to put into an archive. */
export interface PackRequest {
  /** The archive, absolute. */
  readonly archive: string;
  /**
   * `tree` makes an archive of a directory and all in it; `files` puts files behind what is there, where a reader takes the
   * last of a name.
   */
  readonly members: { readonly tree: string } | { readonly files: readonly string[] };
  /** The directory that the members' names are relative to. */
  readonly parent: string;
}

/** The arguments of tar. Everything belongs to root in the archive: who packed it means nothing in a container. */
export function packArgs({ archive, members, parent }: PackRequest): string[] {
  const tree = "tree" in members;
  return [
    tree ? "--create" : "--append",
    `--file=${archive}`,
    "--owner=0",
    "--group=0",
    "--numeric-owner",
    // GNU tar would read a "\b" in these names as a backspace.
    "--no-unquote",
    `--directory=${parent}`,
    "--",
    ...(tree ? [members.tree] : members.files),
  ];
}

/** Packs. Throws CliErrors: `missing-tool`, `no-space`, `tool` with tar's last words. */
export async function pack(request: PackRequest, listener: Listener, system: System): Promise<void> {
  const program = findProgram("tar", system.env);
  if (program === undefined) {
    throw new CliError("missing-tool", "Cannot find tar on the PATH", { hint: "install it: `apt-get install tar`" });
  }
  const outcome = await runAloud({ program, args: packArgs(request), env: { LC_ALL: "C" } }, listener, system);
  if (outcome.code === 0) return;
  const full = outcome.lastLines.some((line) => /No space left on device|Disk quota exceeded/.test(line));
  throw new CliError(
    full ? "no-space" : "tool",
    `Cannot pack "${request.parent}": tar ended with code ${outcome.code}`,
    {
      lines: outcome.lastLines,
      ...(full ? { hint: "make room, or set TMPDIR to a directory with more" } : {}),
    },
  );
}
