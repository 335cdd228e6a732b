// How many files this process may hold open (RLIMIT_NOFILE), and how many of them a transfer takes. Directory handles that
// nothing uses at the moment are kept only to be quicker: they are closed when another file can't be opened.
import { loadLibc } from "./libc.ts";

/** What a transfer may take of the files that the process may open. */
export interface HandleBudget {
  /** `tight`: calls are made one after the other, in the main isolate, for one variable at a time. */
  readonly state: "ample" | "tight";
  /** Handles of directories that a tree keeps although nothing uses them. */
  readonly idleHandles: number;
}

/** Below this limit the shell's own is raised, if the system allows it: it is what most programs are started with. */
const USUAL_LIMIT = 1024;

/** With fewer to spare than this, two isolates with 32 calls under way in each do not fit. */
const TIGHT = 512;

const MOST_IDLE_HANDLES = 96;

/** Trees of a transfer: both sides, the temporary directory and what rsync carried, each with a few handles in use. */
const SHARES = 12;

/** What is open where /proc does not tell it: standard streams, the runtime's own, a lock. */
const OPEN_FILES = 24;

let budget: HandleBudget | undefined;

/** The budget of this process, found once. Raises the limit where that is low. */
export function handleBudget(): HandleBudget {
  return budget ??= budgetFor(raisedLimit() - openFiles());
}

/** How many variables are transferred side by side, where `wanted` may be. */
export function variablesAtOnce(wanted: number): number {
  return handleBudget().state === "tight" ? 1 : wanted;
}

/** The budget where so many more files may be opened. Pure. */
export function budgetFor(spare: number): HandleBudget {
  const idleHandles = Math.max(1, Math.min(MOST_IDLE_HANDLES, Math.floor(spare / SHARES)));
  return { state: spare < TIGHT ? "tight" : "ample", idleHandles };
}

const RLIMIT_NOFILE = 7;

function raisedLimit(): number {
  const { plain } = loadLibc();
  const limit = new BigUint64Array(2);
  const bytes = new Uint8Array(limit.buffer);
  if (plain.getrlimit(RLIMIT_NOFILE, bytes) !== 0) return USUAL_LIMIT;
  const [soft = 0n, hard = 0n] = limit;
  if (soft >= USUAL_LIMIT) return Number(soft);
  limit[0] = hard < USUAL_LIMIT ? hard : BigInt(USUAL_LIMIT);
  return plain.setrlimit(RLIMIT_NOFILE, bytes) === 0 ? Number(limit[0]) : Number(soft);
}

function openFiles(): number {
  try {
    return [...Deno.readDirSync("/proc/self/fd")].length;
  } catch {
    return OPEN_FILES;
  }
}

/** Something that holds handles which it can do without. */
export interface HandleHolder {
  closeIdle(): void;
}

const holders = new Set<HandleHolder>();

/** Lets a holder be asked to close handles when there are too many. */
export function addHolder(holder: HandleHolder): void {
  holders.add(holder);
}

/** It holds none any more. */
export function removeHolder(holder: HandleHolder): void {
  holders.delete(holder);
}

/** Closes all handles of this isolate that nothing uses. */
export function closeIdleHandles(): void {
  for (const holder of holders) holder.closeIdle();
}
