// System calls that fail, transfer less or end the process on command: libc behind a hook that sees each call before it
// is made.
import "./libc.ts";
import { type Answer, type Bytes, type Calls, plainCalls, waitingCalls } from "../../src/posix/calls.ts";
import { decodeName } from "../../src/posix/file_names.ts";
import { AT_FDCWD } from "../../src/posix/libc.ts";

/** The name of a call. */
export type CallName = Exclude<keyof Calls, "form" | "cachedLooks">;

/** A call that is about to be made. */
export interface Call {
  readonly name: CallName;
  readonly form: Calls["form"];
  /** How many calls were made before, in both forms together. */
  readonly index: number;
  /** The names among its arguments, decoded, in their order: for a rename the old and the new one. */
  readonly names: readonly string[];
  readonly args: readonly unknown[];
  /** The object of the call as an absolute path: the open file, or the first name below its directory. */
  readonly path: string;
  /** The second name of a rename or a link as an absolute path; empty for other calls. */
  readonly newPath: string;
}

/**
 * The effect on a call; if undefined, the call is made as usual.
 * - `errno`: it fails with that number and is not made.
 * - `atMost`: it reads, writes or copies no more bytes than that.
 * - `after`: it is made, and the action runs before its result is returned.
 * - `end`: the process ends here, before the call or within it (after half of a write).
 */
export type Fault =
  | { readonly errno: number }
  | { readonly atMost: number }
  | { readonly after: () => void }
  | { readonly end: "before" | "within" };

/** Decides about a call. A hook may change files itself; the call then sees the change. */
export type Hook = (call: Call) => Fault | undefined | void;

/** Thrown by the call at which the process ends and by every later call. */
export class ProcessEnded extends Error {
  override readonly name = "ProcessEnded";
}

/** How the calls are made. */
export interface FaultyCallsOptions {
  /**
   * `waiting`: lookups that a job runner uses to measure the latency take 0.3 ms, so that it chooses the waiting form.
   * Otherwise libc answers at its own speed.
   */
  readonly form?: "as measured" | "waiting";
  /**
   * `none`: calls in the waiting form are made at once and answered later, so that their order is the same in each run.
   */
  readonly threads?: "as usual" | "none";
}

/** Calls for {@linkcode System.calls}, and what happened to them. Disposing closes what an ended process left open. */
export interface FaultyCalls extends Disposable {
  readonly calls: (form: Calls["form"]) => Calls;
  /** How many calls were made or failed. */
  readonly count: number;
  /** Whether the process has ended. */
  readonly hasEnded: boolean;
}

/** The indexes of the arguments that are a call's directories or files, its names, and its length. */
interface Signature {
  readonly at: number;
  readonly name?: number;
  readonly newAt?: number;
  readonly newName?: number;
  readonly length?: number;
}

const ONE_FILE: Signature = { at: 0 };
const ONE_NAME: Signature = { at: 0, name: 1 };
const TWO_NAMES: Signature = { at: 0, name: 1, newAt: 2, newName: 3 };

const SIGNATURES: Readonly<Record<CallName, Signature>> = {
  openat: ONE_NAME,
  close: ONE_FILE,
  closeHandle: ONE_FILE,
  statx: ONE_NAME,
  getdents: ONE_FILE,
  pread: { at: 0, length: 2 },
  pwrite: { at: 0, length: 2 },
  lseek: ONE_FILE,
  ftruncate: ONE_FILE,
  copyFileRange: { at: 0, newAt: 2, length: 4 },
  futimens: ONE_FILE,
  utimensat: ONE_NAME,
  fchmod: ONE_FILE,
  fchmodat: ONE_NAME,
  fchown: ONE_FILE,
  fchownat: ONE_NAME,
  mkdirat: ONE_NAME,
  mknodat: ONE_NAME,
  symlinkat: { at: 1, name: 2 },
  readlinkat: ONE_NAME,
  linkat: TWO_NAMES,
  unlinkat: ONE_NAME,
  renameat2: TWO_NAMES,
  fsync: ONE_FILE,
  syncfs: ONE_FILE,
  flistxattr: ONE_FILE,
  fgetxattr: ONE_FILE,
  fsetxattr: ONE_FILE,
  askLock: ONE_FILE,
};

/** Makes calls that ask the hook first. */
export function faultyCalls(hook: Hook, options: FaultyCallsOptions = {}): FaultyCalls {
  const { form = "as measured", threads = "as usual" } = options;
  const state = { count: 0, hasEnded: false };
  const open = new Set<number>();
  const plain = plainCalls();
  const real = { plain, waiting: threads === "none" ? answeringLater(plain) : waitingCalls(plain) };
  const wrap = (calls: Calls): Calls => {
    const wrapped: Record<string, unknown> = { form: calls.form };
    for (const name of Object.keys(SIGNATURES) as CallName[]) {
      const make = calls[name] as (...args: unknown[]) => Answer | void;
      wrapped[name] = (...args: unknown[]) => {
        // An ended process may still close its handles: that changes no file, and saves file descriptors over many runs.
        if (state.hasEnded && name === "closeHandle") {
          if (open.delete(args[0] as number)) plain.closeHandle(args[0] as number);
          return;
        }
        if (state.hasEnded) throw new ProcessEnded();
        if (form === "waiting" && name === "statx" && isLookupForLatency(args)) passMilliseconds(0.3);
        const fault = hook(describe(name, calls.form, state.count++, args));
        if (name === "close" || name === "closeHandle") open.delete(args[0] as number);
        const answer = obey(fault, name, args, make);
        if (name === "openat") noteOpened(answer as Answer);
        return answer;
      };
    }
    return wrapped as unknown as Calls;
  };
  const noteOpened = (answer: Answer): void => {
    if (typeof answer !== "number") void answer.then(noteOpened);
    else if (answer >= 0) open.add(answer);
  };
  const obey = (
    fault: Fault | undefined | void,
    name: CallName,
    args: unknown[],
    make: (...args: unknown[]) => Answer | void,
  ): Answer | void => {
    if (fault === undefined) return make(...args);
    if ("after" in fault) {
      const answer = make(...args);
      if (!(answer instanceof Promise)) return fault.after(), answer;
      return answer.then((result) => (fault.after(), result));
    }
    const { length } = SIGNATURES[name];
    if ("atMost" in fault) {
      return make(...(length === undefined ? args : args.with(length, Math.min(fault.atMost, args[length] as number))));
    }
    // The handle must be closed, although the caller gets an error.
    if (name === "close" || name === "closeHandle") plain.closeHandle(args[0] as number);
    if ("errno" in fault) return name === "closeHandle" ? undefined : -fault.errno;
    if (fault.end === "within" && name === "pwrite") {
      const [file, bytes, whole, offset] = args as [number, Bytes, number, number];
      plain.pwrite(file, bytes, Math.ceil(whole / 2), offset);
    }
    state.hasEnded = true;
    throw new ProcessEnded();
  };
  const wrapped = { plain: wrap(real.plain), waiting: wrap(real.waiting) };
  return {
    calls: (wanted) => wrapped[wanted],
    get count() {
      return state.count;
    },
    get hasEnded() {
      return state.hasEnded;
    },
    [Symbol.dispose]() {
      for (const file of open) plain.closeHandle(file);
      open.clear();
    },
  };
}

function describe(name: CallName, form: Calls["form"], index: number, args: readonly unknown[]): Call {
  const signature = SIGNATURES[name];
  const names = [signature.name, signature.newName].filter((at) => at !== undefined).map((at) => nameIn(args[at]));
  return {
    ...{ name, form, index, args, names },
    get path() {
      return pathOf(args[signature.at] as number, names[0]);
    },
    get newPath() {
      return signature.newAt === undefined ? "" : pathOf(args[signature.newAt] as number, names[1]);
    },
  };
}

function nameIn(bytes: unknown): string {
  const name = bytes as Bytes;
  const end = name.indexOf(0);
  return decodeName(end === -1 ? name : name.subarray(0, end));
}

/** The path that the kernel knows for an open file; this fails for a name that is not UTF-8. */
function pathOf(handle: number, name = ""): string {
  if (name.startsWith("/")) return name;
  let directory = "";
  try {
    if (handle !== AT_FDCWD) directory = Deno.readLinkSync(`/proc/self/fd/${handle}`);
  } catch {
    return name;
  }
  return name === "" || name === "." ? directory : `${directory}/${name}`;
}

function isLookupForLatency(args: readonly unknown[]): boolean {
  return /\/\.euler-files-[0-9a-f]{8}$/.test(nameIn(args[1]));
}

function passMilliseconds(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

/** The plain calls in the waiting form: each is made at once and answered with a promise. */
function answeringLater(plain: Calls): Calls {
  const later: Record<string, unknown> = { form: "waiting", closeHandle: plain.closeHandle };
  for (const name of Object.keys(SIGNATURES) as CallName[]) {
    if (name === "closeHandle") continue;
    const make = plain[name] as (...args: unknown[]) => Answer;
    later[name] = (...args: unknown[]) => Promise.resolve(make(...args));
  }
  return later as unknown as Calls;
}
