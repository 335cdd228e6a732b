// The job that compares contents of files of both sides, part by part.
import type { Bytes } from "../../posix/calls.ts";
import { succeeded, SystemCallError } from "../../posix/errno.ts";
import type { Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import type { JobContext } from "./job.ts";

/** A part of a file, from one byte to before another; `isFollowed`: the name is a link at the sending side that is followed. */
export type ComparedPart = readonly [path: string, start: number, end: number, isFollowed: boolean];

/** Regular files that have the same path and size on both sides. */
export interface CompareRequest {
  readonly from: string;
  readonly to: string;
  readonly parts: readonly ComparedPart[];
}

/** How many bytes are read at a time of each side. */
const PIECE_BYTES = { plain: 1024 * 1024, waiting: 256 * 1024 };

const BUFFERS: Bytes[] = [];

/** Whether the parts are the same; also false for a part that cannot be read: the job that copies the file reports why. */
export async function runCompare({ from, to, parts }: CompareRequest, context: JobContext): Promise<boolean[]> {
  const [source, target] = [context.readTree(from), context.tree(to)];
  const results: boolean[] = new Array(parts.length);
  await context.runAll(parts.map(function* (part, index): Work<void> {
    try {
      results[index] = yield* isSamePart(source, target, part, context);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = false;
    }
  }));
  return results;
}

function* isSamePart(
  from: Tree,
  to: Tree,
  [path, start, end, isFollowed]: ComparedPart,
  context: JobContext,
): Work<boolean> {
  const { calls } = context;
  const files: number[] = [];
  const newBuffer = () => BUFFERS.pop() ?? new Uint8Array(PIECE_BYTES[calls.form]);
  const [one, other] = [newBuffer(), newBuffer()];
  try {
    files.push(yield* from.openFile(path, isFollowed ? "followed" : "refused"));
    files.push(yield* to.openFile(path));
    const [source, target] = files as [number, number];
    for (let offset = start; offset < end;) {
      context.checkStopped();
      const wanted = Math.min(one.length, end - offset);
      // Where calls wait, both sides are read at the same time.
      const answers = [calls.pread(source, one, wanted, offset), calls.pread(target, other, wanted, offset)] as const;
      // Wait for both answers before checking either: the kernel must not write into a buffer that is used again.
      const lengths = [yield answers[0], yield answers[1]] as const;
      const length = succeeded(lengths[0], "read", from.pathOf(path));
      const both = Math.min(length, succeeded(lengths[1], "read", to.pathOf(path)));
      if (both === 0) return false;
      if (!hasSameBytes(one, other, both)) return false;
      offset += both;
    }
    return true;
  } finally {
    for (const file of files) calls.closeHandle(file);
    BUFFERS.push(one, other);
  }
}

function hasSameBytes(one: Bytes, other: Bytes, length: number): boolean {
  const words = length >> 3;
  const [a, b] = [new BigUint64Array(one.buffer, 0, words), new BigUint64Array(other.buffer, 0, words)];
  for (let index = 0; index < words; index++) if (a[index] !== b[index]) return false;
  for (let index = words * 8; index < length; index++) if (one[index] !== other[index]) return false;
  return true;
}
