// What else helps where several variables want room: to stage fewer of them.
import { CliError } from "../errors.ts";
import type { StagingSettings } from "./variable.ts";

/** The same error; one of the kind `no-space` gets a further hint if more than one variable is staged. */
export function withRoomAdvice(error: CliError, { variables }: Pick<StagingSettings, "variables">): CliError {
  if (error.kind !== "no-space" || variables === "one") return error;
  const hint = `${error.hint ?? "make room there"}, or stage less with \`--var NAME\``;
  return new CliError(error.kind, error.message, { lines: error.lines, hint, cause: error.cause });
}
