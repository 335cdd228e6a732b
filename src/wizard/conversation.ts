// What the questions of `init` share.
import type { Context } from "../command.ts";
import type { Config } from "../config/config.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { CliError } from "../errors.ts";

/** Who is asked, about which file. */
export interface Conversation {
  readonly context: Context;
  readonly path: AbsolutePath;
  /** The configuration as it is saved; undefined where there is none of our version. */
  readonly existing: Config | undefined;
  /** Ends what goes on beside the questions. */
  readonly signal: AbortSignal;
}

/** What is chosen to type something that isn't offered; no name and no path. */
export const OTHER = "";

/** What is wrong with a path, as a few words; undefined where nothing is. */
export function faultOf(attempt: () => unknown): string | undefined {
  try {
    attempt();
    return undefined;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return error.message.replace(/^Cannot use .*?"\)?: /s, "").replace(/ \(in "[^"]*"\)$/, "");
  }
}
