// The temporary directory for files that are being written, so that neither readers nor later transfers take them for complete.
import { splitAbsolute } from "../posix/file_names.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Lock } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import {
  hasOwnerEnded,
  isAbandoned,
  ownedName,
  ownerOf,
  parseTemporaryName,
  temporaryName,
} from "../system/temporary_name.ts";
import { isMissing } from "../posix/list.ts";
import { JobRunner } from "./job_runner.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";
import { removeUnbuilt, takeOver, type Writer } from "./adopted.ts";
import { moveBack } from "./moved_out.ts";
import { PARTIAL_DIRECTORY } from "./own_names.ts";
import type { TransferRequest } from "./request.ts";
import { acquireSourceLock, signsOfWork } from "../system/source_lock.ts";

/** The lock that a push holds while it writes to the source. */
const LOCK_NAME = "lock";

/** The lock file, or the lease beside it. */
function isLockName(name: string): boolean {
  return name === LOCK_NAME || name === `${LOCK_NAME}.lease`;
}

/** A directory on the file system of the receiving root; `await using` removes it. */
export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  /** Directories that a killed transfer was building in it. */
  readonly adopted: Set<string>;
  /** Makes the directory on the first call: a transfer without changes writes nothing. */
  make(): Promise<void>;
  /** The work moves on: pushes that wait for the lock of the source see it. */
  moved(): void;
  /** Removes the directory for good. What cannot be removed is left for the next sweep. */
  remove(): Promise<void>;
}

/** The transfer that needs it. `onLockLost` gets the reason when another process has taken over the lock of the source. */
export interface TemporaryDirectoryRequest extends Pick<TransferRequest, "intent" | "to" | "sourceLock"> {
  readonly onLockLost: (reason: unknown) => void;
}

/**
 * Chooses where the temporary directory is. Undefined for a private tree: a first copy, and a mirror with our own calls.
 *
 * Beside a target on scratch, inside our cache root, no other program uses our names. On persistent storage any name outside
 * the root may belong to other programs, so the directory is inside the root: that is on the same file system even if the root
 * is a mount, and writable even if the parent is not.
 */
export async function prepareTemporaryDirectory(
  { intent, to, sourceLock, onLockLost }: TemporaryDirectoryRequest,
  engine: "rsync" | "native",
  runner: JobRunner,
  system: System,
): Promise<TemporaryDirectory | undefined> {
  if (intent === "stage-new") return undefined;
  // A killed rsync would leave a partial file under a name of its own, which cannot be told from the user's files.
  if (intent === "mirror" && engine === "native") return undefined;
  if (intent === "stage-update") {
    const path = incomingName(to, system);
    const adopted = await sweepBeside(to, path, runner);
    const [parent, name] = splitAbsolute(path);
    return directory(
      path,
      adopted,
      async () => void await runner.run("make", { root: parent, directories: [[name, 0o700]] }),
      () =>
        evenIfStopped(runner, system, async (runner) => {
          await moveBack(path, to, runner);
          await clear(path, runner, system);
        }),
    );
  }
  const name = temporaryName("incoming", system.processId);
  const path = `${to}/${PARTIAL_DIRECTORY}/${name}`;
  const adopted = await sweepInside(to, path, runner);
  const lockPath = `${to}/${PARTIAL_DIRECTORY}/${LOCK_NAME}`;
  const showSign = signsOfWork(lockPath);
  let lock: Lock | undefined;
  const release = async () => {
    const held = lock;
    lock = undefined;
    await held?.[Symbol.asyncDispose]();
  };
  return directory(
    path,
    adopted,
    () =>
      whileOpen(to, runner, async () => {
        await makeInside(to, name, runner);
        if (sourceLock !== undefined) {
          lock = await acquireSourceLock({ ...sourceLock, path: lockPath }, system);
          const { lost } = lock;
          // Removing the lock file at the end must not count as losing the lock.
          lost.addEventListener("abort", () => lock !== undefined && onLockLost(lost.reason), { once: true });
        }
      }),
    async () => {
      try {
        await evenIfStopped(runner, system, (runner) =>
          whileOpen(to, runner, async () => {
            await clear(path, runner, system);
            const held = lock;
            lock = undefined;
            if (held !== undefined) {
              await using _lock = held;
              // A waiting push has its own directory there, so the lock file is removed only if no push waits.
              const others = (await namesIn(to, PARTIAL_DIRECTORY, runner) ?? []).filter((other) => !isLockName(other));
              if (others.length === 0) await Deno.remove(lockPath).catch(() => {});
            }
            await removeIfEmpty(to, runner);
          }));
      } finally {
        await release();
      }
    },
    () => lock === undefined ? undefined : showSign(),
  );
}

/** Removes a temporary directory; after a signal keeps directories that were being built, for the next transfer. */
async function clear(path: string, runner: JobRunner, { signal }: Pick<System, "signal">): Promise<void> {
  if (signal.aborted) await removeUnbuilt(path, runner);
  else await runner.run("removeTree", { path });
}

/** After a signal a transfer's runner stops, but half-written files must not stay on the user's storage. */
async function evenIfStopped(
  runner: JobRunner,
  system: Pick<System, "signal" | "calls">,
  work: (runner: JobRunner) => Promise<unknown>,
): Promise<void> {
  try {
    await work(runner);
  } catch (error) {
    if (!system.signal.aborted) throw error;
    const unstopped = new JobRunner(runner.form, { ...system, signal: new AbortController().signal });
    try {
      await work(unstopped);
    } finally {
      await unstopped[Symbol.asyncDispose]();
    }
  }
}

function directory(
  path: string,
  adopted: Set<string>,
  make: () => Promise<void>,
  remove: () => Promise<void>,
  moved: () => void = () => {},
): TemporaryDirectory {
  let made: Promise<void> | undefined;
  let removing: Promise<void> | undefined;
  const removeOnce = async () => {
    if (made !== undefined || adopted.size > 0) await (removing ??= remove().catch(() => {}));
  };
  return {
    path,
    adopted,
    moved,
    make: () =>
      made ??= make().catch((error) => {
        // The lock at the source is held by another process.
        if (error instanceof CliError && error.kind === "locked") throw error;
        throw new CliError("file-system", `Cannot make "${path}": ${messageOf(error)}`, { cause: error });
      }),
    remove: removeOnce,
    [Symbol.asyncDispose]: removeOnce,
  };
}

/** How often a directory is made again after another push has removed it as empty. */
const MOST_TRIES = 10;

/** Makes `name` in our directory in the root, and our directory if it is missing. */
async function makeInside(to: string, name: string, runner: JobRunner): Promise<void> {
  for (let tries = 1;; tries++) {
    await runner.run("make", { root: to, directories: [[PARTIAL_DIRECTORY, 0o700]] });
    try {
      await runner.run("make", { root: to, directories: [[`${PARTIAL_DIRECTORY}/${name}`, 0o700]] });
      return;
    } catch (error) {
      if (!isMissing(error) || tries === MOST_TRIES) throw error;
      runner.here.tree(to).forget(PARTIAL_DIRECTORY);
    }
  }
}

/** Another push may have its own directory there. */
async function removeIfEmpty(to: string, runner: JobRunner): Promise<void> {
  await runner.run("remove", {
    root: to,
    check: "none",
    items: [["", `${PARTIAL_DIRECTORY}//`, "d 700 0 0.0000000000"]],
  });
}

const INCOMING = ".incoming";

/** A new name for a directory beside the target of an update; the name identifies its process. */
export function incomingName(to: string, { processId }: Pick<System, "processId">): string {
  return ownedName(`${to}${INCOMING}`, processId);
}

/** The state of the process that made a directory beside a target; undefined if the name is none of ours. */
async function writerBeside(name: string, target: string): Promise<Writer | undefined> {
  const prefix = `${target}${INCOMING}`;
  const owner = ownerOf(name, prefix);
  if (owner !== undefined) return await hasOwnerEnded(owner) ? "has ended" : "may live";
  // Names of older versions do not identify the process.
  return name.startsWith(prefix) && /^-[0-9a-f]{8}$/.test(name.slice(prefix.length)) ? "has ended" : undefined;
}

/**
 * Removes what earlier transfers left beside a target. The caller holds the target's lock, so a transfer that is still alive
 * has lost that lock and must not publish its files. Moves the directories that the first of them was building to `own`.
 */
async function sweepBeside(to: string, own: string, runner: JobRunner): Promise<Set<string>> {
  const [parent, target] = splitAbsolute(to);
  let adopted = new Set<string>();
  for (const name of await namesIn(parent, "", runner) ?? []) {
    const writer = await writerBeside(name, target);
    if (writer === undefined) continue;
    const path = `${parent}/${name}`;
    try {
      await moveBack(path, to, runner);
      const taken = await takeOverOrRemove({ path, writer }, adopted.size > 0 ? undefined : own, runner);
      if (taken.size > 0) adopted = taken;
    } catch {
      // What cannot be moved back or removed is left for the next sweep.
    }
  }
  return adopted;
}

/** Moves an abandoned directory to `own` if that is given and it has something useful; else removes it. */
async function takeOverOrRemove(
  abandoned: { readonly path: string; readonly writer: Writer },
  own: string | undefined,
  runner: JobRunner,
): Promise<Set<string>> {
  const { path } = abandoned;
  const adopted = own === undefined ? new Set<string>() : await takeOver(abandoned, own, runner);
  if (adopted.size === 0) await runner.run("removeTree", { path });
  return adopted;
}

/**
 * Removes temporary directories in a root: those of a process that has ended and, if that is unknown, those that were unused
 * for long. Moves the directories that the first of them was building to `own`.
 */
async function sweepInside(to: string, own: string, runner: JobRunner): Promise<Set<string>> {
  let adopted = new Set<string>();
  const names = await namesIn(to, PARTIAL_DIRECTORY, runner);
  if (names === undefined) return adopted;
  await whileOpen(to, runner, async () => {
    for (const name of names) {
      const path = `${to}/${PARTIAL_DIRECTORY}/${name}`;
      if (!await isAbandoned(path)) continue;
      const owner = parseTemporaryName(name);
      const writer = owner !== undefined && await hasOwnerEnded(owner) ? "has ended" : "may live";
      const taken = await takeOverOrRemove({ path, writer }, adopted.size > 0 ? undefined : own, runner)
        .catch(() => undefined);
      if (taken !== undefined && taken.size > 0) adopted = taken;
    }
    // A working push has its own directory beside the lock: a lock alone was left by a killed push.
    const left = await namesIn(to, PARTIAL_DIRECTORY, runner) ?? [];
    if (left.every(isLockName)) {
      await Deno.remove(`${to}/${PARTIAL_DIRECTORY}/${LOCK_NAME}.lease`).catch(() => {});
      await Deno.remove(`${to}/${PARTIAL_DIRECTORY}/${LOCK_NAME}`).catch(() => {});
    }
    await removeIfEmpty(to, runner);
  });
  return adopted;
}

/** The names in a directory below a root; undefined where it does not exist or can't be read. */
async function namesIn(root: string, directory: string, runner: JobRunner): Promise<readonly string[] | undefined> {
  const { entries } = await listDirectories({ root, facts: "names" }, [directory], runner);
  const listing = entries.get(directory);
  return listing === undefined || "unreadable" in listing ? undefined : listing.entries.map(({ name }) => name);
}

/** Makes a root writable while `work` runs, and restores its mode. */
async function whileOpen(root: string, runner: JobRunner, work: () => Promise<void>): Promise<void> {
  const mode = (await lookAtPaths(root, ["."], runner)).get(".")?.mode ?? 0o700;
  if ((mode & 0o300) === 0o300) return await work();
  await runner.run("modes", { root, items: [["", mode | 0o300]] });
  try {
    await work();
  } finally {
    await runner.run("modes", { root, items: [["", mode]] });
  }
}
