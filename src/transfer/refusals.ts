// Explains why a name cannot be made on the receiving file system: `Invalid argument` alone does not say whose rule it is.
import { messageOf } from "../errors/errors.ts";
import { EILSEQ, EINVAL, EOPNOTSUPP, EPERM, SystemCallError } from "../posix/errno.ts";

/** System calls that give a name to a file. */
const NAMING = ["create", "mkdir", "rename", "symlink", "mknod", "link"];

/** A sentence for an error of making a name; the error's message where that is clear. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof SystemCallError)) return messageOf(error);
  const { call, errno } = error;
  // FAT and NTFS allow no colon; other file systems allow only UTF-8.
  if (NAMING.includes(call) && (errno === EINVAL || errno === EILSEQ)) {
    return "the file system there does not take that name";
  }
  if (call === "symlink" && (errno === EPERM || errno === EOPNOTSUPP)) {
    return "the file system there has no symbolic links";
  }
  return messageOf(error);
}
