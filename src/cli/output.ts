// Writes stdout and stderr: events while a command works, then its answer or its error.
import type { Answer, AnyCommand, Rendered, Style, Styles } from "../contract/command.ts";
import { CliError, ERROR_KINDS, Interrupted, messageOf } from "../errors/errors.ts";
import { stampOf } from "../contract/document.ts";
import { type Problem, problemOf } from "../contract/problem.ts";
import type { DoneOutcome, Event } from "../contract/events.ts";
import { withoutCredentials } from "../text/format.ts";
import { jsonText } from "../text/json_text.ts";
import { FAILING_STATEMENT, FRAME_END, FRAME_START } from "../shell/evaluated.ts";
import { padTo, shortenMessage, textWidth, wrapText } from "../text/shorten.ts";
import { ERROR_PLACEHOLDERS, PLAIN_OUTPUT, type WatchdogOutput } from "../system/watchdog_output.ts";
import type { System } from "../system/system.ts";
import { neutralLines, neutralText } from "./control_characters.ts";
import { type ConfigureCommands, configureHints } from "./configured_commands.ts";
import type { EventLines } from "./event_lines.ts";
import { createProgressDisplay, type ProgressDisplay } from "./progress.ts";

/** How much is written: everything for a person, only warnings and errors, or one JSON document. */
export type Audience = "person" | "quiet" | "json";

const SHOWN_CHARACTERS = 64 * 1024;

/** A longer name does not widen the column of names, nor one that takes more than this share of a terminal's line. */
const MOST_SUBJECT_COLUMNS = 30;
const LARGEST_SUBJECT_SHARE = 0.3;

interface ErrorAnswer {
  readonly ok: false;
  readonly command: string | undefined;
  readonly error: unknown;
}

type Done = Event & { readonly type: "done" };

/** The two streams of one run. */
export class Output {
  readonly #system: System;
  readonly #audience: Audience;
  readonly #styles: Styles;
  readonly #details: boolean;
  readonly #configure: ConfigureCommands;
  readonly #progress: ProgressDisplay | undefined;
  readonly #lines: EventLines | undefined;
  /** The last output of programs, so that an error doesn't repeat it. */
  #shown = "";
  #frame: "none" | "open" = "none";
  #subjectColumns = 0;
  /** Results that may be merged into one line. */
  readonly #held: (Done & { readonly inOne: string })[] = [];

  constructor(
    options: {
      system: System;
      audience: Audience;
      styles: Styles;
      details: boolean;
      configure: ConfigureCommands;
      lines?: EventLines;
    },
  ) {
    this.#system = options.system;
    this.#audience = options.audience;
    this.#styles = options.styles;
    this.#details = options.details;
    this.#configure = options.configure;
    this.#lines = options.lines;
    if (options.audience === "person" && options.lines === undefined) {
      this.#progress = createProgressDisplay(options.system, options.styles.stderr);
    }
  }

  /** Whether stdout is for one JSON document. */
  get printsJson(): boolean {
    return this.#audience === "json";
  }

  /** Writes an event to stderr. `quiet` writes only warnings; `json` nothing, because the answer has them. */
  report(event: Event): void {
    if (this.#lines !== undefined) {
      const isTold = this.#audience !== "quiet" || event.type === "warning";
      if (isTold && (event.type !== "detail" || this.#details)) this.#lines.report(event);
    } else if (event.type === "warning" && this.#audience !== "json") {
      this.#say(warningText(event, this.#styles.stderr));
    } else if (this.#audience !== "person") {
      return;
    } else if (event.type === "note") {
      this.#say(`${event.subject === undefined ? "" : `${event.subject}: `}${event.text}\n`);
    } else if (event.type === "output") {
      this.#shown = (this.#shown + event.text).slice(-SHOWN_CHARACTERS);
      this.#print(neutralLines(withoutCredentials(event.text)));
    } else if (event.type === "detail") {
      if (this.#details) this.#say(this.#styles.stderr.dim(`${event.subject ?? ""}: ${event.text}`) + "\n");
    } else if (event.type === "progress") {
      // The phase may come from another process.
      const phase = neutralText(event.progress.phase, "plain");
      this.#progress?.update(neutralText(event.subject, "plain"), { ...event.progress, phase });
    } else if (event.type === "subjects") {
      const { isTerminal, columns } = this.#system.stderr;
      const most = isTerminal ? Math.floor(columns * LARGEST_SUBJECT_SHARE) : MOST_SUBJECT_COLUMNS;
      this.#subjectColumns = Math.min(MOST_SUBJECT_COLUMNS, most, Math.max(0, ...event.names.map(textWidth)));
    } else if (event.type === "done") {
      this.#progress?.finish(event.subject);
      if (event.inOne === undefined || this.#details) this.#sayDone(event);
      else this.#held.push({ ...event, inOne: event.inOne });
    } else if (event.type === "told") {
      this.#sayHeld();
    }
  }

  #sayDone({ subject, outcome, text }: Done): void {
    const mark = doneMark(outcome, this.#styles.stderr, this.#system.env);
    this.#say(`${mark} ${padTo(subject, this.#subjectColumns)}  ${text}\n`);
  }

  /** Success takes few lines: a result that is the same for several variables is one line. */
  #sayHeld(): void {
    const held = this.#held.splice(0);
    const [first, ...others] = held;
    if (first === undefined) return;
    if (others.length === 0) return this.#sayDone(first);
    const mark = doneMark("idle", this.#styles.stderr, this.#system.env);
    const texts = [...Map.groupBy(held, ({ inOne }) => inOne)].map(([words, { length: count }], index) =>
      `${count} ${index > 0 ? "" : count === 1 ? "variable " : "variables "}${words}`
    );
    this.#say(`${mark} ${texts.join(", ")}\n`);
  }

  /** Begins a frame around text that a shell evaluates: if the process dies before its end, the text is invalid. */
  openFrame(): void {
    this.#system.stdout.write(FRAME_START);
    this.#frame = "open";
  }

  /** What the watchdog writes to stdout and stderr if the main thread is blocked (watchdog_output.ts). */
  watchdogOutput(options: { readonly command: string | undefined; readonly evaluated: boolean }): WatchdogOutput {
    const error = errorDocument(
      new CliError("file-system", ERROR_PLACEHOLDERS.message, { hint: ERROR_PLACEHOLDERS.hint }),
    );
    if (this.#audience === "json") {
      return { stdout: this.#documentText({ ok: false, command: options.command, error }), stderr: "" };
    }
    const { stderr } = PLAIN_OUTPUT;
    const end = this.#frame === "open" ? FRAME_END : "";
    return {
      stdout: options.evaluated && !this.#system.stdout.isTerminal ? `${end}${FAILING_STATEMENT}` : "",
      stderr: this.#lines === undefined ? stderr : this.#lines.textOf({ event: "error", ...error }),
    };
  }

  /** The same after the answer: stdout gets nothing more, because it is complete. */
  watchdogOutputAfterAnswer(): WatchdogOutput {
    return { ...this.watchdogOutput({ command: undefined, evaluated: false }), stdout: "" };
  }

  /** Removes the progress from the terminal. Call it before other text is written there. */
  close(): void {
    this.#sayHeld();
    this.#progress?.close();
  }

  /** Prints a command's answer: one JSON document, or its text. */
  answer(command: AnyCommand, answer: Answer, request: Record<string, unknown>): void {
    this.close();
    if (this.#audience === "json") return this.document(answer);
    const rendered: Rendered = command.render(answer, this.#styles, request);
    // The reasons of a failure are neither progress nor a note, so --quiet doesn't hide them.
    const silent = this.#audience === "quiet" && answer.ok;
    if (rendered.stderr !== undefined && !silent) this.#writeMessage(rendered.stderr);
    const isForShell = rendered.stdout === FAILING_STATEMENT && this.#system.stdout.isTerminal;
    const stdout = isForShell ? "" : rendered.stdout ?? "";
    // For a file or another program stdout is data and is written unchanged.
    const shown = command.stdoutUse === undefined ? this.#configure(stdout) : stdout;
    this.#write(this.#system.stdout.isTerminal ? neutralText(shown, formFor(this.#styles.stdout)) : shown);
    if (rendered.aside !== undefined && this.#audience === "person" && this.#system.stdout.isTerminal) {
      this.#writeMessage(rendered.aside);
    }
  }

  /** Prints one JSON document, with what every one says about itself. */
  document(document: Answer | ErrorAnswer): void {
    this.#system.stdout.write(this.#documentText(document));
  }

  #documentText(document: Answer | ErrorAnswer): string {
    const stamped = { ...stampOf("error" in document ? "error" : "answer"), ...document };
    return jsonText(configureHints(stamped, this.#configure));
  }

  /** Prints an error and returns the exit code. `evaluated`: a shell runs stdout, so a failing statement is written to it. */
  failure(error: unknown, options: { readonly command: string | undefined; readonly evaluated: boolean }): number {
    this.close();
    if (this.#audience === "json") {
      this.document({ ok: false, command: options.command, error: errorDocument(error) });
    } else {
      if (this.#lines !== undefined) this.#lines.write({ event: "error", ...errorDocument(error) });
      else this.#writeMessage(errorText(error, this.#styles.stderr, this.#shown));
      // On a terminal stdout is not evaluated.
      if (options.evaluated && !this.#system.stdout.isTerminal) this.#write(FAILING_STATEMENT);
    }
    return error instanceof CliError || error instanceof Interrupted ? error.exitCode : 1;
  }

  #write(text: string): void {
    const end = this.#frame === "open" ? FRAME_END : "";
    this.#frame = "none";
    if (end + text !== "") this.#system.stdout.write(end + text);
  }

  #say(text: string): void {
    this.#print(this.#messageText(text));
  }

  #writeMessage(text: string): void {
    if (this.#lines !== undefined) return this.#lines.write({ event: "note", text: text.trimEnd() });
    this.#system.stderr.write(this.#messageText(text));
  }

  #messageText(text: string): string {
    const said = withoutCredentials(this.#configure(shortenMessage(text)));
    const { stderr } = this.#styles;
    return wrapText(neutralText(said, formFor(stderr)), stderr.columns);
  }

  #print(text: string): void {
    if (this.#progress !== undefined) this.#progress.printAbove(text);
    else this.#system.stderr.write(text);
  }
}

function formFor(style: Style): "styled" | "plain" {
  return style.bold("") === "" ? "plain" : "styled";
}

/** The `error` of a JSON answer. */
function errorDocument(error: unknown): Problem & { readonly type: string } {
  if (error instanceof CliError) return { type: ERROR_KINDS[error.kind].type, ...problemOf(error) };
  if (error instanceof Interrupted) {
    const { message, hint } = error;
    return {
      ...{ type: "KeyboardInterrupt", kind: "interrupted", message, lines: [] },
      ...(hint === undefined ? {} : { hint }),
    };
  }
  return { type: ERROR_KINDS.bug.type, kind: "bug", message: bugMessage(error), lines: [] };
}

function bugMessage(error: unknown): string {
  return `Cannot go on after an internal error: ${messageOf(error)}`;
}

function errorText(error: unknown, style: Style, shown: string): string {
  const head = style.bold(style.red("error:"));
  if (error instanceof Interrupted) return `${head} ${error.message}\n${hintText(error.hint, style)}`;
  if (error instanceof CliError) {
    const lines = error.lines.filter((line) => !shown.includes(line)).map((line) => `  ${line}\n`).join("");
    return `${head} ${error.message}\n${lines}${hintText(error.hint, style)}`;
  }
  const stack = error instanceof Error ? error.stack ?? "" : "";
  return `${head} ${bugMessage(error)}\nThis is a bug in euler-files. Please report it with these lines:\n${stack}\n`;
}

function warningText(event: Event & { type: "warning" }, style: Style): string {
  const subject = event.subject === undefined ? "" : `${event.subject}: `;
  return `${style.bold(style.yellow("warning:"))} ${subject}${event.text}\n${hintText(event.hint, style)}`;
}

function hintText(hint: string | undefined, style: Style): string {
  return hint === undefined ? "" : `${style.bold(style.cyan("hint:"))} ${hint}\n`;
}

function doneMark(outcome: DoneOutcome, style: Style, env: Readonly<Record<string, string>>): string {
  const unicode = /utf-?8/i.test(env.LC_ALL || env.LC_CTYPE || env.LANG || "");
  if (outcome === "good") return style.green(unicode ? "✓" : "+");
  if (outcome === "idle") return style.dim(unicode ? "·" : "-");
  if (outcome === "incomplete") return style.yellow("!");
  return style.red(unicode ? "✗" : "x");
}
