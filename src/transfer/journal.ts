// Which parts of a large file have arrived, so that a copy that was killed goes on where it was. One byte a part, behind a
// line that says what was being copied.
import { splitAbsolute } from "../posix/file_names.ts";
import type { EntryState } from "./entry.ts";

/** `written`: believed as long as the kernel that wrote it runs; `synced`: the disk has it. */
const WRITTEN = 119;
const SYNCED = 115;

/** The parts of one file. */
export interface Journal extends Disposable {
  /** Whether a part arrived in an earlier attempt. */
  has(part: number): boolean;
  noteWritten(part: number): void;
  /** Call when the file itself has been synced: all parts noted until then are safe from a crash of this node. */
  noteSynced(parts: readonly number[]): void;
}

/** What is copied, in how many parts, and the number of this start of the kernel; empty if it isn't known. */
export interface JournalSubject {
  readonly content: EntryState;
  readonly parts: number;
  readonly bootId: string;
  /** `none`: the copy does not exist, so an earlier journal says nothing. */
  readonly keep: "earlier" | "none";
}

/**
 * Opens the journal of a copy. What an earlier one says counts only if it was about the same content, and parts that were
 * written but not synced only if this is still the same kernel: a node that went down may have lost them.
 */
export function openJournal(path: string, { content, parts, bootId, keep }: JournalSubject): Journal {
  const label = JSON.stringify([content.sizeBytes, content.mtimeSeconds, content.mtimeNanoseconds, parts]);
  const head = `${label} ${bootId}\n`;
  Deno.mkdirSync(splitAbsolute(path)[0], { recursive: true, mode: 0o700 });
  const before = keep === "none" ? new Set<number>() : readEarlier(path, label, bootId);
  const file = Deno.openSync(path, { write: true, create: true, truncate: true, mode: 0o600 });
  const start = new TextEncoder().encode(head);
  const states = new Uint8Array(parts).fill(45);
  for (const part of before) states[part] = WRITTEN;
  file.writeSync(start);
  file.writeSync(states);
  let isOpen = true;
  const note = (part: number, state: number) => {
    file.seekSync(start.length + part, Deno.SeekMode.Start);
    file.writeSync(Uint8Array.of(state));
  };
  return {
    has: (part) => before.has(part),
    noteWritten: (part) => note(part, WRITTEN),
    noteSynced(done) {
      for (const part of done) note(part, SYNCED);
    },
    [Symbol.dispose]() {
      // Several parts of one file may fail, and each gives it up.
      if (isOpen) file.close();
      isOpen = false;
    },
  };
}

function readEarlier(path: string, label: string, boot: string): ReadonlySet<number> {
  const done = new Set<number>();
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync(path);
  } catch {
    return done;
  }
  const end = bytes.indexOf(10);
  const head = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end)));
  const cut = head.lastIndexOf(" ");
  if (head.slice(0, cut) !== label) return done;
  const sameKernel = boot !== "" && head.slice(cut + 1) === boot;
  bytes.subarray(end + 1).forEach((state, part) => {
    if (state === SYNCED || (state === WRITTEN && sameKernel)) done.add(part);
  });
  return done;
}
