// What is known of one name in a tree, and when two of them are the same. Pure.

/** The type of a name; `special` is a fifo, a socket or a device. */
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
  /** The number of the file system; undefined if it was not read. */
  readonly device?: string | undefined;
  readonly userId: number;
  readonly groupId: number;
  /** The bytes that a file takes on the disk, without holes and compressed, as the file system says; at most its size. */
  readonly allocatedBytes: number;
  /** Which kind of special file, as find(1) writes it: p, s, b, c; empty for the others. */
  readonly specialKind: string;
  /** When it was changed, by a new content or name, in seconds since 1970; only if that was after the walk began. */
  readonly changedSeconds?: number | undefined;
  /** Type, mode, size and time as entry_text.ts writes them, where they came as text. */
  readonly text?: string;
  /** The name is a symbolic link that is read as the file or directory it leads to. */
  readonly isFollowed?: boolean;
  /** The name is such a link, or is in a directory that is reached through one. */
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
  /** Only for a recorded file: the side where it may have changed since without a new time (racy.ts). */
  readonly racy?: "source" | "target" | undefined;
  /** Only for such a file: a hash of the content that was copied; undefined if it was not read. */
  readonly contentHash?: string | undefined;
}

export type Times = Pick<EntryState, "mtimeSeconds" | "mtimeNanoseconds">;

/** Whether both have the same content: the same type, size and time; links: the same target; directories always. */
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
 * Whether both were modified at the same time, at the resolution of the coarser side, which is `timeStep` nanoseconds. A time
 * without a fraction counts as whole seconds: Lustre stores no more, so each file there looks older than the one it was copied
 * from (its client sets seconds only, lustre/llite; mpiFileUtils issue 560 saw the same), though the node that wrote it may
 * still remember more.
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
 * Whether a crash may have damaged the recorded file: it has the recorded time and is shorter. Programs that write rarely keep
 * the time, but a node that goes down may leave a file empty or truncated. Only a person can tell. Whole seconds are too
 * coarse to conclude this, except for an empty file.
 */
export function isDamaged(state: EntryState, recorded: EntryState): boolean {
  if (state.type !== "file" || recorded.type !== "file" || state.sizeBytes >= recorded.sizeBytes) return false;
  if (state.mtimeSeconds !== recorded.mtimeSeconds) return false;
  return state.sizeBytes === 0
    ? sameTime(state, recorded)
    : state.mtimeNanoseconds !== 0 && state.mtimeNanoseconds === recorded.mtimeNanoseconds;
}

/** Whether permissions are the same; a link has none of its own, so two links always agree. */
export function sameMode(one: EntryState, other: EntryState): boolean {
  return one.type === "link" || one.mode === other.mode;
}

/** A removed path in a list: that of a directory ends with a slash. */
export function removedName(path: string, { type }: Pick<Entry, "type">): string {
  return type === "directory" ? `${path}/` : path;
}
