// All that is known of one variable, for `status VARIABLE`.
import * as v from "valibot";
import { bytesOf, countOf } from "../contract/answer_fields.ts";
import { NAMED_FILE_SCHEMA, namedFiles, PATH_FIELDS, pathFields } from "../contract/named_files.ts";
import { linksOf, type StagingSettings, type Variable } from "../variables/variable.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { isSetBySync } from "../shell/earlier_values.ts";
import type { Overview } from "./overview.ts";

/** How many files are named at most; the numbers count all. */
const MOST_NAMED = 20;

/** Where a pattern that excludes names comes from. */
const ORIGINS = ["config", "preset", "secrets"] as const;

/** See {@linkcode Details}. */
export const DETAILS_SCHEMA = v.object({
  in_this_shell: v.object({
    value: v.pipe(v.nullable(v.string()), v.description("null where the variable is not set")),
    leads_to: v.pipe(
      v.picklist(["target", "source", "elsewhere", "nothing"]),
      v.description("`nothing` where the variable is not set"),
    ),
    set_by: v.pipe(
      v.picklist(["sync", "something else", "nothing"]),
      v.description("`sync` where `eval` of a sync in this shell, or in one above it, set this value"),
    ),
  }),
  last_sync: v.pipe(v.nullable(v.string()), v.description("ISO 8601, UTC; null where none was completed")),
  staged_files: v.nullable(countOf("Files that the last sync left on scratch")),
  staged_bytes: v.nullable(bytesOf("These files")),
  include: v.array(v.string()),
  exclude: v.array(v.object({ pattern: v.string(), from: v.picklist(ORIGINS) })),
  links: v.picklist(["keep", "follow-outside", "follow"]),
  unpushed: v.pipe(
    v.array(v.object({ ...PATH_FIELDS, bytes: bytesOf("The file") })),
    v.description(`The first ${MOST_NAMED}; \`unpushed_files\` counts all`),
  ),
  conflicts: v.pipe(
    v.array(NAMED_FILE_SCHEMA),
    v.description(`The first ${MOST_NAMED}; \`conflicts\` of the variable counts all`),
  ),
});

/** Details of one variable. */
export type Details = v.InferOutput<typeof DETAILS_SCHEMA>;

/** The details of a variable that was looked at, in the environment of the shell that asks. */
export function detailsOf(
  { variable, lastSync, recorded, unpushed = [], kept }: Overview,
  settings: StagingSettings,
  env: Readonly<Record<string, string>>,
): Details {
  const { include = [], exclude = [], presetExclude = [], presetExcludeEmpty = [], presetExcludeSecrets = [] } =
    variable.filter ?? {};
  const from = (origin: typeof ORIGINS[number], patterns: readonly string[]) =>
    patterns.map((pattern) => ({ pattern, from: origin }));
  return {
    in_this_shell: inThisShell(variable, env),
    last_sync: lastSync.state === "known" ? new Date(lastSync.endedSeconds * 1000).toISOString() : null,
    staged_files: recorded?.files ?? null,
    staged_bytes: recorded?.sizeBytes ?? null,
    include: [...include],
    exclude: [
      ...from("config", exclude),
      ...from("preset", [...presetExclude, ...presetExcludeEmpty]),
      ...from("secrets", presetExcludeSecrets),
    ],
    links: linksOf(variable, settings),
    unpushed: unpushed.toSorted((one, other) => one.path < other.path ? -1 : 1).slice(0, MOST_NAMED)
      .map(({ path, sizeBytes }) => ({ ...pathFields(path), bytes: sizeBytes })),
    conflicts: namedFiles(kept.paths.filter(isConflict).slice(0, MOST_NAMED)),
  };
}

/** The details of a variable whose copy is a part of another one's: the whole has what is not pushed and in conflict. */
export function detailsOfPart(
  whole: Details,
  part: Pick<Variable, "name" | "source" | "target">,
  env: Readonly<Record<string, string>>,
): Details {
  return { ...whole, in_this_shell: inThisShell(part, env), unpushed: [], conflicts: [] };
}

function inThisShell(
  variable: Pick<Variable, "name" | "source" | "target">,
  env: Readonly<Record<string, string>>,
): Details["in_this_shell"] {
  const value = env[variable.name] ?? null;
  return {
    value,
    leads_to: leadsTo(value, variable),
    set_by: value === null ? "nothing" : isSetBySync(variable.name, env) ? "sync" : "something else",
  };
}

function leadsTo(
  value: string | null,
  { source, target }: Pick<Variable, "source" | "target">,
): Details["in_this_shell"]["leads_to"] {
  if (value === null) return "nothing";
  const path = value.replace(/(?<=.)\/+$/, "");
  return path === target ? "target" : path === source ? "source" : "elsewhere";
}
