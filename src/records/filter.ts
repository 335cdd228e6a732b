// Which names of a variable take part in a transfer: the rules of the command line, of the variable, of `rsync_extra_args` and
// of the preset, in this order.
import type { RuleSource } from "../config/rsync_extra_args.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { type FilterRule, makeSelection, type Selection, takesPart } from "../filter/selection.ts";
import { parseRuleFile, withoutCleared } from "../filter/rule_text.ts";
import { decodeName } from "../posix/file_names.ts";
import { waitForServer } from "../system/wait_for_server.ts";
import type { Marker } from "./marker.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The filter of one variable. */
export interface VariableFilter {
  /** Undefined if everything takes part. */
  readonly selection: Selection | undefined;
  /** True if only the preset of a well-known variable excludes names. */
  readonly isPresetOnly: boolean;
}

/** Combines the rules of a variable. Throws a CliError for a file of patterns that can't be read or parsed. */
export async function filterOf(
  variable: Variable,
  { filter }: Pick<StagingSettings, "filter">,
): Promise<VariableFilter> {
  const { include = [], exclude, presetExclude = [], presetExcludeEmpty = [], presetExcludeSecrets = [] } =
    variable.filter ?? {};
  const { once } = filter;
  const always = await readRules(filter.always);
  const own = [
    ...once,
    ...rulesOf("include", include),
    ...rulesOf("exclude", exclude ?? []),
    ...always,
  ];
  const isOnly = (included: boolean, excluded: boolean) => included && !excluded;
  const isRestricted = isOnly(include.length > 0, exclude !== undefined) ||
    isOnly(once.some(({ action }) => action === "include"), once.some(({ action }) => action === "exclude"));
  return {
    selection: makeSelection({
      rules: [
        ...own,
        ...rulesOf("exclude", presetExclude),
        ...rulesOf("exclude", presetExcludeEmpty).map((rule) => ({ ...rule, only: "empty files" as const })),
        ...rulesOf("exclude", presetExcludeSecrets).map(forFilesAlone),
      ],
      others: isRestricted ? "excluded" : "selected",
      deleteExcluded: filter.deleteExcluded,
    }),
    isPresetOnly: own.length === 0 && !filter.deleteExcluded,
  };
}

/**
 * Whether a marker was written with the same filter. A marker without a filter was written without rules, or by a version that
 * had no presets: such a copy holds everything that a preset selects, so it matches if only the preset applies.
 */
export function hasSameFilter(
  { filter }: Pick<Marker, "filter">,
  { selection, isPresetOnly }: VariableFilter,
): boolean {
  return filter === selection?.id || (filter === undefined && isPresetOnly);
}

/** How many file names a marker holds, to check later whether a purge removed them. */
const SAMPLE_FILES = 16;

/** The marker's sample of a record. Files that are now excluded may still be in the record, and losing them does not matter. */
export function markedSample(
  { sample }: { readonly sample: readonly string[] },
  { selection }: Pick<VariableFilter, "selection">,
): string[] {
  return sample.filter((path) => selection === undefined || takesPart(selection, path, "other")).slice(0, SAMPLE_FILES);
}

/** Limits a rule to files, unless its pattern ends in `/` and so is for directories. */
function forFilesAlone(rule: FilterRule): FilterRule {
  return rule.pattern.endsWith("/") ? rule : { ...rule, only: "files" };
}

function rulesOf(action: FilterRule["action"], patterns: readonly string[]): FilterRule[] {
  return patterns.map((pattern) => ({ action, pattern }));
}

async function readRules(sources: readonly RuleSource[]): Promise<FilterRule[]> {
  const rules = await Promise.all(
    sources.map((source) => typeof source !== "string" && "file" in source ? readRuleFile(source) : [source]),
  );
  return withoutCleared(rules.flat());
}

async function readRuleFile({ action, file }: { readonly action: FilterRule["action"]; readonly file: string }) {
  try {
    await waitForServer(file);
    return parseRuleFile(action, decodeName(await Deno.readFile(file)));
  } catch (error) {
    const isMissing = error instanceof Deno.errors.NotFound;
    throw new CliError(
      isMissing ? "not-found" : "config",
      `Cannot read the patterns of --${action}-from in rsync_extra_args: "${file}" ${
        isMissing ? "does not exist" : `could not be used: ${messageOf(error)}`
      }`,
      { hint: "write the file, or change rsync_extra_args with `euler-files config edit`", cause: error },
    );
  }
}
