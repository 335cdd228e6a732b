// Many jobs start at once and one of them works: it shows the others how far it is, through a small file beside the lock.
import { writeFileAtomically } from "../system/atomic_file.ts";
import type { Progress, Report } from "../events.ts";

/** How often the working job tells, and the waiting ones look. Each look is one read on scratch for each waiting job. */
const INTERVAL_MILLISECONDS = 2000;

/** Wraps a report of progress so that it is published, too. Call `end` when the work is over. */
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
      // It is only for the eyes of those who wait: a full disk must not stop the work itself.
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

/** Reports the published progress of another job until it is disposed of. */
export function watchProgress(path: string, subject: string, report: Report): Disposable {
  const timer = setInterval(() => {
    Deno.readTextFile(path).then((text) => {
      const progress: unknown = JSON.parse(text);
      if (isProgress(progress)) report({ type: "progress", subject, progress: { ...progress, phase: "waiting for" } });
    }).catch(() => {
      // Nothing is published yet, or not any more.
    });
  }, INTERVAL_MILLISECONDS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function isProgress(value: unknown): value is Progress {
  if (typeof value !== "object" || value === null) return false;
  const { filesDone, bytesDone, elapsedSeconds } = value as Partial<Progress>;
  return [filesDone, bytesDone, elapsedSeconds].every((number) => typeof number === "number");
}
