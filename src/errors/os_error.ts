// Errors of the operating system: recognized in every error, with a hint that helps. Pure.
// Deno 2.6.8 gives no number for most of them (EDQUOT, ESTALE, EIO): its text has one, `(os error 122)`.
import { shellWord } from "../text/format.ts";

/** An error of the kernel: its message, its number (errno(3)) and the operation, such as `open '/x'`. */
export interface SystemRefusal {
  readonly words: string;
  readonly errno: number;
  readonly call: string | undefined;
}

/** Reads the refusal from an error of Deno, of node's modules or of our own system calls, or from its first such cause. */
export function systemRefusalOf(error: unknown): SystemRefusal | undefined {
  for (let depth = 0; depth < 8 && error instanceof Error; depth++) {
    const found = ownRefusalOf(error);
    if (found !== undefined) return found;
    error = error.cause;
  }
  return undefined;
}

/** The same for the error itself, without its causes: only its own text and fields are read. */
export function ownRefusalOf(error: unknown): SystemRefusal | undefined {
  return error instanceof Error ? fromText(error.message) ?? fromFields(error) : undefined;
}

/** `Permission denied (os error 13): open '/x'` */
function fromText(message: string): SystemRefusal | undefined {
  const [, words, errno, call] = /^(.+?) \(os error (\d+)\)(?:: (.*))?$/s.exec(message) ?? [];
  return words === undefined ? undefined : { words, errno: Number(errno), call };
}

/** Node's modules have a number, negative, and a text: `ENOSPC: no space left on device, statfs '/x'`. */
function fromFields(error: Error): SystemRefusal | undefined {
  const { errno, call, syscall, path } = error as Partial<Record<"errno" | "call" | "syscall" | "path", unknown>>;
  if (typeof errno !== "number" || errno === 0) return undefined;
  const name = [call, syscall].find((value) => typeof value === "string");
  const where = typeof path === "string" ? ` '${path}'` : "";
  const words = error.message.replace(/^E[A-Z0-9]+: /, "").replace(/, [a-z0-9_]+( '.*)?$/s, "");
  return { words, errno: Math.abs(errno), call: name === undefined ? undefined : `${name}${where}` };
}

const ENOSPC = 28;
const EDQUOT = 122;

/** Whether an error means that the disk or a quota is full. */
export function isFullDiskRefusal(refusal: SystemRefusal | undefined): boolean {
  return refusal?.errno === ENOSPC || refusal?.errno === EDQUOT;
}

/** Whether a program's output means the same. */
export function saysDiskIsFull(text: string): boolean {
  return /no space left on device|disk quota exceeded/i.test(text);
}

const SERVER_SILENT =
  "the file server does not answer: run the command again, and tell the administrators if it stays so";

/** Hints by number (errno(3), Linux on x86_64 and aarch64). */
const HINTS: Readonly<Record<number, string>> = {
  [ENOSPC]: "free up space there and run the command again",
  [EDQUOT]: "your quota is used up: free up space there and run the command again",
  5: "the disk or its server has a fault: run the command again, and tell the administrators if it stays so",
  11: "too many processes run already (ulimit -u): end some and run the command again",
  12: "there is no memory left: ask for more in the job (--mem)",
  23: "too many files are open on this node: run the command on another one",
  24: "too many files are open: raise the limit with `ulimit -n 4096`",
  26: "the program there is running: end it first",
  27:
    "no file may be so large here: raise the limit of the shell with `ulimit -f unlimited`, or choose another file system",
  30: "that file system can only be read: choose another directory, or ask for it to be mounted writable",
  36: "the name is too long for that file system",
  107: SERVER_SILENT,
  108: SERVER_SILENT,
  110: SERVER_SILENT,
  112: SERVER_SILENT,
  113: SERVER_SILENT,
  116: "the directory was replaced or removed on the file server: run the command again",
};

/** What to do about an error: the hint for its number, otherwise a command that shows the path. Undefined without either. */
export function hintFor(refusal: SystemRefusal | undefined): string | undefined {
  if (refusal === undefined) return undefined;
  const known = HINTS[refusal.errno];
  if (known !== undefined) return known;
  const path = /'(\/[^']+)'/.exec(refusal.call ?? "")?.[1];
  if (path === undefined) return undefined;
  const parent = path.slice(0, path.lastIndexOf("/")) || "/";
  return `look at both: ls -ld ${shellWord(parent)} ${shellWord(path)}`;
}
