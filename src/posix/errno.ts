// The kernel's error numbers with their names and messages (errno(3)), and the error that carries them. The numbers are those
// of x86_64 and aarch64, which are the same.

const KNOWN: Readonly<Record<number, readonly [name: string, sentence: string]>> = {
  1: ["EPERM", "Operation not permitted"],
  2: ["ENOENT", "No such file or directory"],
  4: ["EINTR", "Interrupted system call"],
  5: ["EIO", "Input/output error"],
  6: ["ENXIO", "No such device or address"],
  7: ["E2BIG", "Argument list too long"],
  9: ["EBADF", "Bad file descriptor"],
  11: ["EAGAIN", "Resource temporarily unavailable"],
  12: ["ENOMEM", "Cannot allocate memory"],
  13: ["EACCES", "Permission denied"],
  14: ["EFAULT", "Bad address"],
  16: ["EBUSY", "Device or resource busy"],
  17: ["EEXIST", "File exists"],
  18: ["EXDEV", "Invalid cross-device link"],
  19: ["ENODEV", "No such device"],
  20: ["ENOTDIR", "Not a directory"],
  21: ["EISDIR", "Is a directory"],
  22: ["EINVAL", "Invalid argument"],
  23: ["ENFILE", "Too many open files in system"],
  24: ["EMFILE", "Too many open files"],
  26: ["ETXTBSY", "Text file busy"],
  27: ["EFBIG", "File too large"],
  28: ["ENOSPC", "No space left on device"],
  29: ["ESPIPE", "Illegal seek"],
  30: ["EROFS", "Read-only file system"],
  31: ["EMLINK", "Too many links"],
  34: ["ERANGE", "Numerical result out of range"],
  36: ["ENAMETOOLONG", "File name too long"],
  37: ["ENOLCK", "No locks available"],
  38: ["ENOSYS", "Function not implemented"],
  39: ["ENOTEMPTY", "Directory not empty"],
  40: ["ELOOP", "Too many levels of symbolic links"],
  61: ["ENODATA", "No data available"],
  71: ["EPROTO", "Protocol error"],
  75: ["EOVERFLOW", "Value too large for defined data type"],
  84: ["EILSEQ", "Invalid or incomplete multibyte or wide character"],
  95: ["EOPNOTSUPP", "Operation not supported"],
  107: ["ENOTCONN", "Transport endpoint is not connected"],
  108: ["ESHUTDOWN", "Cannot send after transport endpoint shutdown"],
  110: ["ETIMEDOUT", "Connection timed out"],
  112: ["EHOSTDOWN", "Host is down"],
  113: ["EHOSTUNREACH", "No route to host"],
  116: ["ESTALE", "Stale file handle"],
  121: ["EREMOTEIO", "Remote I/O error"],
  122: ["EDQUOT", "Disk quota exceeded"],
  524: ["ENOTSUPP", "Operation not supported"],
};

export const EPERM = 1;
export const ENOENT = 2;
export const E2BIG = 7;
export const EIO = 5;
export const EACCES = 13;
export const EBUSY = 16;
export const EEXIST = 17;
export const EXDEV = 18;
export const ENOTDIR = 20;
export const EISDIR = 21;
export const EINVAL = 22;
export const EMFILE = 24;
export const EFBIG = 27;
export const ENOSPC = 28;
export const EMLINK = 31;
export const ERANGE = 34;
export const ENXIO = 6;
const ENAMETOOLONG = 36;
export const ENOSYS = 38;
export const ENOTEMPTY = 39;
export const ELOOP = 40;
export const ENODATA = 61;
export const EILSEQ = 84;
export const EOPNOTSUPP = 95;
export const ESTALE = 116;
export const EDQUOT = 122;

/** The name of an error number: `ENOSPC`. */
export function nameOfErrno(errno: number): string {
  return KNOWN[errno]?.[0] ?? `errno ${errno}`;
}

/** What an error number means, in the words of libc: `No space left on device`. */
export function sentenceOfErrno(errno: number): string {
  return KNOWN[errno]?.[1] ?? `Error number ${errno}`;
}

/** The error number whose message a text contains, such as a line of another program; undefined if there is none. */
export function errnoNamedIn(text: string): number | undefined {
  const found = Object.entries(KNOWN).find(([, [, sentence]]) => text.includes(sentence));
  return found === undefined ? undefined : Number(found[0]);
}

/** Whether an error number says that the disk or a quota is full. */
export function isFullDiskErrno(errno: number): boolean {
  return errno === ENOSPC || errno === EDQUOT;
}

/** Whether an error number means that permissions forbid the call. */
export function isPermissionErrno(errno: number): boolean {
  return errno === EACCES || errno === EPERM;
}

const LIMITS = [EPERM, EACCES, EINVAL, EFBIG, EMLINK, ENAMETOOLONG, EILSEQ, EOPNOTSUPP];

/** Whether an error number means that a file system can't or may not hold such a file: a retry would fail as well. */
export function isLimitErrno(errno: number): boolean {
  return LIMITS.includes(errno);
}

/**
 * A system call that failed. Its message has the form of the runtime's own errors, `Permission denied (os error 13): openat
 * 'a/b'`, so that errors.ts recognizes both by the same text.
 */
export class SystemCallError extends Error {
  override readonly name = "SystemCallError";

  /** `errno` as in errno(3); `path` as the caller knows it, relative to a root or absolute. */
  constructor(readonly errno: number, readonly call: string, readonly path: string) {
    super(`${sentenceOfErrno(errno)} (os error ${errno}): ${call} '${path}'`);
  }
}

/** Returns the answer of a call, or throws a {@linkcode SystemCallError} if it is negative. */
export function succeeded(answer: number, call: string, path: string): number {
  if (answer < 0) throw new SystemCallError(-answer, call, path);
  return answer;
}
