// How large directories are, counted while a person answers questions. A help for choosing, not a measure: it stops when it
// has taken long enough, and says so.
import { formatFiles, formatSize } from "../format.ts";

/** A count that goes on; read it whenever something is shown. */
export interface TreeCount {
  readonly files: number;
  readonly sizeBytes: number;
  readonly state: "counting" | "done" | "stopped";
  /** Settles when the count is at its end, whichever. */
  readonly ended: Promise<void>;
}

const MAX_FILES = 500_000;

/** Directories listed at a time: enough to hide the latency of a network file system, too few to be felt by others. */
const AT_ONCE = 8;

/** Starts to count the files below a directory; the signal stops it. What can't be read isn't counted. */
export function countTree(path: string, signal: AbortSignal): TreeCount {
  const count = { files: 0, sizeBytes: 0, state: "counting" as TreeCount["state"], ended: Promise.resolve() };
  const waiting = [path];
  const look = async (directory: string) => {
    try {
      for await (const { name, isDirectory } of Deno.readDir(directory)) {
        if (signal.aborted || count.files >= MAX_FILES) return void (count.state = "stopped");
        const entry = `${directory}/${name}`;
        if (isDirectory) {
          waiting.push(entry);
          continue;
        }
        count.files++;
        count.sizeBytes += (await Deno.lstat(entry)).size;
      }
    } catch {
      // Gone meanwhile, or not ours to read.
    }
  };
  const run = async () => {
    while (waiting.length > 0 && count.state === "counting") {
      await Promise.all(waiting.splice(-AT_ONCE).map(look));
    }
    if (count.state === "counting") count.state = "done";
  };
  count.ended = run();
  return count;
}

/** `4.2 GB, 12,345 files`; `over 4.2 GB, …` while there may be more. */
export function describeCount({ files, sizeBytes, state }: TreeCount): string {
  return `${state === "done" ? "" : "over "}${formatSize(sizeBytes)}, ${formatFiles(files)}`;
}
