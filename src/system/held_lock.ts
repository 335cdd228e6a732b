// A lock in our hands: it is looked after while we work, since on some file systems another process can take it over.
import { CliError } from "../errors.ts";
import { type Lock, nameHolder, readHolder } from "./lock_holder.ts";

/** How often a holder looks whether the lock is still its own and, with a lease, shows that it lives: one or two small operations. */
const HEARTBEAT_SECONDS = 2;

/** How to look after a lock, and how to give it back. */
export interface Holding extends Pick<Lock, "kind" | "former"> {
  /** The file in which the present holder stands. */
  readonly path: string;
  /** False only where it is known that the lock is not ours any more. */
  readonly isOurs: () => Promise<boolean>;
  /** Shows the others that we live, while it is ours. */
  readonly beat?: () => Promise<void>;
  readonly release: () => Promise<void>;
}

/** The lock for as long as it is held. */
export function holdLock({ kind, former, path, isOurs, beat, release }: Holding): Lock {
  const lost = new AbortController();
  const look = async () => {
    if (lost.signal.aborted || await isOurs()) return;
    lost.abort(await takenOver(path));
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
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat);
      await release();
    },
  };
}

async function takenOver(path: string): Promise<CliError> {
  const who = nameHolder(await readHolder(path));
  return new CliError("locked", `Cannot go on: the lock "${path}" was taken over by ${who}`, {
    hint: "run the command again: it goes on with what the other one leaves",
  });
}
