// Progress on stderr: on a terminal one line for each running task, in a log a plain line from time to time.
import type { Style } from "../contract/command.ts";
import type { Progress } from "../contract/events.ts";
import type { System } from "../system/system.ts";
import { padTo, shortenTo, textWidth } from "../text/shorten.ts";
import { describeProgress, follow, type Track } from "./progress_line.ts";

/** Draws progress until it is closed. */
export interface ProgressDisplay {
  update(subject: string, progress: Progress): void;
  finish(subject: string): void;
  /** Prints text that stays, above the lines that move. */
  printAbove(text: string): void;
  close(): void;
}

/** A log gets a line about the same task at most this often. */
const LOG_INTERVAL_SECONDS = 30;

/** A terminal is redrawn at most this often; more would only cost time. */
const REDRAW_MILLISECONDS = 100;

/** The largest share of a line that long names may take. */
const LARGEST_NAME_SHARE = 0.4;

/** A display that suits the stream: lines that move on a terminal, plain lines elsewhere. */
export function createProgressDisplay(system: System, style: Style): ProgressDisplay {
  const terminal = system.stderr.isTerminal && system.env.TERM !== "dumb";
  return terminal ? new LiveDisplay(system, style) : new LogDisplay(system);
}

class LogDisplay implements ProgressDisplay {
  readonly #spokenAt = new Map<string, number>();
  readonly #tracks = new Map<string, Track>();
  constructor(readonly system: System) {}

  update(subject: string, progress: Progress): void {
    const now = this.system.now();
    const track = follow(this.#tracks.get(subject), progress, now);
    this.#tracks.set(subject, track);
    const spokenAt = this.#spokenAt.get(subject);
    if (spokenAt === undefined) this.#spokenAt.set(subject, now);
    if (spokenAt === undefined || now - spokenAt < LOG_INTERVAL_SECONDS * 1000) return;
    this.#spokenAt.set(subject, now);
    this.system.stderr.write(`${subject}: ${describeProgress(track, now)}\n`);
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
    this.#tracks.set(subject, follow(this.#tracks.get(subject), progress, now));
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

  // The drawing library is loaded when there is something to draw: a start with everything fresh doesn't load it.
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
    // A display that cannot be loaded must not end the work.
    load().catch(() => {});
  }

  #redraw(): void {
    if (this.#draw === undefined || this.#tracks.size === 0) return;
    const now = this.system.now();
    // The terminal's last column stays free: some terminals break the line as soon as it is full.
    const columns = this.system.stderr.columns - 1;
    const longest = Math.max(...[...this.#tracks.keys()].map(textWidth));
    // One long name must not take the columns of all the others.
    const width = Math.min(longest, Math.max(1, Math.floor(columns * LARGEST_NAME_SHARE)));
    const lines = [...this.#tracks].map(([subject, track]) => {
      const name = padTo(shortenTo(subject, width), width);
      const progress = shortenTo(describeProgress(track, now, columns - width - 2), columns - width - 2);
      return `${this.style.cyan(name)}  ${progress}`;
    });
    this.#draw(lines.join("\n"));
  }
}
