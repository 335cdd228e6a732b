// What an in-place transfer is about to write, noted before it does. If it is killed, the next one knows its own half-done
// work from changes that somebody made: without the notes a file it had just brought would be "changed there" for ever.
import type { Calls } from "../posix/calls.ts";
import { appendBytes, openToAppend } from "../posix/append.ts";
import { run } from "../posix/work.ts";
import { readOwnText, refusal } from "../system/own_file.ts";
import { type EntryState, sameContent } from "./entry.ts";
import type { TransferPolicy } from "./decide.ts";
import { type Item, pathOf } from "./item.ts";

/** Who receives: a note counts only where the receiver has what it announced. */
export type Receiver = "scratch" | "home";

/** Where a transfer of that policy writes. */
export function receiverOf(policy: TransferPolicy): Receiver {
  return policy === "stage-out" ? "home" : "scratch";
}

interface Note {
  readonly receiver: Receiver;
  readonly state: EntryState;
}

/** Notes by path, as read from the file; later ones come last. */
export type Notes = ReadonlyMap<string, readonly Note[]>;

/**
 * The log of one transfer, opened with the first names and kept open; without a path there is none. Throws a SystemCallError, or a CliError `refused` where
 * something else than a file of ours has its name.
 */
export class IntentLog {
  #file: Promise<number> | undefined;

  constructor(readonly path: string | undefined, readonly receiver: Receiver, private readonly calls: Calls) {}

  /** Appends what will be written next: one write for a batch. */
  async add(items: readonly Item[]): Promise<void> {
    await this.#append(() => items.map((item) => noteLine(this.receiver, pathOf(item), item.entry)));
  }

  /** Appends that a directory of the receiver gets another mode for a while, with the one it has. */
  async addOpened(directory: string, self: EntryState): Promise<void> {
    await this.#append(() => [noteLine(this.receiver, directory, self)]);
  }

  /** Begins with a line end: a process that was killed, or met a full disk, may have left a line without its end. */
  async #append(linesOf: () => readonly string[]): Promise<void> {
    if (this.path === undefined) return;
    const file = await (this.#file ??= this.#open(this.path));
    await run(appendBytes(this.calls, file, new TextEncoder().encode(["\n", ...linesOf()].join("")), this.path));
  }

  async #open(path: string): Promise<number> {
    const opened = await run(openToAppend(this.calls, path, Deno.uid() ?? 0));
    if (typeof opened === "number") return opened;
    throw refusal(path, opened.fault);
  }

  /** Ends the use of the file. */
  async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    this.#file = undefined;
    if (file !== undefined) this.calls.closeHandle(file);
  }
}

/** The directories that were opened for a while, each with the mode it had before the first time. */
export function openedIn(notes: Notes, receiver: Receiver): ReadonlyMap<string, number> {
  const opened = new Map<string, number>();
  for (const [path, list] of notes) {
    const first = list.find((note) => note.receiver === receiver && note.state.type === "directory");
    if (first !== undefined) opened.set(path, first.state.mode);
  }
  return opened;
}

function noteLine(receiver: Receiver, path: string, state: EntryState): string {
  const { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget } = state;
  const fields = { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget };
  return JSON.stringify([receiver, path, fields]) + "\n";
}

/** Reads what earlier transfers announced and did not record. Of a line that is cut off nothing was begun. */
export async function readNotes(path: string): Promise<Notes> {
  const notes = new Map<string, Note[]>();
  const text = await readOwnText(path) ?? "";
  for (const line of text.split("\n")) {
    const note = parseNote(line);
    if (note === undefined) continue;
    const [receiver, name, state] = note;
    const earlier = notes.get(name);
    if (earlier === undefined) notes.set(name, [{ receiver, state }]);
    else earlier.push({ receiver, state });
  }
  return notes;
}

/** Where the transfer that wrote the last note was writing; undefined where there are none. */
export async function lastReceiver(path: string): Promise<Receiver | undefined> {
  const notes = await readOwnText(path).catch(() => undefined) ?? "";
  // The last line may be torn.
  for (const line of notes.split("\n").reverse()) {
    const note = parseNote(line);
    if (note !== undefined) return note[0];
  }
  return undefined;
}

/** A line that is no note is skipped, like one that is cut off: a note is believed only where the receiver has what it says. */
function parseNote(line: string): [Receiver, string, EntryState] | undefined {
  if (!line.startsWith("[")) return undefined;
  try {
    const note: unknown = JSON.parse(line);
    return isNote(note) ? note : undefined;
  } catch {
    return undefined;
  }
}

const TYPES = ["file", "directory", "link", "special"];

function isNote(note: unknown): note is [Receiver, string, EntryState] {
  if (!Array.isArray(note)) return false;
  const [receiver, path, state] = note;
  if ((receiver !== "scratch" && receiver !== "home") || typeof path !== "string") return false;
  if (typeof state !== "object" || state === null) return false;
  const { type, linkTarget, ...numbers } = state;
  const { mode, sizeBytes, mtimeSeconds, mtimeNanoseconds } = numbers;
  return TYPES.includes(type) && typeof linkTarget === "string" &&
    [mode, sizeBytes, mtimeSeconds, mtimeNanoseconds].every(Number.isSafeInteger);
}

/** What both sides had in common last, if an unrecorded transfer brought it: the receiver still has exactly that. */
export function notedState(
  notes: Notes,
  path: string,
  sides: {
    readonly from: EntryState | undefined;
    readonly to: EntryState | undefined;
    readonly policy: TransferPolicy;
  },
): EntryState | undefined {
  return notes.get(path)?.findLast(({ receiver, state }) => {
    const there = receiver === receiverOf(sides.policy) ? sides.to : sides.from;
    return there !== undefined && sameContent(there, state);
  })?.state;
}

/** Takes the notes away: the manifest has it all now. */
export async function removeNotes(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
