// Errors that a person can act on. All others are bugs, and cli/run.ts reports them as such.
import { hintFor, isFullDiskRefusal, ownRefusalOf, systemRefusalOf } from "./os_error.ts";

export { isFullDiskRefusal, type SystemRefusal, systemRefusalOf } from "./os_error.ts";

/**
 * Each kind of failure with the exit code scripts see (2: what was asked or configured is wrong; 1: the work failed)
 * and the name it has in `error.type` of a JSON answer, which older scripts compare with.
 */
export const ERROR_KINDS = {
  "usage": { exitCode: 2, type: "ValueError" },
  "config": { exitCode: 2, type: "ValueError" },
  "bad-json": { exitCode: 2, type: "JSONDecodeError" },
  "not-found": { exitCode: 2, type: "FileNotFoundError" },
  "missing-tool": { exitCode: 2, type: "FileNotFoundError" },
  "refused": { exitCode: 1, type: "RuntimeError" },
  "conflict": { exitCode: 1, type: "RuntimeError" },
  "declined": { exitCode: 1, type: "Aborted" },
  "locked": { exitCode: 1, type: "TimeoutError" },
  "no-space": { exitCode: 1, type: "OSError" },
  "file-system": { exitCode: 1, type: "OSError" },
  "transfer": { exitCode: 1, type: "RsyncError" },
  "tool": { exitCode: 1, type: "RuntimeError" },
  "bug": { exitCode: 1, type: "InternalError" },
} as const satisfies Record<string, { exitCode: number; type: string }>;

/** The kinds of {@linkcode ERROR_KINDS}. */
export type ErrorKind = keyof typeof ERROR_KINDS;

/** The optional parts of an error after its first line. */
export interface ErrorDetails {
  /** What to do now: a sentence with the exact next command. Without it, the kernel's error (`cause`) provides one. */
  readonly hint?: string;
  /** Lines shown unchanged between message and hint, such as the stderr tail of a program. */
  readonly lines?: readonly string[];
  readonly location?: Location;
  readonly cause?: unknown;
}

/** Where in a configuration or a request the fault is; line and column are counted from 1. */
export interface Location {
  readonly field?: string;
  readonly line?: number;
  readonly column?: number;
}

/** A failure a person can act on: `message` says what happened and to what, `hint` what to do about it. */
export class CliError extends Error {
  override readonly name = "CliError";
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly lines: readonly string[];
  readonly location: Location;

  constructor(kind: ErrorKind, message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    const refusal = systemRefusalOf(details.cause);
    // A full disk always has the kind `no-space`, whichever write found it.
    this.kind = kind === "file-system" && isFullDiskRefusal(refusal) ? "no-space" : kind;
    this.hint = details.hint ?? hintFor(refusal);
    this.lines = details.lines ?? [];
    this.location = details.location ?? (details.cause instanceof CliError ? details.cause.location : {});
  }

  get exitCode(): number {
    return ERROR_KINDS[this.kind].exitCode;
  }
}

/** The signals that end the program, and the exit code a shell expects for each (128 + its number, signal(7)). */
export const SIGNAL_EXIT_CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal that ends this program. */
export type EndingSignal = keyof typeof SIGNAL_EXIT_CODES;

/** Thrown at the next waiting point after a signal, so that every `finally` runs. */
export class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly hint: string | undefined;

  /** `state` says what holds now, if that isn't obvious: `what was copied is kept`. */
  constructor(readonly signal: EndingSignal, details: { readonly state?: string; readonly hint?: string } = {}) {
    super(`Stopped by ${signal}${details.state === undefined ? "" : `: ${details.state}`}`);
    this.hint = details.hint;
  }

  get exitCode(): number {
    return SIGNAL_EXIT_CODES[this.signal];
  }
}

/** A write to standard output failed: its reader has ended, or its disk is full. No message can be printed there. */
export class OutputLost extends Error {
  override readonly name = "OutputLost";
  constructor(cause: unknown) {
    super(`Cannot write to standard output: ${messageOf(cause)}`, { cause });
  }
}

/**
 * The kernel's error after a sentence that names no path: its message and the call. Undefined for anything else
 * that was thrown: that is a bug, and must be reported as one.
 */
export function systemError(sentence: string, error: unknown): CliError | undefined {
  const refusal = systemRefusalOf(error);
  if (refusal === undefined) return undefined;
  const call = refusal.call === undefined ? "" : `: ${refusal.call}`;
  const hint = hintFor(refusal) ?? "check that the directories exist and can be used: `euler-files status`";
  return new CliError("file-system", `${sentence}: ${refusal.words}${call}`, { cause: error, hint });
}

/** An error a person can act on: a CliError unchanged, the kernel's error after the sentence; otherwise undefined. */
export function knownError(sentence: string, error: unknown): CliError | undefined {
  return error instanceof CliError ? error : systemError(sentence, error);
}

/** The message of anything thrown, for a sentence that names the path: no class name, no number, no stack. */
export function messageOf(error: unknown): string {
  return ownRefusalOf(error)?.words ?? (error instanceof Error ? error.message : String(error));
}
