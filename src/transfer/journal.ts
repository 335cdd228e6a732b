// Which parts of a large file have arrived, so that the next transfer continues a killed copy. The file has a line that says
// what is copied, then one byte for each part.
import { splitAbsolute } from "../posix/file_names.ts";
import type { EntryState } from "./entry.ts";

/** `written`: trusted as long as the kernel that wrote the part runs; `synced`: the part is on the disk. */
const WRITTEN = 119;
const SYNCED = 115;

/** The parts of one file. */
export interface Journal extends Disposable {
  /** Whether a part arrived in an earlier attempt. */
  has(part: number): boolean;
  noteWritten(part: number): void;
  /** Call when the file itself has been synced: the parts noted so far survive a crash of this node. */
  noteSynced(parts: readonly number[]): void;
}

/** What is copied, in how many parts, and the kernel's boot id, empty if unknown. */
export interface JournalSubject {
  readonly content: EntryState;
  readonly parts: number;
  readonly bootId: string;
  /** `none`: the copy does not exist, so an earlier journal is worthless. */
  readonly keep: "earlier" | "none";
}

/**
 * Opens the journal of a copy. An earlier journal counts only if it is about the same content. Its parts that were written but
 * not synced count only if the same kernel still runs: a node that went down may have lost them.
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
      // Several parts of one file may fail, and each failure calls this.
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
