// The functions of libc that the program calls, bound once for each isolate when the first of them is needed. All of them are
// exported by glibc 2.28 (RHEL 8). It lacks getdents64, mknodat and fstatat: the first two are called through syscall(2), and
// statx(2) replaces the third.
import { CliError, messageOf } from "../errors/errors.ts";

const SYMBOLS = {
  __errno_location: { parameters: [], result: "pointer" },
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32" },
  close: { parameters: ["i32"], result: "i32" },
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
  syscall: { parameters: ["i64", "i32", "buffer", "usize", "usize"], result: "i64" },
  pread: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  pwrite: { parameters: ["i32", "buffer", "usize", "i64"], result: "isize" },
  lseek: { parameters: ["i32", "i64", "i32"], result: "i64" },
  ftruncate: { parameters: ["i32", "i64"], result: "i32" },
  copy_file_range: { parameters: ["i32", "buffer", "i32", "buffer", "usize", "u32"], result: "isize" },
  futimens: { parameters: ["i32", "buffer"], result: "i32" },
  utimensat: { parameters: ["i32", "buffer", "buffer", "i32"], result: "i32" },
  fchmod: { parameters: ["i32", "u32"], result: "i32" },
  fchmodat: { parameters: ["i32", "buffer", "u32", "i32"], result: "i32" },
  fchown: { parameters: ["i32", "u32", "u32"], result: "i32" },
  fchownat: { parameters: ["i32", "buffer", "u32", "u32", "i32"], result: "i32" },
  mkdirat: { parameters: ["i32", "buffer", "u32"], result: "i32" },
  symlinkat: { parameters: ["buffer", "i32", "buffer"], result: "i32" },
  readlinkat: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  linkat: { parameters: ["i32", "buffer", "i32", "buffer", "i32"], result: "i32" },
  unlinkat: { parameters: ["i32", "buffer", "i32"], result: "i32" },
  renameat2: { parameters: ["i32", "buffer", "i32", "buffer", "u32"], result: "i32" },
  fsync: { parameters: ["i32"], result: "i32" },
  flock: { parameters: ["i32", "i32"], result: "i32" },
  syncfs: { parameters: ["i32"], result: "i32" },
  flistxattr: { parameters: ["i32", "buffer", "usize"], result: "isize" },
  fgetxattr: { parameters: ["i32", "buffer", "buffer", "usize"], result: "isize" },
  fsetxattr: { parameters: ["i32", "buffer", "buffer", "usize", "i32"], result: "i32" },
  fcntl: { parameters: ["i32", "i32", "buffer"], result: "i32" },
  getrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  setrlimit: { parameters: ["i32", "buffer"], result: "i32" },
  umask: { parameters: ["u32"], result: "u32" },
} as const satisfies Record<string, Deno.ForeignFunction>;

type Symbols = typeof SYMBOLS;
type WaitingSymbols = { [Name in keyof Symbols]: Symbols[Name] & { nonblocking: true } };

/** The runtime accepts numbers for 64-bit parameters, and is faster with them; its types allow only `bigint`. */
type WithNumbers<Functions> = {
  [Name in keyof Functions]: Functions[Name] extends (...args: infer Args) => infer Result
    ? (...args: { [Index in keyof Args]: Args[Index] extends bigint ? number : Args[Index] }) => Result
    : never;
};

/** The plain form blocks the isolate until the kernel answers; the waiting form runs on a thread of the runtime. */
export interface Libc {
  readonly plain: WithNumbers<Deno.StaticForeignLibraryInterface<Symbols>>;
  readonly waiting: WithNumbers<Deno.StaticForeignLibraryInterface<WaitingSymbols>>;
  /** The error number of the last plain call of this thread. */
  errno(): number;
}

/** The names that are bound, for the test that compares them with what glibc 2.28 exports. */
export const BOUND_SYMBOLS: readonly string[] = Object.keys(SYMBOLS);

let loaded: Libc | undefined;

/** Binds libc at the first call. Throws a CliError `missing-tool` if libc lacks a function. */
export function loadLibc(): Libc {
  return loaded ??= bind();
}

function bind(): Libc {
  try {
    // libc is loaded already; dlopen(3) finds the loaded library by this name.
    const plain = Deno.dlopen("libc.so.6", SYMBOLS).symbols;
    const nonblocking = Object.fromEntries(
      Object.entries(SYMBOLS).map(([name, symbol]) => [name, { ...symbol, nonblocking: true }]),
    ) as unknown as WaitingSymbols;
    const waiting = Deno.dlopen("libc.so.6", nonblocking).symbols;
    const location = plain.__errno_location();
    if (location === null) throw new Error("it does not say where it keeps errno");
    const errno = new Int32Array(Deno.UnsafePointerView.getArrayBuffer(location, 4));
    return { plain, waiting, errno: () => errno[0]! } as unknown as Libc;
  } catch (error) {
    throw new CliError("missing-tool", `Cannot call the functions of libc.so.6: ${messageOf(error)}`, {
      hint: "euler-files needs glibc 2.28 or newer; `ldd --version` tells which one this machine has",
      cause: error,
    });
  }
}

/** The address of a buffer, for a parameter that is bound as a number. The buffer must stay reachable. */
export function addressOf(bytes: Uint8Array<ArrayBuffer>): number {
  return Number(Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes)));
}

const isArm = Deno.build.arch === "aarch64";

/** Numbers for syscall(2), and open(2) flags, which differ between the processors. */
export const SYS_GETDENTS64 = isArm ? 61 : 217;
export const SYS_NEWFSTATAT = isArm ? 79 : 262;
export const SYS_MKNODAT = isArm ? 33 : 259;
export const O_DIRECTORY = isArm ? 0o40000 : 0o200000;
export const O_NOFOLLOW = isArm ? 0o100000 : 0o400000;

export const O_RDONLY = 0;
export const O_WRONLY = 1;
export const O_RDWR = 2;
export const O_CREAT = 0o100;
export const O_EXCL = 0o200;
export const O_NONBLOCK = 0o4000;
export const O_APPEND = 0o2000;
export const O_CLOEXEC = 0o2000000;
export const O_PATH = 0o10000000;
export const AT_FDCWD = -100;
export const AT_SYMLINK_NOFOLLOW = 0x100;
export const AT_REMOVEDIR = 0x200;
export const AT_EMPTY_PATH = 0x1000;
export const AT_NO_AUTOMOUNT = 0x800;
export const AT_STATX_FORCE_SYNC = 0x2000;
export const RENAME_NOREPLACE = 1;
export const LOCK_SH = 1;
export const LOCK_EX = 2;
export const LOCK_NB = 4;
export const RENAME_EXCHANGE = 2;
export const SEEK_DATA = 3;
export const SEEK_HOLE = 4;
/** Type, mode, links, owner, times of modification and change, inode, size and blocks: the fields that statx(2) is asked for. */
export const STATX_ASKED = 0x7df;
/** The fcntl(2) command that finds locks of processes and of other open file descriptions. */
export const F_OFD_GETLK = 36;
export const F_RDLCK = 0;
export const F_WRLCK = 1;
export const F_UNLCK = 2;
/** As nanoseconds: sets the time to the present (utimensat(2)). */
export const UTIME_NOW = 0x3fffffff;
