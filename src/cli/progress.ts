// Progress on stderr: on a terminal one line for each thing under way, in a log a plain line now and then.
import type { Style } from "../command.ts";
import type { Progress } from "../events.ts";
import { formatCount, formatDuration, formatFiles, formatSize } from "../format.ts";
import type { System } from "../system/system.ts";

/** Draws progress until it is closed. */
export interface ProgressDisplay {
  update(subject: string, progress: Progress): void;
  finish(subject: string): void;
  /** Prints text that stays, above the lines that move. */
  printAbove(text: string): void;
  close(): void;
}

/** A log gets a line about the same thing at most this often. */
const LOG_INTERVAL_SECONDS = 30;

/** A terminal is redrawn at most this often; more would only cost time. */
const REDRAW_MILLISECONDS = 100;

/** A display that fits the stream. */
export function createProgressDisplay(system: System, style: Style): ProgressDisplay {
  const terminal = system.stderr.isTerminal && system.env.TERM !== "dumb";
  return terminal ? new LiveDisplay(system, style) : new LogDisplay(system);
}

interface Track {
  progress: Progress;
  readonly startedAt: number;
}

class LogDisplay implements ProgressDisplay {
  readonly #spokenAt = new Map<string, number>();
  readonly #tracks = new Map<string, Track>();
  constructor(readonly system: System) {}

  update(subject: string, progress: Progress): void {
    const now = this.system.now();
    const track = this.#tracks.get(subject) ?? { progress, startedAt: now };
    this.#tracks.set(subject, { ...track, progress });
    const spokenAt = this.#spokenAt.get(subject);
    if (spokenAt === undefined) this.#spokenAt.set(subject, now);
    if (spokenAt === undefined || now - spokenAt < LOG_INTERVAL_SECONDS * 1000) return;
    this.#spokenAt.set(subject, now);
    this.system.stderr.write(`${subject}: ${describeProgress({ progress, startedAt: track.startedAt }, now)}\n`);
  }

  finish(subject: string): void {
    this.#tracks.delete(subject);
    this.#spokenAt.delete(subject);
  }

  printAbove(text: string): void {
    this.system.stderr.write(text);
  }

  close(): void {}
}

type DrawLines = ((text: string) => void) & { clear(): void; done(): void };

class LiveDisplay implements ProgressDisplay {
  readonly #tracks = new Map<string, Track>();
  #draw: DrawLines | undefined;
  #drawnAt = 0;
  #closed = false;
  constructor(readonly system: System, readonly style: Style) {}

  update(subject: string, progress: Progress): void {
    const now = this.system.now();
    this.#tracks.set(subject, { progress, startedAt: this.#tracks.get(subject)?.startedAt ?? now });
    if (now - this.#drawnAt < REDRAW_MILLISECONDS || this.#closed) return;
    this.#drawnAt = now;
    if (this.#draw === undefined) this.#load();
    else this.#redraw();
  }

  finish(subject: string): void {
    this.#tracks.delete(subject);
    if (this.#tracks.size === 0) this.#draw?.clear();
    else this.#redraw();
  }

  printAbove(text: string): void {
    this.#draw?.clear();
    this.system.stderr.write(text);
    this.#redraw();
  }

  close(): void {
    this.#closed = true;
    this.#draw?.clear();
    this.#draw?.done();
  }

  // The drawing library is loaded when there is something to draw: a start with everything fresh never needs it.
  #load(): void {
    const load = async () => {
      const { createLogUpdate } = await import("log-update");
      if (this.#closed) return;
      const { stderr } = this.system;
      const terminal = {
        isTTY: true,
        get columns() {
          return stderr.columns;
        },
        write: (text: string) => stderr.write(text),
      };
      this.#draw ??= createLogUpdate(terminal as never, { showCursor: true }) as DrawLines;
      this.#redraw();
    };
    void load();
  }

  #redraw(): void {
    if (this.#draw === undefined || this.#tracks.size === 0) return;
    const now = this.system.now();
    const width = Math.max(...[...this.#tracks.keys()].map((subject) => subject.length));
    const lines = [...this.#tracks].map(([subject, track]) => {
      const line = `${subject.padEnd(width)}  ${describeProgress(track, now)}`;
      return line.slice(0, this.system.stderr.columns - 1);
    });
    this.#draw(lines.map((line) => this.style.cyan(line.slice(0, width)) + line.slice(width)).join("\n"));
  }
}

/**
 * Making a file takes as long as moving about so many bytes: 20 KB on a local disk, 240 KB where an operation waits 1 ms
 * (2 cores, 10,000 small files against files of 2 GB).
 */
const FILE_COST_BYTES = 128 * 1024;

/** One thing's progress as a line: `copying 45%  1,200 of 3,400 files  1.2 GB of 2.6 GB  80 MB/s  18 s left`. */
export function describeProgress(
  track: { readonly progress: Progress; readonly startedAt: number },
  now: number,
): string {
  const { phase, filesDone, filesTotal, bytesDone, bytesTotal } = track.progress;
  const seconds = track.progress.elapsedSeconds ?? (now - track.startedAt) / 1000;
  const parts = [phase];
  parts.push(
    filesTotal === undefined ? formatFiles(filesDone) : `${formatCount(filesDone)} of ${formatFiles(filesTotal)}`,
  );
  if (bytesTotal !== undefined && bytesTotal > 0) parts.push(`${formatSize(bytesDone)} of ${formatSize(bytesTotal)}`);
  else if (bytesDone > 0) parts.push(formatSize(bytesDone));
  if (seconds > 1 && bytesDone > 0) parts.push(`${formatSize(bytesDone / seconds)}/s`);
  const done = shareDone(track.progress);
  if (done !== undefined) {
    parts[0] = `${phase} ${Math.floor(done * 100)}%`;
    // Less than a fiftieth says little about the rest.
    if (done > 0.02 && seconds > 2) parts.push(`${formatDuration(seconds / done - seconds)} left`);
  }
  return parts.join("  ");
}

/** The share done of the work, between 0 and 1: it is in the bytes of large files and in the number of small ones. */
function shareDone({ filesDone, filesTotal, bytesDone, bytesTotal = 0 }: Progress): number | undefined {
  if (filesTotal === undefined || filesTotal === 0) return undefined;
  return Math.min(1, (filesDone * FILE_COST_BYTES + bytesDone) / (filesTotal * FILE_COST_BYTES + bytesTotal));
}
