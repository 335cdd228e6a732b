// What a sync changes in the environment of a shell or a program: what is exported, what is unset because its variable failed, and
// what `unload` needs to know.
import * as v from "valibot";
import type { Config } from "../config/config.ts";
import { extraExports } from "../config/extra_exports.ts";
import { EARLIER_VALUES, rememberEarlierValues, valuesBeforeOwners } from "../shell/earlier_values.ts";
import type { SyncResult } from "./sync_results.ts";

type Environment = Readonly<Record<string, string>>;

/** The changes, as fields of an answer. */
export const ENVIRONMENT_FIELDS = {
  exports: v.pipe(
    v.record(v.string(), v.string()),
    v.description("The variables to set; in a dry run those that the run would set"),
  ),
  /** Variables of the environment that lead to a target which is not ready. */
  unset: v.array(v.string()),
  restored: v.pipe(
    v.record(v.string(), v.nullable(v.string())),
    v.description("What an earlier sync set together with a variable that failed, as it was before; null: it is unset"),
  ),
  before: v.optional(
    v.pipe(
      v.string(),
      v.description(`The value of ${EARLIER_VALUES}, by which \`unload\` gives back what the variables were before`),
    ),
  ),
};

const ENVIRONMENT_SCHEMA = v.object(ENVIRONMENT_FIELDS);

/** See {@linkcode ENVIRONMENT_FIELDS}. */
export type ChangedEnvironment = v.InferOutput<typeof ENVIRONMENT_SCHEMA>;

/** What a sync found. */
export interface SyncedResults {
  readonly results: readonly SyncResult[];
  /** The variables that are exported, each with its directory. */
  readonly exported: readonly { readonly name: string; readonly target: string }[];
  /** The export of a token's path; empty if there is none. */
  readonly tokenPath: Readonly<Record<string, string>>;
  readonly vars: Config["vars"];
  readonly dryRun: boolean;
}

/** The changes to this environment. Pure. */
export function changedEnvironment(
  { results, exported, tokenPath, vars, dryRun }: SyncedResults,
  env: Environment,
): ChangedEnvironment {
  const extra = extraExports(vars, exported.map(({ name }) => name));
  const targets = Object.fromEntries(exported.map(({ name, target }) => [name, target]));
  const exports = { ...targets, ...tokenPath, ...extra.values };
  const failed = results.filter(({ error }) => error !== undefined && !dryRun);
  const unset = failed.filter(({ name, target }) => env[name] === target).map(({ name }) => name);
  // What an earlier sync set together with a variable that failed now, unless it is exported again.
  const earlier = Object.entries(valuesBeforeOwners(failed.map(({ name }) => name), env));
  const restored = Object.fromEntries(earlier.filter(([name]) => !Object.hasOwn(exports, name)));
  const changes = environmentChanges({ exports, unset, restored });
  const tokenOwners = Object.keys(tokenPath).map((name) => [name, tokenOwner(exported)]);
  const owners = { ...extra.owners, ...Object.fromEntries(tokenOwners) };
  return {
    exports,
    unset,
    restored,
    ...(dryRun || Object.keys(changes).length === 0 ? {} : { before: rememberEarlierValues(changes, env, owners) }),
  };
}

/** The variable with which the path of a token is exported. */
function tokenOwner(exported: SyncedResults["exported"]): string[] {
  return ["HF_HOME", "XDG_CACHE_HOME"].filter((name) => exported.some((variable) => variable.name === name)).slice(
    0,
    1,
  );
}

/** The changes of the environment that an answer means; `null` removes a variable. */
export function environmentChanges(
  { exports, unset, restored, before }: ChangedEnvironment,
): Record<string, string | null> {
  const earlier = before === undefined ? {} : { [EARLIER_VALUES]: before };
  return { ...exports, ...Object.fromEntries(unset.map((name) => [name, null])), ...restored, ...earlier };
}
