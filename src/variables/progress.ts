// The progress of the work on a variable: its phase as a word for people, and a small file beside the lock for waiting jobs. If
// many jobs start at once, one of them transfers, and the others show its progress.
import type { Progress, Report } from "../contract/events.ts";
import { formatCount, formatFiles } from "../text/format.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import type { HolderProgress } from "../system/file_lock.ts";
import type { TransferProgress } from "../transfer/transfer.ts";

/** How often the working job writes the file, and the waiting jobs read it: one read on scratch for each waiting job. */
const INTERVAL_MILLISECONDS = 2000;

/** Wraps a report of progress so that it also writes the progress file. Call `end` when the work is over. */
export function publishProgress(path: string, report: (progress: Progress) => void): {
  readonly report: (progress: Progress) => void;
  readonly end: () => Promise<void>;
} {
  const startedAt = performance.now();
  let publishedAt = startedAt;
  let writing: Promise<void> = Promise.resolve();
  return {
    report(progress) {
      report(progress);
      if (performance.now() - publishedAt < INTERVAL_MILLISECONDS) return;
      publishedAt = performance.now();
      const content = JSON.stringify({ ...progress, elapsedSeconds: (publishedAt - startedAt) / 1000 });
      // Ignore errors: the file is only for messages of waiting jobs, and a full disk must not stop the work.
      writing = writing.then(() =>
        writeFileAtomically({ path, content, mode: 0o600, durability: "fast" }).catch(
          () => {},
        )
      );
    },
    async end() {
      await writing;
      await Deno.remove(path).catch(() => {});
    },
  };
}

/** Another job's progress, watched until it is disposed of. */
export interface ProgressWatch extends Disposable {
  /** The progress that was read last; undefined before anything is published. */
  readonly latest: () => HolderProgress | undefined;
}

/** Reports another job's progress. The text that is read first may be a dead job's, so it does not count as progress. */
export function watchProgress(path: string, subject: string, report: Report): ProgressWatch {
  let looks = 0;
  let isOver = false;
  let text: string | undefined;
  let latest: HolderProgress | undefined;
  const look = async () => {
    const isFirst = looks++ === 0;
    const published = await readOwnText(path).catch(() => undefined);
    const progress = published === undefined ? undefined : parseProgress(published);
    if (progress === undefined || isOver) return;
    if (published !== text) {
      latest = { movedAt: isFirst ? undefined : performance.now(), position: positionOf(progress) };
    }
    text = published;
    report({ type: "progress", subject, progress: { ...progress, phase: `another job: ${progress.phase}` } });
  };
  void look();
  const timer = setInterval(look, INTERVAL_MILLISECONDS);
  return {
    latest: () => latest,
    [Symbol.dispose]() {
      isOver = true;
      clearInterval(timer);
    },
  };
}

function positionOf({ filesDone, filesTotal }: Progress): string {
  return filesTotal === undefined ? formatFiles(filesDone) : `${formatCount(filesDone)} of ${formatFiles(filesTotal)}`;
}

function parseProgress(text: string): Progress | undefined {
  try {
    const progress: unknown = JSON.parse(text);
    return isProgress(progress) ? progress : undefined;
  } catch {
    return undefined;
  }
}

function isProgress(value: unknown): value is Progress {
  if (typeof value !== "object" || value === null) return false;
  const { phase, filesDone, bytesDone, elapsedSeconds } = value as Partial<Progress>;
  return typeof phase === "string" &&
    [filesDone, bytesDone, elapsedSeconds].every((number) => typeof number === "number");
}

/** The kind of transfer: the first copy of a target, an update of one, or a push to the source. */
export type Work = "first copy" | "update" | "push";

/** The same progress with the phase as a word for people. */
export function progressOf(progress: TransferProgress, work: Work): Progress {
  const copying = work === "push" ? "pushing" : "copying";
  // A first copy compares with nothing.
  const comparing = work === "first copy" ? copying : "comparing";
  const phase = { comparing, transferring: copying, finishing: "finishing" }[progress.phase];
  return { ...progress, phase };
}
