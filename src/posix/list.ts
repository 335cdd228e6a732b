// Reads directories: names in the order of the server, each with its status. Names come from getdents64(2) as bytes, so none
// is lost; a directory that can't be read is an error, never an empty one.
import type { Bytes } from "./calls.ts";
import { ENOENT, succeeded, SystemCallError } from "./errno.ts";
import { decodeName } from "./file_names.ts";
import { AT_EMPTY_PATH, AT_NO_AUTOMOUNT, AT_SYMLINK_NOFOLLOW, O_CLOEXEC, O_DIRECTORY, STATX_ASKED } from "./libc.ts";
import { type FileKind, type FileStatus, kindOfEntry, readStatus, STATUS_BYTES } from "./status.ts";
import { EMPTY_NAME, type Tree } from "./tree.ts";
import type { Work } from "./work.ts";

const LIST_BYTES = 64 * 1024;

/** Statuses asked at the same time for the names of one directory, where calls wait. */
const STATUSES_AT_ONCE = 16;

/** Longest target of a link (PATH_MAX). */
const TARGET_BYTES = 4096;

/** A name of a directory. */
export interface Listed {
  readonly name: string;
  readonly kind: FileKind;
  readonly status: FileStatus;
  /** Where a link leads, else empty. */
  readonly linkTarget: string;
}

/** The status of a directory itself. Throws a SystemCallError. */
export function* statusOfDirectory(tree: Tree, directory: string): Work<FileStatus> {
  const handle = yield* tree.open(directory);
  try {
    const bytes = new Uint8Array(STATUS_BYTES);
    const answer = yield tree.calls.statx(handle, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes);
    succeeded(answer, "stat", tree.pathOf(directory));
    return readStatus(bytes);
  } finally {
    tree.release(directory);
  }
}

/** The status of one name; undefined where there is none. Throws a SystemCallError for anything else. */
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
    return decodeName(target.subarray(0, length));
  } finally {
    tree.release(directory);
  }
}

/** A raw name of getdents64(2), with the NUL at its end. */
interface RawName {
  readonly bytes: Bytes;
  readonly kind: FileKind | undefined;
}

/** Hands over the names of a directory in pieces, as the kernel returns them. Throws a SystemCallError. */
export function* readNames(
  tree: Tree,
  directory: string,
  onNames: (names: readonly RawName[], handle: number) => Work<void>,
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
    for (;;) {
      // A new buffer for each piece: the names are parts of it and may be used by calls that wait.
      const piece = new Uint8Array(LIST_BYTES);
      const length = succeeded(yield calls.getdents(opened, piece), "readdir", tree.pathOf(directory));
      if (length === 0) return;
      yield* onNames(namesIn(piece, length), handle);
    }
  } finally {
    if (opened >= 0) calls.closeHandle(opened);
    tree.release(directory);
  }
}

const CURRENT: Bytes = new Uint8Array([0x2e, 0]);

function namesIn(piece: Bytes, length: number): RawName[] {
  const names: RawName[] = [];
  for (let at = 0; at < length;) {
    // struct linux_dirent64: 8 bytes inode, 8 bytes offset, 2 bytes length of this entry, 1 byte type, the name.
    const next = at + piece[at + 16]! + piece[at + 17]! * 256;
    const start = at + 19;
    const end = piece.indexOf(0, start);
    const isDots = piece[start] === 0x2e && (end === start + 1 || (end === start + 2 && piece[start + 1] === 0x2e));
    if (!isDots) names.push({ bytes: piece.subarray(start, end + 1), kind: kindOfEntry(piece[at + 18]!) });
    at = next;
  }
  return names;
}

/** Lists a directory with the status of each name; a name that vanishes meanwhile is left out. Throws a SystemCallError. */
export function* listDirectory(tree: Tree, directory: string, onEntry: (entry: Listed) => void): Work<void> {
  const { calls } = tree;
  const atOnce = calls.form === "plain" ? 1 : STATUSES_AT_ONCE;
  const statuses = new Uint8Array(atOnce * STATUS_BYTES);
  const slots = Array.from(
    { length: atOnce },
    (_, index) => statuses.subarray(index * STATUS_BYTES, (index + 1) * STATUS_BYTES),
  );
  yield* readNames(tree, directory, function* (names, handle) {
    for (let start = 0; start < names.length; start += atOnce) {
      const part = names.length <= atOnce ? names : names.slice(start, start + atOnce);
      const answers = part.map(({ bytes }, index) =>
        calls.statx(handle, bytes, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_ASKED, slots[index]!)
      );
      const results: number[] = [];
      for (const answer of answers) results.push(typeof answer === "number" ? answer : yield answer);
      for (const [index, result] of results.entries()) {
        const { bytes } = part[index]!;
        const name = decodeName(bytes.subarray(0, -1));
        if (result === -ENOENT) continue;
        succeeded(result, "stat", tree.pathOf(directory, name));
        const status = readStatus(statuses, index * STATUS_BYTES);
        if (status.kind !== "l") {
          onEntry({ name, kind: status.kind, status, linkTarget: "" });
          continue;
        }
        const target = new Uint8Array(TARGET_BYTES);
        const length = yield calls.readlinkat(handle, bytes, target);
        if (length === -ENOENT) continue;
        succeeded(length, "readlink", tree.pathOf(directory, name));
        onEntry({ name, kind: "l", status, linkTarget: decodeName(target.subarray(0, length)) });
      }
    }
  });
}

/** Lists names and kinds only: where the file system tells the kinds with the names, nothing is asked for a name. */
export function* listKinds(tree: Tree, directory: string, onEntry: (name: string, kind: FileKind) => void): Work<void> {
  yield* readNames(tree, directory, function* (names) {
    for (const { bytes, kind } of names) {
      const name = decodeName(bytes.subarray(0, -1));
      const known = kind ?? (yield* statusOf(tree, directory, bytes))?.kind;
      if (known !== undefined) onEntry(name, known);
    }
  });
}

/** Whether an error says that a name does not exist. */
export function isMissing(error: unknown): boolean {
  return error instanceof SystemCallError && error.errno === ENOENT;
}
