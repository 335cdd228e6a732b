// System calls on directory handles, as a value that can be wrapped: tests count the calls and make the N-th fail. An answer is
// the result of the call, or a negative error number, as the kernel itself returns it. The plain form answers immediately and
// blocks the isolate; the waiting form answers with a promise and occupies a thread of the runtime.
import { EIO, EMFILE, ENOSYS, EPERM } from "./errno.ts";
import type { CachedLooks } from "./cached_looks.ts";
import { closeIdleHandles } from "./handles.ts";
import { addressOf, AT_FDCWD, F_OFD_GETLK, loadLibc, SYS_GETDENTS64, SYS_MKNODAT, SYS_NEWFSTATAT } from "./libc.ts";
import { STAT_BYTES, statusFromStat } from "./plain_stat.ts";

/** A result, or a negative error number. */
export type Answer = number | Promise<number>;

/** Bytes for or from the kernel. They must stay unchanged and reachable until a waiting call has answered. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** The calls. Names are bytes that end with a NUL; directories are open handles or AT_FDCWD. */
export interface Calls {
  readonly form: "plain" | "waiting";
  /** In a Worker, the waiting form has plain looks for names whose directory was just read. */
  readonly cachedLooks?: CachedLooks;
  openat(directory: number, name: Bytes, flags: number, mode: number): Answer;
  /** Closes a file that was written: the answer may be the error of an earlier write. Never repeated. */
  close(file: number): Answer;
  /** Closes a handle without data, and ignores the answer. */
  closeHandle(file: number): void;
  statx(directory: number, name: Bytes, flags: number, mask: number, status: Bytes): Answer;
  getdents(directory: number, entries: Bytes): Answer;
  pread(file: number, bytes: Bytes, length: number, offset: number): Answer;
  pwrite(file: number, bytes: Bytes, length: number, offset: number): Answer;
  lseek(file: number, offset: number, whence: number): Answer;
  ftruncate(file: number, length: number): Answer;
  copyFileRange(from: number, fromOffset: number, to: number, toOffset: number, length: number): Answer;
  /** `times` holds two `timespec`: access, modification. */
  futimens(file: number, times: Bytes): Answer;
  utimensat(directory: number, name: Bytes, times: Bytes, flags: number): Answer;
  fchmod(file: number, mode: number): Answer;
  fchmodat(directory: number, name: Bytes, mode: number): Answer;
  fchown(file: number, userId: number, groupId: number): Answer;
  fchownat(directory: number, name: Bytes, userId: number, groupId: number, flags: number): Answer;
  mkdirat(directory: number, name: Bytes, mode: number): Answer;
  mknodat(directory: number, name: Bytes, mode: number, device: number): Answer;
  symlinkat(target: Bytes, directory: number, name: Bytes): Answer;
  readlinkat(directory: number, name: Bytes, target: Bytes): Answer;
  linkat(directory: number, name: Bytes, newDirectory: number, newName: Bytes): Answer;
  unlinkat(directory: number, name: Bytes, flags: number): Answer;
  renameat2(directory: number, name: Bytes, newDirectory: number, newName: Bytes, flags: number): Answer;
  /** Never repeated: the kernel reports an error of earlier writes only once. */
  fsync(file: number): Answer;
  syncfs(file: number): Answer;
  flistxattr(file: number, names: Bytes): Answer;
  fgetxattr(file: number, name: Bytes, value: Bytes): Answer;
  fsetxattr(file: number, name: Bytes, value: Bytes, length: number): Answer;
  /** Writes another process's or open file's lock in the range of a `struct flock` into it (fcntl(2)). */
  askLock(file: number, flock: Bytes): Answer;
}

/** How often a failed call is repeated at most until two answers agree. */
const MOST_TRIES = 5;

/** How often, and how long each time, a waiting open waits after EMFILE for other work to close a file. */
const MOST_WAITS = 200;
const WAIT_MILLISECONDS = 10;

type Failing = () => number | bigint;

/** The calls in the plain form. Throws an Error if libc can't be bound. */
export function plainCalls(): Calls {
  const { plain: c, errno } = loadLibc();
  // errno belongs to the thread, and about once in 200,000 calls the runtime makes a call of its own before errno is read. So a
  // failed call is repeated until two readings agree.
  const settle = (again: Failing): number => {
    let before = errno();
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const result = Number(again());
      if (result >= 0) return result;
      const now = errno();
      if (now === before && now > 0) return -now;
      before = now;
    }
    return before > 0 ? -before : -EIO;
  };
  const once = (result: number): number => result >= 0 ? result : -(errno() || EIO);
  // A file system may report the error of an earlier write at a later call, and only once: a repetition that succeeds does not
  // mean that the earlier bytes were written. The repetition only serves to read the error number.
  const settleWrite = (again: Failing): number => {
    const first = errno();
    const answer = settle(again);
    return answer >= 0 ? -(first || EIO) : answer;
  };
  return {
    form: "plain",
    openat(d, name, flags, mode) {
      const r = c.openat(d, name, flags, mode);
      if (r >= 0) return r;
      const answer = settle(() => c.openat(d, name, flags, mode));
      if (answer !== -EMFILE) return answer;
      closeIdleHandles();
      return settle(() => c.openat(d, name, flags, mode));
    },
    close: (f) => once(c.close(f)),
    closeHandle: (f) => void c.close(f),
    statx(d, name, flags, mask, status) {
      if (!isStatxRefused) {
        const r = c.statx(d, name, flags, mask, status);
        if (r >= 0) return r;
        const answer = settle(() => c.statx(d, name, flags, mask, status));
        if (answer !== -ENOSYS && answer !== -EPERM) return answer;
        // Test statx on our own working directory, which is always permitted: if it fails too, a seccomp filter refuses it.
        const own = settle(() => c.statx(AT_FDCWD, WORKING_DIRECTORY, 0, mask, new Uint8Array(status.length)));
        if (own !== -ENOSYS && own !== -EPERM) return answer;
        isStatxRefused = true;
      }
      const stat = new Uint8Array(STAT_BYTES);
      const r = settle(() => c.syscall(SYS_NEWFSTATAT, d, name, addressOf(stat), flags));
      if (r >= 0) statusFromStat(stat, status);
      return r;
    },
    getdents(d, entries) {
      const r = Number(c.syscall(SYS_GETDENTS64, d, entries, entries.length, 0));
      return r >= 0 ? r : settle(() => c.syscall(SYS_GETDENTS64, d, entries, entries.length, 0));
    },
    pread(f, bytes, length, offset) {
      const r = Number(c.pread(f, bytes, length, offset));
      return r >= 0 ? r : settle(() => c.pread(f, bytes, length, offset));
    },
    pwrite(f, bytes, length, offset) {
      const r = Number(c.pwrite(f, bytes, length, offset));
      return r >= 0 ? r : settleWrite(() => c.pwrite(f, bytes, length, offset));
    },
    lseek(f, offset, whence) {
      const r = Number(c.lseek(f, offset, whence));
      return r >= 0 ? r : settle(() => c.lseek(f, offset, whence));
    },
    ftruncate(f, length) {
      const r = c.ftruncate(f, length);
      return r >= 0 ? r : settleWrite(() => c.ftruncate(f, length));
    },
    copyFileRange(from, fromOffset, to, toOffset, length) {
      const [a, b] = [offsetBytes(fromOffset), offsetBytes(toOffset)];
      const r = Number(c.copy_file_range(from, a, to, b, length, 0));
      if (r >= 0) return r;
      return settleWrite(() => c.copy_file_range(from, offsetBytes(fromOffset), to, offsetBytes(toOffset), length, 0));
    },
    futimens(f, times) {
      const r = c.futimens(f, times);
      return r >= 0 ? r : settle(() => c.futimens(f, times));
    },
    utimensat(d, name, times, flags) {
      const r = c.utimensat(d, name, times, flags);
      return r >= 0 ? r : settle(() => c.utimensat(d, name, times, flags));
    },
    fchmod(f, mode) {
      const r = c.fchmod(f, mode);
      return r >= 0 ? r : settle(() => c.fchmod(f, mode));
    },
    fchmodat(d, name, mode) {
      const r = c.fchmodat(d, name, mode, 0);
      return r >= 0 ? r : settle(() => c.fchmodat(d, name, mode, 0));
    },
    fchown(f, userId, groupId) {
      const r = c.fchown(f, userId, groupId);
      return r >= 0 ? r : settle(() => c.fchown(f, userId, groupId));
    },
    fchownat(d, name, userId, groupId, flags) {
      const r = c.fchownat(d, name, userId, groupId, flags);
      return r >= 0 ? r : settle(() => c.fchownat(d, name, userId, groupId, flags));
    },
    mkdirat(d, name, mode) {
      const r = c.mkdirat(d, name, mode);
      return r >= 0 ? r : settle(() => c.mkdirat(d, name, mode));
    },
    mknodat(d, name, mode, device) {
      const r = Number(c.syscall(SYS_MKNODAT, d, name, mode, device));
      return r >= 0 ? r : settle(() => c.syscall(SYS_MKNODAT, d, name, mode, device));
    },
    symlinkat(target, d, name) {
      const r = c.symlinkat(target, d, name);
      return r >= 0 ? r : settle(() => c.symlinkat(target, d, name));
    },
    readlinkat(d, name, target) {
      const r = Number(c.readlinkat(d, name, target, target.length));
      return r >= 0 ? r : settle(() => c.readlinkat(d, name, target, target.length));
    },
    linkat(d, name, newD, newName) {
      const r = c.linkat(d, name, newD, newName, 0);
      return r >= 0 ? r : settle(() => c.linkat(d, name, newD, newName, 0));
    },
    unlinkat(d, name, flags) {
      const r = c.unlinkat(d, name, flags);
      return r >= 0 ? r : settle(() => c.unlinkat(d, name, flags));
    },
    renameat2(d, name, newD, newName, flags) {
      const r = c.renameat2(d, name, newD, newName, flags);
      return r >= 0 ? r : settle(() => c.renameat2(d, name, newD, newName, flags));
    },
    fsync: (f) => once(c.fsync(f)),
    syncfs: (f) => once(c.syncfs(f)),
    flistxattr(f, names) {
      const r = Number(c.flistxattr(f, names, names.length));
      return r >= 0 ? r : settle(() => c.flistxattr(f, names, names.length));
    },
    fgetxattr(f, name, value) {
      const r = Number(c.fgetxattr(f, name, value, value.length));
      return r >= 0 ? r : settle(() => c.fgetxattr(f, name, value, value.length));
    },
    fsetxattr(f, name, value, length) {
      const r = c.fsetxattr(f, name, value, length, 0);
      return r >= 0 ? r : settle(() => c.fsetxattr(f, name, value, length, 0));
    },
    askLock(f, flock) {
      const r = c.fcntl(f, F_OFD_GETLK, flock);
      return r >= 0 ? r : settle(() => c.fcntl(f, F_OFD_GETLK, flock));
    },
  };
}

/** How many calls are made in the plain form after a call whose error number was lost. */
const CALLS_AFTER_LOST_NUMBER = 16;

/**
 * The calls in the waiting form. The errno of a failed call is on a thread of the runtime, out of our reach, so the call is
 * repeated in the plain form, which returns the number; if the repetition succeeds, the call has succeeded. A call that ends
 * writing is never repeated and answers EIO. A full quota makes the next file fail as well, so the next such calls use the
 * plain form and return the number.
 */
export function waitingCalls(plain: Calls = plainCalls()): Calls {
  const { waiting: c } = loadLibc();
  const or = (first: Promise<number | bigint>, again: () => Answer): Promise<number> =>
    first.then((result) => result >= 0 ? Number(result) : again());
  let plainCallsLeft = 0;
  const lost = (result: number): number => {
    if (result >= 0) return result;
    plainCallsLeft = CALLS_AFTER_LOST_NUMBER;
    return -EIO;
  };
  const once = (wait: () => Promise<number>, tell: () => Answer): Answer => {
    if (plainCallsLeft === 0) return wait().then(lost);
    plainCallsLeft--;
    return tell();
  };
  const write = (first: Promise<number | bigint>, again: () => Answer): Promise<number> =>
    first.then(async (result) => {
      if (result >= 0) return Number(result);
      const answer = await again();
      return answer >= 0 ? lost(-1) : answer;
    });
  const openWhenPossible = async (d: number, name: Bytes, flags: number, mode: number): Promise<number> => {
    for (let waits = 0;; waits++) {
      const answer = await plain.openat(d, name, flags, mode);
      if (answer !== -EMFILE || waits === MOST_WAITS) return answer;
      // Other work closes files in the meantime.
      await new Promise((resolve) => setTimeout(resolve, WAIT_MILLISECONDS));
    }
  };
  // Keep references to buffers that the kernel writes to and that no caller holds: if one were garbage-collected before the
  // answer, the kernel would overwrite other memory.
  const written = new Set<readonly Bytes[]>();
  return {
    form: "waiting",
    openat: (d, name, flags, mode) => or(c.openat(d, name, flags, mode), () => openWhenPossible(d, name, flags, mode)),
    close: (f) => once(() => c.close(f), () => plain.close(f)),
    closeHandle: (f) => void c.close(f),
    async statx(d, name, flags, mask, status) {
      const again = () => plain.statx(d, name, flags, mask, status);
      if (!isStatxRefused) return await or(c.statx(d, name, flags, mask, status), again);
      const stat = new Uint8Array(STAT_BYTES);
      const buffers = [stat] as const;
      written.add(buffers);
      const answer = Number(await c.syscall(SYS_NEWFSTATAT, d, name, addressOf(stat), flags));
      written.delete(buffers);
      if (answer < 0) return await again();
      statusFromStat(stat, status);
      return answer;
    },
    getdents: (d, entries) =>
      or(c.syscall(SYS_GETDENTS64, d, entries, entries.length, 0), () => plain.getdents(d, entries)),
    pread: (f, bytes, length, offset) =>
      or(c.pread(f, bytes, length, offset), () => plain.pread(f, bytes, length, offset)),
    pwrite: (f, bytes, length, offset) =>
      write(c.pwrite(f, bytes, length, offset), () => plain.pwrite(f, bytes, length, offset)),
    lseek: (f, offset, whence) => or(c.lseek(f, offset, whence), () => plain.lseek(f, offset, whence)),
    ftruncate: (f, length) => write(c.ftruncate(f, length), () => plain.ftruncate(f, length)),
    async copyFileRange(from, fromOffset, to, toOffset, length) {
      const offsets = [offsetBytes(fromOffset), offsetBytes(toOffset)] as const;
      written.add(offsets);
      const copied = Number(await c.copy_file_range(from, offsets[0], to, offsets[1], length, 0));
      written.delete(offsets);
      if (copied >= 0) return copied;
      const again = await plain.copyFileRange(from, fromOffset, to, toOffset, length);
      return again >= 0 ? lost(-1) : again;
    },
    futimens: (f, times) => or(c.futimens(f, times), () => plain.futimens(f, times)),
    utimensat: (d, name, times, flags) =>
      or(c.utimensat(d, name, times, flags), () => plain.utimensat(d, name, times, flags)),
    fchmod: (f, mode) => or(c.fchmod(f, mode), () => plain.fchmod(f, mode)),
    fchmodat: (d, name, mode) => or(c.fchmodat(d, name, mode, 0), () => plain.fchmodat(d, name, mode)),
    fchown: (f, userId, groupId) => or(c.fchown(f, userId, groupId), () => plain.fchown(f, userId, groupId)),
    fchownat: (d, name, userId, groupId, flags) =>
      or(c.fchownat(d, name, userId, groupId, flags), () => plain.fchownat(d, name, userId, groupId, flags)),
    mkdirat: (d, name, mode) => or(c.mkdirat(d, name, mode), () => plain.mkdirat(d, name, mode)),
    mknodat: (d, name, mode, device) =>
      or(c.syscall(SYS_MKNODAT, d, name, mode, device), () => plain.mknodat(d, name, mode, device)),
    symlinkat: (target, d, name) => or(c.symlinkat(target, d, name), () => plain.symlinkat(target, d, name)),
    readlinkat: (d, name, target) =>
      or(c.readlinkat(d, name, target, target.length), () => plain.readlinkat(d, name, target)),
    linkat: (d, name, newD, newName) =>
      or(c.linkat(d, name, newD, newName, 0), () => plain.linkat(d, name, newD, newName)),
    unlinkat: (d, name, flags) => or(c.unlinkat(d, name, flags), () => plain.unlinkat(d, name, flags)),
    renameat2: (d, name, newD, newName, flags) =>
      or(c.renameat2(d, name, newD, newName, flags), () => plain.renameat2(d, name, newD, newName, flags)),
    fsync: (f) => once(() => c.fsync(f), () => plain.fsync(f)),
    syncfs: (f) => once(() => c.syncfs(f), () => plain.syncfs(f)),
    flistxattr: (f, names) => or(c.flistxattr(f, names, names.length), () => plain.flistxattr(f, names)),
    fgetxattr: (f, name, value) => or(c.fgetxattr(f, name, value, value.length), () => plain.fgetxattr(f, name, value)),
    fsetxattr: (f, name, value, length) =>
      or(c.fsetxattr(f, name, value, length, 0), () => plain.fsetxattr(f, name, value, length)),
    askLock: (f, flock) => or(c.fcntl(f, F_OFD_GETLK, flock), () => plain.askLock(f, flock)),
  };
}

/** Set if a container's seccomp filter refuses statx(2); found by the first call in this isolate. */
let isStatxRefused = false;

const WORKING_DIRECTORY: Bytes = new Uint8Array([0x2e, 0]);

function offsetBytes(offset: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigInt64(0, BigInt(offset), true);
  return bytes;
}

let umask: number | undefined;

/**
 * The umask of this process (umask(2)). It is read once, from /proc if possible: umask(2) can only be read by setting another
 * mask, and a file made at that moment would get the wrong mode.
 */
export function readUmask(): number {
  return umask ??= umaskInProc() ?? askUmask();
}

function umaskInProc(): number | undefined {
  try {
    const digits = /^Umask:\s*([0-7]+)$/m.exec(Deno.readTextFileSync("/proc/self/status"))?.[1];
    return digits === undefined ? undefined : parseInt(digits, 8);
  } catch {
    return undefined;
  }
}

function askUmask(): number {
  const { plain } = loadLibc();
  const mask = plain.umask(0o077);
  plain.umask(mask);
  return mask;
}
