// What is known of one name in a tree, and when two of them are the same. Pure.

/** What a name stands for; `special` is a fifo, a socket or a device. */
export type EntryType = "file" | "directory" | "link" | "special";

/** One name in a directory, as lstat(2) tells. */
export interface Entry {
  /** Without its directory, as file_names.ts writes it. */
  readonly name: string;
  readonly type: EntryType;
  /** Permission bits, with set-user-ID, set-group-ID and sticky. */
  readonly mode: number;
  /** 0 for everything but files. */
  readonly sizeBytes: number;
  /** Whole seconds since 1970, rounded down, and the nanoseconds above them. */
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Where a symbolic link leads, else empty. */
  readonly linkTarget: string;
  /** `device:inode` of a file with several names, else empty. */
  readonly linkGroup: string;
  /** The number of the file system; undefined where that was not looked at. */
  readonly device?: string | undefined;
  readonly userId: number;
  readonly groupId: number;
  /** What a file takes on the disk, without its holes and compressed, as the file system says; no more than its size. */
  readonly allocatedBytes: number;
  /** Which kind of special file, as find(1) writes it: p, s, b, c; empty for the others. */
  readonly specialKind: string;
  /** Type, mode, size and time as entry_text.ts writes them, where they came as text. */
  readonly text?: string;
  /** The name is a symbolic link that is read as the file or directory it leads to. */
  readonly isFollowed?: boolean;
  /** The same, or something in a directory that is reached through such a link. */
  readonly isBehindLink?: boolean;
}

/** Whether a file has holes, or the file system compresses. */
export function isSparse(entry: Entry): boolean {
  return entry.type === "file" && entry.allocatedBytes < entry.sizeBytes;
}

/** The part of an entry that a manifest keeps and a comparison looks at. */
export interface EntryState extends
  Pick<
    Entry,
    "type" | "mode" | "sizeBytes" | "mtimeSeconds" | "mtimeNanoseconds" | "linkTarget" | "text"
  > {
  /** Only of a recorded file: where it may have changed since and look the same (racy.ts). */
  readonly racy?: "source" | "target" | undefined;
}

type Times = Pick<EntryState, "mtimeSeconds" | "mtimeNanoseconds">;

/** Whether both stand for the same content: type, size and modification time; for links where they lead; any two directories. */
export function sameContent(one: EntryState, other: EntryState, timeStep = 1): boolean {
  if (one.type !== other.type) return false;
  if (one.type === "file" && one.text !== undefined && one.text === other.text) return true;
  switch (one.type) {
    case "directory":
      return true;
    case "special":
      return sameTime(one, other, timeStep);
    case "link":
      return one.linkTarget === other.linkTarget;
    case "file":
      return one.sizeBytes === other.sizeBytes && sameTime(one, other, timeStep);
  }
}

const SECOND = 1_000_000_000;

/**
 * Whether both were modified at the same time, as exactly as the coarser of both sides can tell: `timeStep` nanoseconds are one
 * to it. A time without a fraction is one of whole seconds: Lustre keeps no more, so that each file there looks older than the
 * one it was copied from (its client sets seconds only, lustre/llite; mpiFileUtils issue 560 saw the same), though the node that
 * wrote it may still remember more.
 */
export function sameTime(one: Times, other: Times, timeStep = 1): boolean {
  if (timeStep > SECOND) {
    const seconds = timeStep / SECOND;
    return Math.floor(one.mtimeSeconds / seconds) === Math.floor(other.mtimeSeconds / seconds);
  }
  if (one.mtimeSeconds !== other.mtimeSeconds) return false;
  if (one.mtimeNanoseconds === 0 || other.mtimeNanoseconds === 0) return true;
  return Math.floor(one.mtimeNanoseconds / timeStep) === Math.floor(other.mtimeNanoseconds / timeStep);
}

/** Whether `one` was modified after `other`. */
export function isNewer(one: EntryState, other: EntryState, timeStep = 1): boolean {
  if (sameTime(one, other, timeStep)) return false;
  return one.mtimeSeconds > other.mtimeSeconds ||
    (one.mtimeSeconds === other.mtimeSeconds && one.mtimeNanoseconds > other.mtimeNanoseconds);
}

/**
 * Whether a file may be the recorded one after a crash: the time of then, and less in it. Who writes rarely leaves the time,
 * while a node that goes down may leave a file empty or cut. Only a person can tell. A time of whole seconds says too little,
 * except of an empty file.
 */
export function isDamaged(state: EntryState, recorded: EntryState): boolean {
  if (state.type !== "file" || recorded.type !== "file" || state.sizeBytes >= recorded.sizeBytes) return false;
  if (state.mtimeSeconds !== recorded.mtimeSeconds) return false;
  return state.sizeBytes === 0
    ? sameTime(state, recorded)
    : state.mtimeNanoseconds !== 0 && state.mtimeNanoseconds === recorded.mtimeNanoseconds;
}

/** Whether permissions differ where they mean something: a link has none of its own. */
export function sameMode(one: EntryState, other: EntryState): boolean {
  return one.type === "link" || one.mode === other.mode;
}
