// Which files are copied or deleted, by name: a line each for people, all of them in a JSON answer.
import * as v from "valibot";
import type { Report } from "../contract/events.ts";
import { formatCount, formatFiles, NAMED_FILES, printable } from "../text/format.ts";
import { BYTES_OF_NAMES, pathList } from "../contract/named_files.ts";

/** The fields of an answer; except in a dry run they are given only with `--verbose`. */
export const MOVED_FILES_FIELDS = {
  transferred: v.optional(v.pipe(v.array(v.string()), v.description("Paths that are copied, if names were asked for"))),
  transferred_bytes: BYTES_OF_NAMES,
  deleted: v.optional(
    v.pipe(
      v.array(v.string()),
      v.description("Paths that are removed, if names were asked for; that of a directory ends with a slash"),
    ),
  ),
  deleted_bytes: BYTES_OF_NAMES,
};

type MovedFields = v.InferOutput<v.ObjectSchema<typeof MOVED_FILES_FIELDS, undefined>>;

/** Paths relative to the root of a variable. */
export interface MovedFiles {
  /** Undefined if it is not known. */
  readonly transferred?: readonly string[] | undefined;
  readonly deleted?: readonly string[] | undefined;
}

/** The removed paths that are not directories. */
export function filesIn(removed: readonly string[]): readonly string[] {
  return removed.filter((path) => !path.endsWith("/"));
}

/** What is removed, for people: files, and directories only where there is nothing else. */
export function countRemoved(removed: readonly string[]): string {
  const files = filesIn(removed).length;
  if (files > 0) return formatFiles(files);
  return removed.length === 1 ? "1 directory" : `${formatCount(removed.length)} directories`;
}

/** Names the files, `+` for copied and `-` for removed: all of them, or ten and the number of the others. */
export function tellMoved(
  { transferred = [], deleted = [] }: MovedFiles,
  names: "all" | "some",
  subject: string,
  report: Report,
): void {
  const lines = [...named("+", transferred), ...named("-", deleted)];
  const shown = names === "all" ? lines.length : NAMED_FILES;
  for (let index = 0; index < Math.min(shown, lines.length); index++) {
    report({ type: "note", subject, text: lines[index]! });
  }
  const more = lines.length - shown;
  if (more > 0) report({ type: "note", subject, text: `and ${formatCount(more)} more, all of them with --verbose` });
}

function named(mark: string, paths: readonly string[]): string[] {
  return paths.toSorted().map((path) => `${mark} ${printable(path)}`);
}

/** The fields for an answer, empty where no names were asked for. */
export function movedFields({ transferred, deleted }: MovedFiles): MovedFields {
  const copied = transferred === undefined ? undefined : pathList(transferred);
  const removed = deleted === undefined ? undefined : pathList(deleted);
  return {
    ...(copied === undefined ? {} : { transferred: copied.paths }),
    ...(copied?.bytes === undefined ? {} : { transferred_bytes: copied.bytes }),
    ...(removed === undefined ? {} : { deleted: removed.paths }),
    ...(removed?.bytes === undefined ? {} : { deleted_bytes: removed.bytes }),
  };
}
