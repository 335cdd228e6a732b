// Whether a file of one tree is only the beginning of the same file in another tree, as an interrupted copy leaves it.
import type { Bytes } from "../posix/calls.ts";
import { succeeded } from "../posix/errno.ts";
import { splitLast } from "../posix/file_names.ts";
import type { Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import { entryAt } from "./publish.ts";

/** Pieces compared of a file, spread evenly; a large file is not read as a whole. */
const PIECES = 16;
const PIECE_BYTES = 64 * 1024;

/**
 * Whether the copy is shorter than the original and has the same bytes; false where either is no regular file. Throws a
 * SystemCallError where reading fails, and an Error where a file becomes shorter while it is read.
 */
export function* isCut(
  { copy, original }: { readonly copy: Tree; readonly original: Tree },
  path: string,
): Work<boolean> {
  const [directory, name] = splitLast(path);
  const cut = yield* entryAt(copy, directory, name);
  const whole = yield* entryAt(original, directory, name);
  if (cut?.type !== "file" || whole?.type !== "file" || cut.sizeBytes >= whole.sizeBytes) return false;
  const file = yield* copy.openFile(path, cut.isFollowed ? "followed" : "refused");
  try {
    const wholeFile = yield* original.openFile(path, whole.isFollowed ? "followed" : "refused");
    try {
      return yield* haveSamePieces(
        { tree: copy, path, file },
        { tree: original, path, file: wholeFile },
        cut.sizeBytes,
      );
    } finally {
      original.calls.closeHandle(wholeFile);
    }
  } finally {
    copy.calls.closeHandle(file);
  }
}

interface OpenFile {
  readonly tree: Tree;
  readonly path: string;
  readonly file: number;
}

function* haveSamePieces(one: OpenFile, other: OpenFile, sizeBytes: number): Work<boolean> {
  const last = Math.max(0, sizeBytes - PIECE_BYTES);
  for (let piece = 0; piece < PIECES; piece++) {
    const offset = Math.floor(last * piece / (PIECES - 1));
    const length = Math.min(PIECE_BYTES, sizeBytes - offset);
    const bytes = yield* readPiece(one, offset, length);
    const others = yield* readPiece(other, offset, length);
    if (!bytes.every((byte, index) => byte === others[index])) return false;
    if (last === 0) break;
  }
  return true;
}

function* readPiece({ tree, path, file }: OpenFile, offset: number, length: number): Work<Bytes> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length;) {
    const answer = yield tree.calls.pread(file, bytes.subarray(done), length - done, offset + done);
    const read = succeeded(answer, "read", tree.pathOf(path));
    if (read === 0) throw new Error(`'${tree.pathOf(path)}' became shorter while it was read`);
    done += read;
  }
  return bytes;
}
