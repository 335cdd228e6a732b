// What people and scripts read about the files in an environment that no package brought.
import * as v from "valibot";
import { CliError } from "../errors/errors.ts";
import { formatCount, formatFiles, printable } from "../text/format.ts";
import { parentsOf } from "../filter/selection.ts";
import { type OwnFiles, ownPaths } from "./own_files.ts";

/** The entries of an answer of a command that removes environments. */
export const OWN_FILES_ENTRIES = {
  own_files: v.pipe(
    v.array(v.string()),
    v.description("Files in the environment that no package brought, or that were changed since"),
  ),
  own_files_shown: v.pipe(
    v.array(v.string()),
    v.description("The same for people: a directory with only such files is one line"),
  ),
};

/** See {@linkcode OWN_FILES_ENTRIES}. */
export function describeOwnFiles(own: OwnFiles | undefined): { own_files: string[]; own_files_shown: string[] } {
  return own === undefined
    ? { own_files: [], own_files_shown: [] }
    : { own_files: ownPaths(own), own_files_shown: nameOwnFiles(own) };
}

/** What a dry run says about them. */
export function ownFilesText(shown: readonly string[]): string {
  if (shown.length === 0) return "";
  const head = "These files were not brought by its packages; only --delete-own-files removes them:\n";
  return head + shown.map((line) => `  ${line}\n`).join("");
}

/** How many lines name such files. */
const NAMED_LINES = 10;

/** The files by name: a directory that holds only added files is one line, `results/ (12 files)`. Pure. */
export function nameOwnFiles({ added, changed, unreadable, shared }: OwnFiles): string[] {
  const lines = new Map<string, number>();
  for (const path of added) {
    const top = parentsOf(path).find((parent) => !shared.has(parent));
    const shown = top === undefined ? path : `${top}/`;
    lines.set(shown, (lines.get(shown) ?? 0) + 1);
  }
  const all = [
    ...[...lines].map(([shown, count]) =>
      shown.endsWith("/") ? `${printable(shown)} (${formatFiles(count)})` : printable(shown)
    ),
    ...changed.map((path) => `${printable(path)} (changed since it was installed)`),
    ...unreadable.map(({ path, reason }) => `${printable(path || ".")} (${reason})`),
  ];
  const more = all.length - NAMED_LINES;
  return more <= 0 ? all : [...all.slice(0, NAMED_LINES), `and ${formatCount(more)} more`];
}

/** `3 files that its packages did not bring`. Pure. */
export function countOwnFiles(own: OwnFiles): string {
  return `${formatFiles(ownPaths(own).length)} that its packages did not bring`;
}

/** The error of a command that would delete them: `what` it refuses (`Cannot remove "/venvs/a"`), and the command that does it. */
export function ownFilesError(what: string, own: OwnFiles, command: string): CliError {
  return new CliError("refused", `${what}: it has ${countOwnFiles(own)}`, {
    lines: nameOwnFiles(own),
    hint: `move away what you need; \`${command}\` deletes them, too`,
  });
}
