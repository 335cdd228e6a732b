// Warnings about kept files that have a hint of their own: files on scratch that a crash may have damaged or that could not be
// compared, files behind a link of the source, and databases that a program has open. Also about files that stay only
// because something that was not pushed yet needs them.
import { formatFiles, listSome, shellWord } from "../text/format.ts";
import type { KeptPath } from "../transfer/request.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "../variables/variable.ts";

/** Splits kept files into warnings about those that a person has to settle, and the rest. */
export function splitDamaged(
  variable: Variable,
  kept: readonly KeptPath[],
): { readonly warnings: StageWarning[]; readonly rest: readonly KeptPath[] } {
  const pathsOf = (wanted: (reason: KeptPath["reason"]) => boolean) =>
    kept.filter(({ reason }) => wanted(reason)).map(({ path }) => path);
  return {
    warnings: [
      ...damagedWarnings(variable, pathsOf((reason) => reason === "damaged")),
      ...truncatedWarnings(variable, pathsOf((reason) => reason === "truncated")),
      ...uncomparedWarnings(variable, pathsOf((reason) => reason === "not compared")),
      ...linkWarnings(variable, pathsOf((reason) => reason === "a link at the source")),
      ...neededWarnings(variable, pathsOf((reason) => reason === "needed there")),
      ...useWarnings(pathsOf((reason) => reason === "in use there")),
    ],
    rest: kept.filter(({ reason }) => !OWN_WARNING.includes(reason)),
  };
}

const OWN_WARNING: readonly KeptPath["reason"][] = [
  "damaged",
  "truncated",
  "not compared",
  "a link at the source",
  "in use there",
  "needed there",
];

function damagedWarnings({ name, target }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  const file = shellWord(`${target}/${paths[0]}`);
  return [{
    text: `${formatFiles(paths.length)} on scratch shorter than recorded, with the recorded time: ${listSome(paths)}`,
    hint: `if a crash truncated the file: rm ${file} && euler-files sync --force --var ${name}; ` +
      `if the shorter file is right: touch ${file} && euler-files push --var ${name}`,
  }];
}

function truncatedWarnings({ name, source, target }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  const [file, original] = [target, source].map((root) => shellWord(`${root}/${paths[0]}`));
  return [{
    text: `${formatFiles(paths.length)} on scratch with only the beginning of what the source has: ${listSome(paths)}`,
    hint: `if a copy was interrupted: rm ${file} && euler-files sync --force --var ${name}; ` +
      `if the file on scratch is right: cp -p ${file} ${original}`,
  }];
}

function neededWarnings({ name }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  return [{
    text: `${formatFiles(paths.length)} not removed from scratch, though the source has deleted ${
      paths.length === 1 ? "it" : "them"
    }: what only scratch has may need ${paths.length === 1 ? "it" : "them"}: ${listSome(paths)}`,
    hint: `save what only scratch has, with the files it needs: \`euler-files push --var ${name}\``,
  }];
}

function useWarnings(paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  return [{
    text: `${formatFiles(paths.length)} not moved, since a program has their database open there: ${listSome(paths)}`,
    hint: "run the command again when the program has ended",
  }];
}

function uncomparedWarnings({ name, source, target }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  const [file, original] = [target, source].map((root) => shellWord(`${root}/${paths[0]}`));
  return [{
    text: `${formatFiles(paths.length)} on scratch could not be compared with the source: ${listSome(paths)}`,
    hint:
      `check whether ${file} is complete. If a copy was interrupted: rm ${file} && euler-files sync --force --var ` +
      `${name}; if the file on scratch is right: cp -p ${file} ${original}`,
  }];
}

function linkWarnings({ source, target }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  const [file, original] = [target, source].map((root) => shellWord(`${root}/${paths[0]}`));
  return [{
    text: `${formatFiles(paths.length)} changed on scratch and not pushed, since a link of the source leads there: ${
      listSome(paths)
    }`,
    hint: `a push writes through no link; to do it by hand: cp -pr ${file} ${original}`,
  }];
}
