// The contract between the command line and the commands. A command is a function from a request to an answer:
// it doesn't print, prompt or exit.
import type { GenericSchema } from "valibot";
import type { Report } from "./events.ts";
import type { Fields, RequestOf } from "./fields.ts";
import type { System } from "../system/system.ts";

/** What --json prints, in the names scripts know. `ok: false` makes the exit code 1, unless `exit_code` is given. */
export interface Answer {
  readonly ok: boolean;
  readonly command: string;
  /** The exit code of a program that was run in the place of ours. */
  readonly exit_code?: number;
}

/** What a command may use besides its request. */
export interface Context {
  readonly system: System;
  /** The path given with --config, as typed. */
  readonly configOption: string | undefined;
  readonly report: Report;
  /** Whether a person can be asked: a terminal on stdin and stderr, and no --json. */
  readonly interactive: boolean;
  readonly prompt: Prompt;
  /** Whether a program we start may draw on the terminal itself (its progress): stderr is one, and a person reads it. */
  readonly sharesTerminal: boolean;
  /** Whether stdout is for one JSON document and nothing else. */
  readonly wantsDocument: boolean;
}

/** Questions to a person, on stderr. Each throws `Interrupted` on Ctrl-C and a CliError on Esc. Only `ask` functions use it. */
export interface Prompt {
  text(question: TextQuestion): Promise<string>;
  confirm(question: { readonly message: string; readonly initial: boolean }): Promise<boolean>;
  select<Value extends string>(question: SelectQuestion<Value>): Promise<Value>;
  selectSeveral<Value extends string>(
    question: SelectQuestion<Value> & { readonly chosen: readonly Value[]; readonly required: boolean },
  ): Promise<readonly Value[]>;
  /** A heading or a block of text between questions. */
  note(text: string, title?: string): void;
}

/** A question answered by typing. */
export interface TextQuestion {
  readonly message: string;
  readonly initial?: string;
  readonly placeholder?: string;
  /** Says what is wrong with an answer, or nothing. */
  readonly check?: (answer: string) => string | undefined;
}

/** A question answered by choosing. */
export interface SelectQuestion<Value extends string> {
  readonly message: string;
  readonly options: readonly { readonly value: Value; readonly label: string; readonly hint?: string }[];
}

/** Text for the two streams. */
export interface Rendered {
  readonly stdout?: string;
  readonly stderr?: string;
  /** Written after stdout if stdout is the terminal, where a person sees it instead of the shell that should read it. */
  readonly aside?: string;
}

/** How to format text for one stream. */
export interface Style {
  /** The largest width of a line; Infinity if the stream is not a terminal. */
  readonly columns: number;
  bold(text: string): string;
  dim(text: string): string;
  red(text: string): string;
  green(text: string): string;
  yellow(text: string): string;
  cyan(text: string): string;
}

/** The styles of both streams: each decides by its own terminal. */
export interface Styles {
  readonly stdout: Style;
  readonly stderr: Style;
}

/** One line of the help: what to type, and what it does. */
export interface Example {
  readonly command: string;
  readonly does: string;
}

/** A subcommand. */
export interface Command<F extends Fields = Fields, A extends Answer = Answer> {
  /** The words after `euler-files`: `sync`, `apptainer build`. */
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** Paragraphs for its own help. */
  readonly description?: string;
  readonly examples: readonly Example[];
  readonly fields: F;
  /** Describes the answer; `schema --kind output` prints it, tests check answers against it. */
  readonly answer: GenericSchema;
  /** `evaluated`: a shell runs what is printed on stdout, so every failure must end it with a statement that fails. */
  readonly stdoutUse?: "evaluated" | "data";
  /** The evaluated text is printed after work that takes time: if the process is killed before, the text must fail. */
  readonly framed?: true;
  /** A JSON payload without any field's name is the value of this field (`init` takes a bare config). */
  readonly bareInput?: keyof F & string;
  /** Asks for what is missing in the request. Called only when `context.interactive`. */
  ask?(request: RequestOf<F>, context: Context): Promise<RequestOf<F>>;
  run(request: RequestOf<F>, context: Context): Promise<A>;
  render(answer: A, styles: Styles, request: RequestOf<F>): Rendered;
}

/** Declares a command; exists for its type inference. */
export function defineCommand<const F extends Fields, A extends Answer>(command: Command<F, A>): Command<F, A> {
  return command;
}

// deno-lint-ignore no-explicit-any -- for code that treats commands of all requests and answers alike
export type AnyCommand = Command<any, any>;

/** All commands, in the order of the help, and what their groups (`apptainer`) are about. */
export interface Catalogue {
  readonly commands: readonly AnyCommand[];
  readonly groups: Readonly<Record<string, string>>;
}
