// The failure of an environment that was made again and has other packages than its source.
import { CliError } from "../errors/errors.ts";
import type { RebuildAnswer } from "../venv/rebuild_answer.ts";
import { type Failure, failureOf } from "./failures.ts";

/** None if the packages are the same, or were not compared. */
export function differenceFailures(name: string, { status, target, errors }: RebuildAnswer): Failure[] {
  if (status !== "verification-failed") return [];
  const error = new CliError("tool", `The packages of "${target}" are not those of its source`, { lines: errors });
  return [failureOf(name, error)];
}
