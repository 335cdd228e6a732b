// Runs programs that take minutes and print messages: passes their output on as it arrives and keeps the last lines for errors.
import { KEPT_CHARACTERS, spawn, type SpawnRequest } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** What receives a program's output while it runs. */
export interface Listener {
  /** Whether the program may draw on our terminal itself, such as its own progress bars. */
  readonly terminal: boolean;
  /** Gets whole lines. */
  readonly hear: (text: string) => void;
}

/** How a program ended. */
export interface StreamingOutcome {
  readonly code: number;
  /** The last lines of its output that we received; without those it drew on the terminal itself. */
  readonly lastLines: readonly string[];
}

/** An error shows this many of a program's last lines. */
const LAST_LINES = 20;

/** Runs a program and passes both of its streams to the listener. */
export async function runStreaming(
  request: Pick<SpawnRequest, "program" | "args" | "env" | "cwd">,
  listener: Listener,
  system: System,
): Promise<StreamingOutcome> {
  let heard = "";
  const streams = [lines(), lines()] as const;
  const take = (stream: LineCutter) => (text: string) => {
    const whole = stream.cut(text);
    if (whole !== "") speak(whole);
  };
  const speak = (text: string) => {
    listener.hear(text);
    heard = (heard + text).slice(-KEPT_CHARACTERS);
  };
  const outcome = await spawn({
    environment: "inherited",
    ...request,
    onStdout: take(streams[0]),
    onStderr: listener.terminal ? "inherit" : take(streams[1]),
  }, system);
  for (const stream of streams) {
    const rest = stream.rest();
    if (rest !== "") speak(`${rest}\n`);
  }
  const said = heard.split("\n").map((line) => line.trimEnd()).filter((line) => line !== "");
  return { code: outcome.code, lastLines: said.slice(-LAST_LINES) };
}

/** Cuts pieces of text after their last whole line. */
interface LineCutter {
  /** The whole lines that are complete now, each with its end. */
  cut(text: string): string;
  /** What comes after the last whole line. */
  rest(): string;
}

/** The lines of one stream. */
export function lines(): LineCutter {
  let pending = "";
  return {
    cut(text) {
      pending += text;
      const end = pending.lastIndexOf("\n") + 1;
      const whole = pending.slice(0, end);
      pending = pending.slice(end);
      return whole;
    },
    rest: () => pending,
  };
}
