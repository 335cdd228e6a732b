// The intent log: names that a transfer is about to write into a live directory. After a kill, the next transfer tells this
// half-done work from changes by users: without the log, each file that was just copied would count as changed there.
import type { Calls } from "../posix/calls.ts";
import { appendBytes, openToAppend } from "../posix/append.ts";
import { run } from "../posix/work.ts";
import { readOwnText, refusal } from "../system/own_file.ts";
import { type EntryState, sameContent } from "./entry.ts";
import type { TransferPolicy } from "./decide.ts";
import { type Item, pathOf } from "./item.ts";
import { removeIfExists } from "../system/existence.ts";

/** The receiving side: an entry of the log counts only where that side has what the entry announced. */
export type ReceivingSide = "target" | "source";

/** The words for the sides in a log, with those that earlier versions wrote. */
const SIDES: ReadonlyMap<unknown, ReceivingSide> = new Map([
  ["target", "target"],
  ["source", "source"],
  ["scratch", "target"],
  ["home", "source"],
]);

/** The side to which a transfer of that policy writes. */
export function receivingSideOf(policy: TransferPolicy): ReceivingSide {
  return policy === "push" ? "source" : "target";
}

interface LoggedName {
  readonly side: ReceivingSide;
  readonly state: EntryState;
}

/** Entries of the log by path, as read from the file; later ones come last. */
export type LoggedNames = ReadonlyMap<string, readonly LoggedName[]>;

/**
 * The log of one transfer, opened with the first names and kept open; without a path nothing is logged. Throws a
 * SystemCallError, or a CliError `refused` if its path is anything but a regular file of this user.
 */
export class IntentLog {
  #file: Promise<number> | undefined;

  constructor(readonly path: string | undefined, readonly side: ReceivingSide, private readonly calls: Calls) {}

  /** Appends the names that will be written next, with one write(2) for a batch. */
  async add(items: readonly Item[]): Promise<void> {
    await this.#append(() => items.map((item) => entryLine(this.side, pathOf(item), item.entry)));
  }

  /** Appends a directory of the receiving side that gets another mode for a while, with its present mode. */
  async addOpened(directory: string, self: EntryState): Promise<void> {
    await this.#append(() => [entryLine(this.side, directory, self)]);
  }

  /** Begins with a line end: a process that was killed, or a full disk, may have left a line without its end. */
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

  /** Closes the file. */
  async close(): Promise<void> {
    const file = await this.#file?.catch(() => undefined);
    this.#file = undefined;
    if (file !== undefined) this.calls.closeHandle(file);
  }
}

/** The directories that were made writable for a while, each with the mode it had before the first time. */
export function openedIn(names: LoggedNames, side: ReceivingSide): ReadonlyMap<string, number> {
  const opened = new Map<string, number>();
  for (const [path, list] of names) {
    const first = list.find((entry) => entry.side === side && entry.state.type === "directory");
    if (first !== undefined) opened.set(path, first.state.mode);
  }
  return opened;
}

function entryLine(side: ReceivingSide, path: string, state: EntryState): string {
  const { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget } = state;
  const fields = { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget };
  return JSON.stringify([side, path, fields]) + "\n";
}

/** The name that earlier versions gave to a variable's log. What a killed one left there counts as the older part of the log. */
function earlierName(path: string): string {
  return path.replace(/intent-log$/, "notes");
}

/** The lines of a log, those under its earlier name first; none if it does not exist. */
async function readLines(path: string): Promise<string[]> {
  const texts = await Promise.all([...new Set([earlierName(path), path])].map((one) => readOwnText(one)));
  return texts.flatMap((text) => (text ?? "").split("\n"));
}

/** Reads what earlier transfers announced and did not record. A truncated line is ignored: its write never began. */
export async function readIntentLog(path: string): Promise<LoggedNames> {
  const names = new Map<string, LoggedName[]>();
  for (const line of await readLines(path)) {
    const entry = parseEntry(line);
    if (entry === undefined) continue;
    const [side, name, state] = entry;
    const earlier = names.get(name);
    if (earlier === undefined) names.set(name, [{ side, state }]);
    else earlier.push({ side, state });
  }
  return names;
}

/** The side to which the transfer that wrote the last entry was writing; undefined without entries. */
export async function lastReceivingSide(path: string): Promise<ReceivingSide | undefined> {
  const lines = await readLines(path).catch(() => []);
  // The last line may be incomplete.
  for (const line of lines.reverse()) {
    const entry = parseEntry(line);
    if (entry !== undefined) return entry[0];
  }
  return undefined;
}

/** Invalid lines are skipped, as are truncated ones: an entry counts only where the receiving side has what it announced. */
function parseEntry(line: string): [ReceivingSide, string, EntryState] | undefined {
  if (!line.startsWith("[")) return undefined;
  try {
    return entryOf(JSON.parse(line));
  } catch {
    return undefined;
  }
}

const TYPES: readonly unknown[] = ["file", "directory", "link", "special"];

function entryOf(entry: unknown): [ReceivingSide, string, EntryState] | undefined {
  if (!Array.isArray(entry)) return undefined;
  const [word, path, state] = entry;
  const side = SIDES.get(word);
  return side !== undefined && typeof path === "string" && isState(state) ? [side, path, state] : undefined;
}

function isState(state: unknown): state is EntryState {
  if (typeof state !== "object" || state === null) return false;
  const { type, linkTarget, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds } = state as Record<string, unknown>;
  return TYPES.includes(type) && typeof linkTarget === "string" &&
    [mode, sizeBytes, mtimeSeconds, mtimeNanoseconds].every(Number.isSafeInteger);
}

/** What both sides last had in common, if an unrecorded transfer brought it and the receiving side still has exactly that. */
export function loggedState(
  names: LoggedNames,
  path: string,
  sides: {
    readonly from: EntryState | undefined;
    readonly to: EntryState | undefined;
    readonly policy: TransferPolicy;
  },
): EntryState | undefined {
  return names.get(path)?.findLast(({ side, state }) => {
    const there = side === receivingSideOf(sides.policy) ? sides.to : sides.from;
    return there !== undefined && sameContent(there, state);
  })?.state;
}

/** Removes the log, when the manifest records all of it. */
export async function removeIntentLog(path: string): Promise<void> {
  await Promise.all([...new Set([earlierName(path), path])].map(removeIfExists));
}
