// What the questions of `init` share.
import type { Context } from "../contract/command.ts";
import type { Config } from "../config/config.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";

/** The context of the questions: the command's context and the file. */
export interface Conversation {
  readonly context: Context;
  readonly path: AbsolutePath;
  /** The saved configuration, or what the site says; undefined if there is neither. */
  readonly existing: Config | undefined;
  /** Ends the work that runs beside the questions. */
  readonly signal: AbortSignal;
}

/** The option for typing a value that isn't offered; it can be neither a name nor a path. */
export const OTHER = "";

/** What is wrong with a path, in a few words; undefined if nothing is. */
export function faultOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return error.message.replace(/^Cannot use .*?"\)?: /s, "").replace(/ \(in "[^"]*"\)$/, "");
  }
}
