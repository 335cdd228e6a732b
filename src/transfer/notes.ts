// What an in-place transfer is about to write, noted before it does. If it is killed, the next one knows its own half-done
// work from changes that somebody made: without the notes a file it had just brought would be "changed there" for ever.
import { readOwnText } from "../system/own_file.ts";
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

/** Appends what will be written next. One write a shard; the file is for its owner alone. */
export async function addNotes(path: string, receiver: Receiver, items: readonly Item[]): Promise<void> {
  await append(path, items.map((item) => noteLine(receiver, pathOf(item), item.entry)));
}

/** Appends that a directory of the receiver gets another mode for a while, with the one it has. */
export async function addOpenedNote(
  path: string,
  receiver: Receiver,
  directory: string,
  self: EntryState,
): Promise<void> {
  await append(path, [noteLine(receiver, directory, self)]);
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

/** Begins with a line end: a process that was killed, or met a full disk, may have left a line without its end. */
async function append(path: string, lines: readonly string[]): Promise<void> {
  await Deno.writeTextFile(path, ["\n", ...lines].join(""), { append: true, mode: 0o600 });
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
