// Warnings about files on scratch that a transfer kept: which of them a push transfers, which are in conflict and how to settle
// that, and which the next sync removes.
import { formatFiles, listSome, printable, shellWord } from "../text/format.ts";
import type { KeptPath } from "../transfer/transfer.ts";
import { splitDamaged } from "./damaged.ts";
import type { KeptFiles } from "../records/kept.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "../variables/variable.ts";

type Reason = KeptPath["reason"];

/** Conflicts that only a person can settle, with a text for each reason. */
const CONFLICTS: Readonly<Partial<Record<Reason, string>>> = {
  "changed on both sides": "changed on both sides",
  "newer at the source": "different on both sides, newer at the source",
  "in the way": "a directory on one side only",
  "part of a database that changed there": "of an SQLite database that changed on both sides",
};

const REMOVED_AT_SOURCE: Reason = "deleted there";

/** Whether a file differs on both sides in a way that neither a sync nor a push settles. */
export function isConflict({ reason }: KeptPath): boolean {
  return CONFLICTS[reason] !== undefined;
}

/** The text for a conflict's reason. */
export function conflictWords({ reason }: Pick<KeptPath, "reason">): string {
  return CONFLICTS[reason] ?? reason;
}

/** The warnings for kept files, after a transfer and at each later run until they are settled. */
export function keptWarnings(variable: Variable, { paths, others }: KeptFiles): StageWarning[] {
  const { warnings, rest } = splitDamaged(variable, paths);
  const conflicts = rest.filter(isConflict);
  const removed = rest.filter(({ reason }) => reason === REMOVED_AT_SOURCE);
  const changed = rest.filter((one) => !isConflict(one) && one.reason !== REMOVED_AT_SOURCE);
  // Files that are only counted most likely have the reason that is the most frequent among the named ones.
  const ofChanged = changed.length >= conflicts.length ? others : 0;
  return [
    ...changedWarnings(variable, changed, ofChanged),
    ...conflictWarnings(variable, conflicts, others - ofChanged),
    ...removedWarnings(variable, removed),
    ...warnings,
  ];
}

function changedWarnings({ name }: Variable, files: readonly KeptPath[], others: number): StageWarning[] {
  const count = files.length + others;
  if (count === 0) return [];
  const paths = files.map(({ path }) => path);
  return [{
    text: `${formatFiles(count)} changed on scratch and not pushed: ${listSome(paths, 5, others)}`,
    hint: `push ${count === 1 ? "it" : "them"} with \`euler-files push --var ${name}\``,
  }];
}

function conflictWarnings(variable: Variable, files: readonly KeptPath[], others: number): StageWarning[] {
  const count = files.length + others;
  if (count === 0) return [];
  const reasons = files.map((conflict) => `${conflict.path} (${conflictWords(conflict)})`);
  const first = files[0];
  const isForPerson = first?.reason === "in the way" && files.every(({ reason }) => reason === first.reason);
  const resolve = `euler-files resolve ${variable.name} --take`;
  return [{
    text: `${formatFiles(count)} in conflict: ${listSome(reasons, 5, others)}`,
    hint: isForPerson
      ? howToReplace(variable, first, count)
      : `to take what is on scratch: \`${resolve} scratch\`; to take what is at the source: \`${resolve} source\`; ` +
        `\`euler-files diff ${variable.name}\` shows both`,
  }];
}

/** The commands that settle a conflict in which one side is a directory: `resolve` does not remove directories. */
export function howToReplace({ source, target }: Variable, { path }: KeptPath, count: number): string {
  const [scratch, original] = [target, source].map((root) => shellWord(`${root}/${path}`)) as [string, string];
  // Remove the old one only after the new one was copied.
  const copy = (from: string, to: string) => `cp -a ${from} ${to}.new && rm -r ${to} && mv ${to}.new ${to}`;
  return `${count === 1 ? "" : `for ${printable(path)}, `}to take what is on scratch: \`${
    copy(scratch, original)
  }\`; ` +
    `to take what is at the source: \`${copy(original, scratch)}\``;
}

function removedWarnings({ name, target }: Variable, files: readonly KeptPath[]): StageWarning[] {
  if (files.length === 0) return [];
  const paths = files.map(({ path }) => path);
  const [verb, them, it] = paths.length === 1 ? ["was", "it", "it"] : ["were", "them", printable(paths[0]!)];
  return [{
    text:
      `${formatFiles(paths.length)} ${verb} removed at the source; the next sync removes ${them} from scratch, too: ` +
      listSome(paths),
    hint: `to keep ${it}: \`touch ${shellWord(`${target}/${paths[0]}`)} && euler-files push --var ${name}\``,
  }];
}
