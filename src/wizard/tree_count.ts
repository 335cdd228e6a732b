// The sizes of directories, counted while a person answers questions: a help for choosing, not exact. Counting stops when
// it has taken long enough, and the text says so.
import { formatFiles, formatSize } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { startMeasure } from "../transfer/measure.ts";

/** A running count; read it whenever a size is shown. */
export interface TreeCount {
  readonly files: number;
  readonly sizeBytes: number;
  readonly state: "counting" | "done" | "stopped";
  /** Resolves when the count has ended, complete or not. */
  readonly ended: Promise<void>;
}

const MOST_FILES = 500_000;

/** Starts to count the files below a directory; the signal stops it. Unreadable directories aren't counted. */
export function countTree(root: string, system: Pick<System, "signal" | "calls">): TreeCount {
  const { measure, ended } = startMeasure({ root, mostFiles: MOST_FILES }, system);
  let state: TreeCount["state"] = "counting";
  const settled = ended.then(
    (end) => void (state = end === "complete" ? "done" : "stopped"),
    () => void (state = "stopped"),
  );
  return {
    get files() {
      return measure.files;
    },
    get sizeBytes() {
      return measure.sizeBytes;
    },
    get state() {
      return state;
    },
    ended: settled,
  };
}

/** `4.2 GB, 12,345 files`; `over 4.2 GB, …` while there may be more. */
export function describeCount({ files, sizeBytes, state }: TreeCount): string {
  return `${state === "done" ? "" : "over "}${formatSize(sizeBytes)}, ${formatFiles(files)}`;
}
