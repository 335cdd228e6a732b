// A held lock, which is checked during the work, since on some file systems another process can take it over.
import { CliError } from "../errors/errors.ts";
import { lstatIfPresent } from "./existence.ts";
import { holderName, type Lock, type LockRequest, readHolder } from "./lock_holder.ts";
import type { System } from "./system.ts";

/** How often a holder checks that it still has the lock and renews the lease: one or two small operations. */
export const HEARTBEAT_SECONDS = 2;

/** How to check a lock, and how to release it. */
export interface Holding extends Pick<Lock, "kind" | "former"> {
  readonly path: string;
  readonly afterwards: LockRequest["afterwards"] | undefined;
  /** The file that names another holder now; undefined unless it is known that we have lost the lock. */
  readonly findTaker: () => Promise<string | undefined>;
  /** Shows other processes that this one lives, while it has the lock. */
  readonly beat?: () => Promise<void>;
  /** Removes the lock's file, while the lock is held. */
  readonly removeFile: () => Promise<void>;
  readonly release: () => Promise<void>;
}

/** The lock for as long as it is held. */
export function holdLock({ kind, former, path, afterwards, findTaker, beat, removeFile, release }: Holding): Lock {
  const lost = new AbortController();
  let isRetired = afterwards === "removed";
  const look = async () => {
    if (lost.signal.aborted) return;
    const taker = await findTaker();
    if (taker !== undefined) lost.abort(await takenOver(path, taker));
  };
  const removeIfOurs = async () => {
    if (await findTaker() === undefined) await removeFile();
  };
  const heartbeat = setInterval(async () => {
    await look();
    if (!lost.signal.aborted) await beat?.().catch(() => {});
  }, HEARTBEAT_SECONDS * 1000);
  return {
    kind,
    former,
    lost: lost.signal,
    async confirm() {
      await look();
      lost.signal.throwIfAborted();
    },
    retire() {
      isRetired = true;
    },
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat);
      // Before the release: after it the file may be that of the next holder.
      if (isRetired && !lost.signal.aborted) await removeIfOurs().catch(() => {});
      await release();
    },
  };
}

/** The lock. At its release its file is removed if what it protects is gone: if none of the paths exists. */
export function lockGoingWith(lock: Lock, ...paths: readonly string[]): Lock {
  const areGone = async () => {
    const found = await Promise.all(paths.map(lstatIfPresent));
    return found.every((info) => info === undefined);
  };
  return {
    ...lock,
    async [Symbol.asyncDispose]() {
      // Where that cannot be found out, the file stays.
      if (await areGone().catch(() => false)) lock.retire();
      await lock[Symbol.asyncDispose]();
    },
  };
}

/** The system for work under locks: its signal stops the work as soon as another process has taken one of them over. */
export function underLocks<Some extends System>(system: Some, ...locks: readonly Pick<Lock, "lost">[]): Some {
  return { ...system, signal: AbortSignal.any([system.signal, ...locks.map(({ lost }) => lost)]) };
}

async function takenOver(path: string, taker: string): Promise<CliError> {
  const who = holderName(await readHolder(taker));
  return new CliError("locked", `Cannot go on: the lock "${path}" was taken over by ${who}`, {
    hint: "run the command again: it goes on with what the other one leaves",
  });
}
