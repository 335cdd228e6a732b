// How many files this process may hold open (RLIMIT_NOFILE), and how many of them a transfer uses. Idle directory handles are
// kept only for speed: they are closed if another file can't be opened.
import { loadLibc } from "./libc.ts";

/** How many of the files that the process may open a transfer may use. */
export interface HandleBudget {
  /** `tight`: calls are made one after the other, in the main isolate, for one variable at a time. */
  readonly state: "ample" | "tight";
  /** How many idle directory handles a tree keeps. */
  readonly idleHandles: number;
}

/** The default of most shells. A lower limit is raised, if the system allows it. */
const USUAL_LIMIT = 1024;

/** With fewer free handles than this, two isolates with 32 concurrent calls each do not fit. */
const TIGHT = 512;

const MOST_IDLE_HANDLES = 96;

/** Trees of a transfer: both sides, the temporary directory and the files that rsync copied, each with a few handles in use. */
const SHARES = 12;

/** The number of open files if /proc does not tell it: standard streams, the runtime's own, a lock. */
const OPEN_FILES = 24;

let budget: HandleBudget | undefined;

/** The budget of this process, determined once. Raises a low limit. */
export function handleBudget(): HandleBudget {
  return budget ??= budgetFor(raisedLimit() - openFiles());
}

/** How many variables are transferred at the same time, if `wanted` are asked for. */
export function variablesAtOnce(wanted: number): number {
  return handleBudget().state === "tight" ? 1 : wanted;
}

/** The budget if `spare` more files may be opened. Pure. */
function budgetFor(spare: number): HandleBudget {
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

/** An object that holds handles which it can close and open again. */
export interface HandleHolder {
  closeIdle(): void;
}

const holders = new Set<HandleHolder>();

/** Registers a holder, to be asked to close idle handles when there are too many. */
export function addHolder(holder: HandleHolder): void {
  holders.add(holder);
}

/** Unregisters a holder that has no handles any more. */
export function removeHolder(holder: HandleHolder): void {
  holders.delete(holder);
}

/** Closes all idle handles of this isolate. */
export function closeIdleHandles(): void {
  for (const holder of holders) holder.closeIdle();
}
