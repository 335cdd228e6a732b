// Why a file of the sending side did not arrive on the receiving side.
import { isPermissionErrno, SystemCallError } from "../posix/errno.ts";

/**
 * Why a name did not arrive. `vanished`: deleted on the sending side; `refused`: its permissions there forbid reading, or the
 * followed link to it leads nowhere now; `changing`: another program wrote to it during each attempt; `newer`: it was written
 * after the walk began, or refers to a file that vanished, so it was left to the next transfer; `failed`: anything else.
 */
export type MissingCause = "vanished" | "refused" | "changing" | "newer" | "failed";

/** The reason given for a file that changed during each attempt. */
export const CHANGING_REASON = "it changed while it was copied";

/** The source changed between the plan and the copy, or while it was read. */
export class Changed extends Error {}

/** The cause of an error. Only the source can refuse to let a file be read: on the receiving side EACCES is a failure. */
export function causeOf(error: Error, from: string): MissingCause {
  if (error instanceof Changed) return "changing";
  if (!(error instanceof SystemCallError)) return "failed";
  const isOfSource = error.path === from || error.path.startsWith(`${from}/`);
  return isOfSource && isPermissionErrno(error.errno) ? "refused" : "failed";
}
