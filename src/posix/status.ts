// Reads a file's status from the bytes that statx(2) has filled.
import type { Bytes } from "./calls.ts";
import { UTIME_NOW } from "./libc.ts";

/** Bytes of a `struct statx` (statx(2)); the same on both processors. */
export const STATUS_BYTES = 256;

const TYPE_BITS = 0o170000;
const KINDS: Readonly<Record<number, FileKind>> = {
  0o100000: "f",
  0o040000: "d",
  0o120000: "l",
  0o010000: "p",
  0o140000: "s",
  0o060000: "b",
  0o020000: "c",
};

/** The kinds of files in the letters of find(1): regular, directory, link, fifo, socket, block and character device. */
export type FileKind = "f" | "d" | "l" | "p" | "s" | "b" | "c";

/** The status of one name, as by lstat(2). */
export interface FileStatus {
  readonly kind: FileKind;
  /** Permission bits, with set-user-ID, set-group-ID and sticky. */
  readonly mode: number;
  readonly sizeBytes: number;
  /** Whole seconds since 1970, rounded down, and the nanoseconds above them. */
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** When content, name, links, owner or mode changed last: no program can set this time. */
  readonly changedSeconds: number;
  readonly links: number;
  /** Valid on this node only: the same file has another device number on another node. */
  readonly device: string;
  readonly inode: string;
  readonly userId: number;
  readonly groupId: number;
  /** Blocks of 512 bytes. */
  readonly blocks: number;
  /** Only for device files. */
  readonly deviceMajor: number;
  readonly deviceMinor: number;
}

/** Reads the status that statx(2) has filled. */
export function readStatus(bytes: Bytes): FileStatus {
  return readStatusAt(new DataView(bytes.buffer, bytes.byteOffset, STATUS_BYTES), 0);
}

/** Reads a status at the offset `start`. */
export function readStatusAt(view: DataView, start: number): FileStatus {
  const bits = view.getUint16(start + 28, true);
  return {
    kind: KINDS[bits & TYPE_BITS] ?? "f",
    mode: bits & 0o7777,
    sizeBytes: unsigned(view, start + 40),
    mtimeSeconds: view.getInt32(start + 116, true) * 0x100000000 + view.getUint32(start + 112, true),
    mtimeNanoseconds: view.getUint32(start + 120, true),
    changedSeconds: view.getInt32(start + 100, true) * 0x100000000 + view.getUint32(start + 96, true) +
      view.getUint32(start + 104, true) / 1e9,
    links: view.getUint32(start + 16, true),
    device: `${view.getUint32(start + 136, true)}:${view.getUint32(start + 140, true)}`,
    inode: inodeText(view, start + 32),
    userId: view.getUint32(start + 20, true),
    groupId: view.getUint32(start + 24, true),
    blocks: unsigned(view, start + 48),
    deviceMajor: view.getUint32(start + 128, true),
    deviceMinor: view.getUint32(start + 132, true),
  };
}

/** Whether the status at the offset `start` is that of a symbolic link. */
export function isLinkAt(view: DataView, start: number): boolean {
  return (view.getUint16(start + 28, true) & TYPE_BITS) === 0o120000;
}

/** Inode numbers have 64 bits, more than a JavaScript number holds exactly. */
function inodeText(view: DataView, start: number): string {
  const high = view.getUint32(start + 4, true);
  return high < 0x200000
    ? String(high * 0x100000000 + view.getUint32(start, true))
    : String(view.getBigUint64(start, true));
}

function unsigned(view: DataView, start: number): number {
  return view.getUint32(start, true) + view.getUint32(start + 4, true) * 0x100000000;
}

/**
 * Two `timespec` for utimensat(2): the present time for access, the given one for modification. Both are needed, because FUSE
 * servers made with libfuse 2 do nothing if one of the two is omitted (lib/fuse.c, fuse_lib_setattr).
 */
export function timesOf(mtimeSeconds: number, mtimeNanoseconds: number): Bytes {
  const bytes = new Uint8Array(32);
  const view = new DataView(bytes.buffer);
  view.setUint32(8, UTIME_NOW, true);
  view.setUint32(16, mtimeSeconds >>> 0, true);
  view.setInt32(20, Math.floor(mtimeSeconds / 0x100000000), true);
  view.setUint32(24, mtimeNanoseconds, true);
  return bytes;
}

/** The letter for a `d_type` of getdents64(2); undefined if the file system does not tell the type. */
export function kindOfEntry(type: number): FileKind | undefined {
  return ENTRY_KINDS[type];
}

const ENTRY_KINDS: Readonly<Record<number, FileKind>> = {
  1: "p",
  2: "c",
  4: "d",
  6: "b",
  8: "f",
  10: "l",
  12: "s",
};
