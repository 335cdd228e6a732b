// Keeps every other command from using what moves, under the names of the locks those commands take.
import type { Report } from "../contract/events.ts";
import { layoutOf } from "../variables/layout.ts";
import { acquireLock, holderText, type Lock, underLocks } from "../system/file_lock.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import type { ConfiguredDirectory } from "./target.ts";

/** What to lock. */
export interface DirectoryLocks {
  readonly directory: ConfiguredDirectory;
  readonly journalPath: string;
  /** The directory of the staged copies; it must exist for a variable. */
  readonly cacheRoot: string;
  readonly variables: readonly string[];
  readonly images: readonly { readonly name: string; readonly file: string }[];
  /** The environments in the directory that moves. */
  readonly environments: readonly string[];
  readonly deadlineSeconds: number;
}

/** The locks that other commands take for what is in the directory, in the order in which they are taken. */
function lockPaths({ directory, cacheRoot, variables, images, environments }: DirectoryLocks): string[] {
  const inside = (name: string) => `${directory.content}/.${name}.lock`;
  switch (directory.kind) {
    case "variable":
      return [layoutOf(cacheRoot, directory.what).lock];
    case "scratch_base":
    case "cache_root":
      return variables.map((name) => layoutOf(directory.content, name).lock);
    case "venv_base":
      return environments.map(inside);
    case "sif_store":
      return images.map(({ file }) => inside(file.replace(/\.sif$/, "")));
    case "scratch_sif_dir":
      return images.map(({ name }) => inside(`${name}.sif`));
  }
}

/** The locks of a directory. */
export interface HeldLocks extends AsyncDisposable {
  /** The system for the work: its signal is aborted as soon as another process has taken over one of the locks. */
  readonly system: System;
  /** Throws a CliError `locked` if one of them is no longer ours. */
  confirm(): Promise<void>;
}

/** Takes all of them, or none. Errors and deadline are those of `acquireLock`. */
export async function lockDirectory(request: DirectoryLocks, system: System, report: Report): Promise<HeldLocks> {
  await using stack = new AsyncDisposableStack();
  const locks: Lock[] = [];
  // The first prevents a second migration of the same directory.
  const own = { path: `${request.journalPath}.lock`, afterwards: "removed" } as const;
  for (const one of [own, ...lockPaths(request).map((path) => ({ path }))]) {
    const lock = stack.use(
      await acquireLock({
        ...one,
        deadlineSeconds: request.deadlineSeconds,
        deadlineSetting: "lock_timeout_seconds",

        onWait: (holder) =>
          report({
            type: "note",
            subject: request.directory.what,
            text: `waiting for a lock held ${holderText(holder, system)}`,
          }),
      }, system),
    );
    locks.push(lock);
  }
  // A run that continues after the switch edits no configuration, so nothing else removes temporary files beside the journal.
  await sweepDirectory(splitAbsolute(request.journalPath)[0]);
  const held = stack.move();
  return {
    system: underLocks(system, ...locks),
    async confirm() {
      for (const lock of locks) await lock.confirm();
    },
    [Symbol.asyncDispose]: () => held.disposeAsync(),
  };
}

/** Whether a file at the top of a directory is one of our locks: it changes while we hold it, and must not be copied. */
export function isLockFile(name: string): boolean {
  return /^\.[^/]+\.lock(\.lease)?$/.test(name);
}
