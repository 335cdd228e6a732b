// The job that finds out what a file system keeps of times, names and modes, with a file in a directory of its own.
import { EACCES, EINVAL, ENOSYS, EOPNOTSUPP, EPERM, SystemCallError } from "../../posix/errno.ts";
import {
  AT_REMOVEDIR,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_WRONLY,
  STATX_ASKED,
} from "../../posix/libc.ts";
import { readStatus, STATUS_BYTES, timesOf } from "../../posix/status.ts";
import { cString, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { type FileSystemTraits, PROBE_TIME, stepOf, USUAL_TRAITS } from "../traits.ts";
import type { JobContext } from "./job.ts";

/** Where to measure: `name` is a directory in the root that is made and removed. */
export interface MeasureTraitsRequest {
  readonly root: string;
  readonly name: string;
}

const PROBE = "probe-\u00e9";
/** The probe's name as a file system that folds names would find it: in capitals, and with a combining accent. */
const OTHER_SPELLINGS = ["PROBE-\u00c9", "PROBE-\u00e9", "probe-e\u0301"];
const SECOND_NAME = "second";
const PROBE_MODE = 0o640;

/** Measures. If nothing can be made there, returns the usual traits: the first file to be written will report why. */
export async function runMeasureTraits(
  { root, name }: MeasureTraitsRequest,
  context: JobContext,
): Promise<FileSystemTraits> {
  const tree = context.tree(root);
  let traits = USUAL_TRAITS;
  await context.runAll([function* (): Work<void> {
    try {
      traits = yield* measureIn(tree, name);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }()]);
  return traits;
}

function* measureIn(tree: Tree, name: string): Work<FileSystemTraits> {
  const { calls } = tree;
  const root = yield* tree.open("");
  try {
    yield calls.mkdirat(root, cString(name), 0o700);
    const directory = yield* tree.open(name);
    try {
      return yield* measureFile(tree, directory);
    } finally {
      for (const left of [PROBE, SECOND_NAME]) yield calls.unlinkat(directory, cString(left), 0);
      tree.release(name);
      tree.forget(name);
      yield calls.unlinkat(root, cString(name), AT_REMOVEDIR);
    }
  } finally {
    tree.release("");
  }
}

function* measureFile({ calls }: Tree, directory: number): Work<FileSystemTraits> {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC;
  const file = yield calls.openat(directory, cString(PROBE), flags, 0o600);
  // A file system that does not accept such a letter does not fold it either.
  if (file < 0) return USUAL_TRAITS;
  const changed = yield calls.fchmod(file, PROBE_MODE);
  const timed = yield calls.futimens(file, timesOf(PROBE_TIME.mtimeSeconds, PROBE_TIME.mtimeNanoseconds));
  calls.closeHandle(file);
  const bytes = new Uint8Array(STATUS_BYTES);
  const statusOf = (name: string) => calls.statx(directory, cString(name), AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
  if ((yield statusOf(PROBE)) !== 0) return USUAL_TRAITS;
  const { mode, mtimeSeconds, mtimeNanoseconds } = readStatus(bytes);
  const linked = yield calls.linkat(directory, cString(PROBE), directory, cString(SECOND_NAME));
  let isFolded = false;
  for (const name of OTHER_SPELLINGS) if ((yield statusOf(name)) === 0) isFolded = true;
  return {
    timeStep: timed === 0 ? stepOf({ mtimeSeconds, mtimeNanoseconds }) : 1,
    names: isFolded ? "folded" : "exact",
    hardLinks: linked === -EPERM || linked === -EOPNOTSUPP || linked === -ENOSYS ? "copied" : "kept",
    modes: changed < 0 ? modesAfter(-changed) : (mode & 0o777) === PROBE_MODE ? "kept" : "ignored",
  };
}

/** After an error that says nothing of permissions, such as EIO, they count as kept: each file then shows whether they are. */
function modesAfter(errno: number): FileSystemTraits["modes"] {
  return [EPERM, EACCES, EINVAL, ENOSYS, EOPNOTSUPP].includes(errno) ? "ignored" : "kept";
}
