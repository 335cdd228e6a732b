// Writes events as JSON lines on stderr.
import type { Event } from "../contract/events.ts";
import { type EventLine, eventLine } from "../contract/event_lines.ts";
import { withoutCredentials } from "../text/format.ts";
import { jsonLine } from "../text/json_text.ts";
import type { System } from "../system/system.ts";

/** A subject gets a line of progress at most this often. */
const INTERVAL_MILLISECONDS = 200;

/** The lines of one run. `configure` completes the commands in hints. */
export class EventLines {
  readonly #saidAt = new Map<string, number>();
  constructor(readonly system: System, readonly configure: (document: unknown) => unknown) {}

  report(event: Event): void {
    if (event.type === "progress") {
      const now = this.system.now();
      if (now - (this.#saidAt.get(event.subject) ?? -Infinity) < INTERVAL_MILLISECONDS) return;
      this.#saidAt.set(event.subject, now);
    }
    const line = eventLine(event);
    if (line !== undefined) this.write(line);
  }

  write(line: EventLine): void {
    this.system.stderr.write(this.textOf(line));
  }

  textOf(line: EventLine): string {
    const texts = Object.entries(line).map(([name, value]) => [
      name,
      typeof value === "string" ? withoutCredentials(value) : value,
    ]);
    return `${jsonLine(this.configure(Object.fromEntries(texts)))}\n`;
  }
}
