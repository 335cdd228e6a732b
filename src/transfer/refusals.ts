// Why a name can't be made where files go, in words that say whose rule it is: `Invalid argument` alone says nothing.
import { messageOf } from "../errors.ts";
import { EILSEQ, EINVAL, EOPNOTSUPP, EPERM, SystemCallError } from "../posix/errno.ts";

/** Calls that give a name to something. */
const NAMING = ["create", "mkdir", "rename", "symlink", "mknod", "link"];

/** The sentence for an error while a name was made; its own words where they say enough. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof SystemCallError)) return messageOf(error);
  const { call, errno } = error;
  // FAT and NTFS allow no colon, and others only UTF-8.
  if (NAMING.includes(call) && (errno === EINVAL || errno === EILSEQ)) {
    return "the file system there does not take that name";
  }
  if (call === "symlink" && (errno === EPERM || errno === EOPNOTSUPP)) {
    return "the file system there has no symbolic links";
  }
  return messageOf(error);
}
