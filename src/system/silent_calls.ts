// Finds calls to file systems that do not return, for example because the server of a network file system is down. The kernel
// lets such a call wait forever, in whichever thread or program it was made. /proc shows the present call of each thread, with
// its arguments: a thread that is in the same call at each of many looks is waiting for a server.
import { LOOKS } from "./silence.ts";

/** A call that has not returned. */
export interface SilentCall {
  /** The path that the call is about, as far as /proc tells it. */
  readonly path: string;
  /** In how many looks it was seen. */
  readonly looks: number;
}

/** Numbers of calls on x86-64 and on aarch64, by the arguments that name the file; 0 if the processor has no such call. */
const CALLS = {
  // openat, openat2, statx, newfstatat, faccessat, faccessat2, readlinkat, mkdirat, mknodat, unlinkat, renameat, renameat2,
  // linkat, fchmodat, fchownat, utimensat
  "directory and name": [
    [257, 437, 332, 262, 269, 439, 267, 258, 259, 263, 264, 316, 265, 268, 260, 280],
    [56, 437, 291, 79, 48, 439, 78, 34, 33, 35, 38, 276, 37, 53, 54, 88],
  ],
  // open, stat, lstat, access, readlink, mkdir, rmdir, unlink, rename, link, chmod, chown, lchown, statfs, truncate, chdir,
  // getxattr, lgetxattr, listxattr, llistxattr
  "path": [
    [2, 4, 6, 21, 89, 83, 84, 87, 82, 86, 90, 92, 94, 137, 76, 80, 191, 192, 194, 195],
    [43, 45, 49, 8, 9, 11, 12],
  ],
  // read, pread64, readv, preadv, write, pwrite64, writev, lseek, fstat, getdents64, ftruncate, fallocate,
  // fchmod, fchown, copy_file_range, sendfile, fstatfs, fgetxattr, fsetxattr, flistxattr
  "open file": [
    [0, 17, 19, 295, 1, 18, 20, 8, 5, 217, 77, 285, 91, 93, 326, 40, 138, 193, 190, 196],
    [63, 67, 65, 69, 64, 68, 66, 62, 80, 61, 46, 47, 52, 55, 285, 71, 44, 10, 7, 13],
  ],
  // fsync, fdatasync, syncfs, close
  "flush": [
    [74, 75, 306, 3],
    [82, 83, 267, 57],
  ],
} as const;

type Arguments = keyof typeof CALLS;

/**
 * Calls that wait until all that was written to a file or a file system has reached the server: many gigabytes may be in the
 * memory of the node, and one call takes as long as they take. They count as silent after this many times the looks.
 */
export const FLUSH_FACTOR = 6;

/** AT_FDCWD as /proc writes it. */
const WORKING_DIRECTORY = "0xffffff9c";

/** Streams, devices and the kernel's own files: waiting for them is no fault. */
const NO_SERVER = /^(?!\/)|^\/(dev(?!\/shm\/)|proc|sys)(\/|$)/;

/** A call as /proc shows it, and in how many looks it was there without a break. */
interface Seen {
  readonly call: string;
  readonly looks: number;
}

/** Looks at all threads of this process, and at those of the programs that it has started. */
export class SilenceWatch {
  readonly #kinds = new Map<number, Arguments>();
  #forgiven: ReadonlySet<string> = new Set();
  #seen = new Map<string, Seen>();

  constructor(processor: "x86_64" | "aarch64" = Deno.build.arch) {
    for (const [kind, numbers] of Object.entries(CALLS) as [Arguments, readonly (readonly number[])[]][]) {
      for (const number of numbers[processor === "x86_64" ? 0 : 1]!) this.#kinds.set(number, kind);
    }
  }

  /** Sets the paths whose calls are not judged, since nothing waits for these calls. */
  forgive(paths: readonly string[]): void {
    this.#forgiven = new Set(paths);
  }

  /**
   * Looks once. Returns a call that was seen in {@linkcode LOOKS} consecutive looks, or {@linkcode FLUSH_FACTOR} times as many
   * if it writes to the disk; or undefined.
   */
  look(): SilentCall | undefined {
    const seen = new Map<string, Seen>();
    let silent: SilentCall | undefined;
    for (const thread of threads("/proc/self")) {
      const call = this.#callOf(thread);
      if (call === undefined) continue;
      const before = this.#seen.get(thread);
      const looks = before?.call === call ? before.looks + 1 : 1;
      seen.set(thread, { call, looks });
      const isFlush = this.#kindOf(call) === "flush";
      if (looks < LOOKS * (isFlush ? FLUSH_FACTOR : 1) || silent !== undefined) continue;
      const path = this.#pathOf(thread, call);
      if (path !== undefined && !this.#forgiven.has(path)) silent = { path, looks };
    }
    this.#seen = seen;
    return silent;
  }

  /** The present call about files; a call that reads or writes includes how many of them the thread has made. */
  #callOf(thread: string): string | undefined {
    const call = textOf(`${thread}/syscall`);
    const kind = call === undefined ? undefined : this.#kindOf(call);
    if (call === undefined || kind === undefined || call.startsWith("running")) return undefined;
    return kind === "open file" || kind === "flush" ? `${call}${textOf(`${thread}/io`) ?? ""}` : call;
  }

  #kindOf(call: string): Arguments | undefined {
    return this.#kinds.get(Number(call.slice(0, call.indexOf(" "))));
  }

  #pathOf(thread: string, call: string): string | undefined {
    const [number, first = "", second = ""] = call.split(" ");
    const kind = this.#kinds.get(Number(number));
    const isFile = kind === "open file" || kind === "flush";
    // A reader of our output may take its time.
    if (isFile && Number(first) <= 2) return undefined;
    const directory = kind === "path" || first.endsWith(WORKING_DIRECTORY.slice(2)) ? "cwd" : `fd/${Number(first)}`;
    const base = linkOf(`${thread}/${directory}`) ?? "";
    const name = isFile ? "" : nameAt(thread, kind === "path" ? first : second);
    const path = name?.startsWith("/") ? name : name === "" || name === undefined ? base : `${base}/${name}`;
    return NO_SERVER.test(path) ? undefined : path.replace(/\/\.$/, "");
  }
}

/** Directories of /proc, one for each thread of a process and of its descendants. */
function* threads(process: string): Generator<string> {
  let names: string[];
  try {
    names = [...Deno.readDirSync(`${process}/task`)].map(({ name }) => name);
  } catch {
    return;
  }
  for (const name of names) {
    yield `${process}/task/${name}`;
    const children = textOf(`${process}/task/${name}/children`)?.split(" ") ?? [];
    for (const child of children) if (/^\d+$/.test(child)) yield* threads(`/proc/${child}`);
  }
}

function textOf(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** The target of a link in /proc, which the kernel writes without asking a server. */
function linkOf(path: string): string | undefined {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return undefined;
  }
}

const PAGE_BYTES = 4096;

/** The text that ends with a NUL at an address in the memory of a thread. */
function nameAt(thread: string, address: string): string | undefined {
  try {
    using memory = Deno.openSync(`${thread}/mem`);
    let at = Number(address);
    let text = "";
    for (let pages = 0; pages < 2; pages++) {
      const piece = new Uint8Array(PAGE_BYTES - at % PAGE_BYTES);
      memory.seekSync(at, Deno.SeekMode.Start);
      const length = memory.readSync(piece) ?? 0;
      const end = piece.subarray(0, length).indexOf(0);
      text += new TextDecoder().decode(piece.subarray(0, end < 0 ? length : end));
      if (end >= 0) return text;
      at += length;
    }
    return text;
  } catch {
    return undefined;
  }
}
