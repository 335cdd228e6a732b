// Reads directories: names in the order of the server, each with its status. Names come from getdents64(2) as bytes, so none is
// lost; a directory that can't be read is an error, never an empty one.
import type { Answer, Bytes } from "./calls.ts";
import { ENOENT, succeeded, SystemCallError } from "./errno.ts";
import { decodeName } from "./file_names.ts";
import {
  AT_EMPTY_PATH,
  AT_NO_AUTOMOUNT,
  AT_STATX_FORCE_SYNC,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_DIRECTORY,
  STATX_ASKED,
} from "./libc.ts";
import { type FileKind, type FileStatus, isLinkAt, kindOfEntry, readStatus, STATUS_BYTES } from "./status.ts";
import { isFollowable } from "./followed_links.ts";
import { EMPTY_NAME, TARGET_BYTES, type Tree } from "./tree.ts";
import type { Work } from "./work.ts";

const LIST_BYTES = 64 * 1024;

/** How many names of one directory are looked up at the same time, in the waiting form. */
const STATUSES_AT_ONCE = 16;

/** The status of a directory itself. Throws a SystemCallError. */
export function* statusOfDirectory(
  tree: Tree,
  directory: string,
  source: "cached" | "ask the server" = "cached",
): Work<FileStatus> {
  const handle = yield* tree.open(directory);
  try {
    const bytes = new Uint8Array(STATUS_BYTES);
    // A client of NFS may keep the times of a directory for a minute (nfs(5), acdirmax).
    const flags = AT_EMPTY_PATH | (source === "cached" ? 0 : AT_STATX_FORCE_SYNC);
    const answer = yield tree.calls.statx(handle, EMPTY_NAME, flags, STATX_ASKED, bytes);
    succeeded(answer, "stat", tree.pathOf(directory));
    return readStatus(bytes);
  } finally {
    tree.release(directory);
  }
}

/** The status of one name; undefined if it does not exist. Throws a SystemCallError for any other failure. */
export function* statusOf(tree: Tree, directory: string, name: Bytes): Work<FileStatus | undefined> {
  const handle = yield* tree.open(directory);
  try {
    const bytes = new Uint8Array(STATUS_BYTES);
    const answer = yield tree.calls.statx(handle, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_ASKED, bytes);
    if (answer === -ENOENT) return undefined;
    succeeded(answer, "stat", tree.pathOf(directory, decodeName(name.subarray(0, -1))));
    return readStatus(bytes);
  } finally {
    tree.release(directory);
  }
}

/** The target of a link. Throws a SystemCallError. */
export function* targetOf(tree: Tree, directory: string, name: Bytes): Work<string> {
  const handle = yield* tree.open(directory);
  try {
    const target = new Uint8Array(TARGET_BYTES);
    const length = yield tree.calls.readlinkat(handle, name, target);
    succeeded(length, "readlink", tree.pathOf(directory, decodeName(name.subarray(0, -1))));
    return tree.shownTarget(decodeName(target.subarray(0, length)));
  } finally {
    tree.release(directory);
  }
}

/** Names of one getdents64(2) call: `bytes` with the NUL at the end, and the kind if the file system tells it. */
export interface RawNames {
  readonly names: readonly string[];
  readonly bytes: readonly Bytes[];
  readonly kinds: readonly (FileKind | undefined)[];
}

/** Hands over the names of a directory in pieces, as the kernel returns them. Throws a SystemCallError. */
function* readNames(
  tree: Tree,
  directory: string,
  onNames: (names: RawNames, handle: number) => Work<void>,
): Work<void> {
  const { calls } = tree;
  const handle = yield* tree.open(directory);
  let opened = -1;
  try {
    opened = succeeded(
      yield calls.openat(handle, CURRENT, O_DIRECTORY | O_CLOEXEC, 0),
      "open",
      tree.pathOf(directory),
    );
    // Names are slices of the buffer. In the waiting form they are in use while the next piece is read: take a new buffer.
    let piece = calls.form === "plain" ? PLAIN_PIECE : new Uint8Array(LIST_BYTES);
    for (;;) {
      const length = succeeded(yield calls.getdents(opened, piece), "readdir", tree.pathOf(directory));
      if (length === 0) return;
      yield* onNames(namesIn(piece, length), handle);
      if (calls.form === "waiting") piece = new Uint8Array(LIST_BYTES);
    }
  } finally {
    if (opened >= 0) calls.closeHandle(opened);
    tree.release(directory);
  }
}

const CURRENT: Bytes = new Uint8Array([0x2e, 0]);
const PLAIN_PIECE: Bytes = new Uint8Array(LIST_BYTES);

/** Decodes one character for each byte: ASCII names can be sliced out of the text of a whole piece. */
const BYTE_TEXT = new TextDecoder("latin1");

function namesIn(piece: Bytes, length: number): RawNames {
  const names: string[] = [];
  const bytes: Bytes[] = [];
  const kinds: (FileKind | undefined)[] = [];
  const text = BYTE_TEXT.decode(piece.subarray(0, length));
  for (let entry = 0; entry < length;) {
    // struct linux_dirent64: 8 bytes inode, 8 bytes offset, 2 bytes length of this entry, 1 byte type, the name.
    const next = entry + piece[entry + 16]! + piece[entry + 17]! * 256;
    const start = entry + 19;
    let end = start;
    let isAscii = true;
    for (let byte = piece[end]!; byte !== 0; byte = piece[++end]!) if (byte >= 0x80) isAscii = false;
    const isDots = piece[start] === 0x2e && (end === start + 1 || (end === start + 2 && piece[start + 1] === 0x2e));
    if (!isDots) {
      names.push(isAscii ? text.slice(start, end) : decodeName(piece.subarray(start, end)));
      bytes.push(piece.subarray(start, end + 1));
      kinds.push(kindOfEntry(piece[entry + 18]!));
    }
    entry = next;
  }
  return { names, bytes, kinds };
}

/** What a link is read as: the link itself, or its target. Undefined for everything that is no link. */
export interface ReadLink {
  readonly target: string;
  readonly isFollowed: boolean;
}

/** Called with a name and its status: at `start` in `statuses`, a buffer that is reused afterwards. */
export type OnStatus = (name: string, statuses: DataView, start: number, link?: ReadLink) => void;

/**
 * Lists a directory with the status of each name; names that vanish during the listing are skipped. Links are followed if the
 * tree does, except those that `mayFollow` refuses. Throws a SystemCallError.
 */
export function* listDirectory(
  tree: Tree,
  directory: string,
  onStatus: OnStatus,
  mayFollow: (name: string) => boolean = () => true,
): Work<void> {
  const { calls } = tree;
  const looks = calls.cachedLooks?.begin();
  const most = calls.form === "plain" ? 1 : STATUSES_AT_ONCE;
  const statuses = new Uint8Array(most * STATUS_BYTES);
  const view = new DataView(statuses.buffer);
  const slots = Array.from(
    { length: most },
    (_, index) => statuses.subarray(index * STATUS_BYTES, (index + 1) * STATUS_BYTES),
  );
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  yield* readNames(tree, directory, function* ({ names, bytes }, handle) {
    let last = 0;
    for (let first = 0; first < names.length; first = last) {
      const answers: Answer[] = [];
      if (looks?.areFast) {
        last = first + 1;
        answers.push(looks.statx(handle, bytes[first]!, flags, STATX_ASKED, slots[0]!));
      } else {
        last = Math.min(first + most, names.length);
        for (let index = first; index < last; index++) {
          answers.push(calls.statx(handle, bytes[index]!, flags, STATX_ASKED, slots[index - first]!));
        }
      }
      for (let index = first; index < last; index++) {
        const answer = answers[index - first]!;
        const result = typeof answer === "number" ? answer : yield answer;
        if (result === -ENOENT) continue;
        const name = names[index]!;
        if (result < 0) throw new SystemCallError(-result, "stat", tree.pathOf(directory, name));
        const start = (index - first) * STATUS_BYTES;
        if (!isLinkAt(view, start)) {
          onStatus(name, view, start);
          continue;
        }
        const target = yield* readTarget(tree, directory, handle, bytes[index]!);
        if (target === undefined) continue;
        const followed = tree.follows(directory, target) && mayFollow(name)
          ? yield* followLink(tree, directory, { handle, name: bytes[index]! })
          : undefined;
        if (followed !== undefined) slots[index - first]!.set(followed);
        onStatus(name, view, start, { target, isFollowed: followed !== undefined });
      }
    }
  });
}

/** The status bytes of a link's target; undefined if the link is not followed. */
function* followLink(
  tree: Tree,
  directory: string,
  { handle, name }: { readonly handle: number; readonly name: Bytes },
): Work<Bytes | undefined> {
  const bytes = new Uint8Array(STATUS_BYTES);
  // Without AT_NO_AUTOMOUNT, so that an automounter mounts the target; otherwise it would look like an empty directory.
  const answer = yield tree.calls.statx(handle, name, 0, STATX_ASKED, bytes);
  // The target does not exist, is in a circle of links, or may not be looked at.
  if (answer < 0) return undefined;
  return (yield* isFollowable(tree, directory, readStatus(bytes))) ? bytes : undefined;
}

/** The status of a link's target; undefined if the link is not followed. Throws a SystemCallError. */
export function* statusBehind(tree: Tree, directory: string, name: Bytes): Work<FileStatus | undefined> {
  const handle = yield* tree.open(directory);
  try {
    const bytes = yield* followLink(tree, directory, { handle, name });
    return bytes === undefined ? undefined : readStatus(bytes);
  } finally {
    tree.release(directory);
  }
}

function* readTarget(tree: Tree, directory: string, handle: number, name: Bytes): Work<string | undefined> {
  const target = new Uint8Array(TARGET_BYTES);
  const length = yield tree.calls.readlinkat(handle, name, target);
  if (length === -ENOENT) return undefined;
  if (length < 0) {
    throw new SystemCallError(-length, "readlink", tree.pathOf(directory, decodeName(name.subarray(0, -1))));
  }
  return tree.shownTarget(decodeName(target.subarray(0, length)));
}

/** Lists only names and kinds: if the file system tells the kinds with the names, no name is looked up. */
export function* listKinds(tree: Tree, directory: string, onEntry: (name: string, kind: FileKind) => void): Work<void> {
  yield* readNames(tree, directory, function* ({ names, bytes, kinds }) {
    for (const [index, name] of names.entries()) {
      const kind = kinds[index] ?? (yield* statusOf(tree, directory, bytes[index]!))?.kind;
      if (kind !== undefined) onEntry(name, kind);
    }
  });
}

/** Whether an error means that a name does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof SystemCallError && error.errno === ENOENT;
}
