// Finds out whether a process that left files behind still runs; possible only for processes of this host and PID namespace.
import { systemRefusalOf } from "../errors/errors.ts";

/** A process as it identifies itself in lock files and temporary names. */
export interface ProcessName {
  readonly host: string;
  readonly pid: number;
  /** The inode of /proc/PID/ns/pid (namespaces(7)): a job in a namespace of its own numbers its processes from 1. */
  readonly pidNamespace?: number;
}

const ESRCH = 3;

let ownNamespace: number | undefined;

/** The PID namespace of this process, 0 if /proc does not tell it. */
export function pidNamespace(): number {
  return ownNamespace ??= readNamespace();
}

function readNamespace(): number {
  try {
    return Number(/\d+/.exec(Deno.readLinkSync("/proc/self/ns/pid"))?.[0] ?? 0);
  } catch {
    return 0;
  }
}

/**
 * Whether a process ran on this host and has ended. False if that is unknown. A zombie has ended: /proc keeps its entry until
 * its parent waits for it, and in many containers the process that inherits orphans never does.
 */
export async function isDeadHere(
  process: ProcessName | undefined,
  { hostName }: { readonly hostName: string },
): Promise<boolean> {
  if (process === undefined || process.host !== hostName) return false;
  if (process.pidNamespace !== undefined && process.pidNamespace !== pidNamespace()) return false;
  try {
    const stat = await Deno.readTextFile(`/proc/${process.pid}/stat`);
    // proc(5): `PID (NAME) STATE …`; the name may contain parentheses.
    return /^ [ZX]/.test(stat.slice(stat.lastIndexOf(")") + 1));
  } catch (error) {
    // ESRCH: it ended between the open and the read.
    return error instanceof Deno.errors.NotFound || systemRefusalOf(error)?.errno === ESRCH;
  }
}
