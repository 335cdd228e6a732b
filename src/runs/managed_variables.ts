// Reads the configuration and selects variables: the first step that sync, push and status have in common.
import type { Context } from "../contract/command.ts";
import { type Config, listUnknownFields } from "../config/config.ts";
import { fieldName } from "../config/field_names.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import {
  ensureScratch,
  type RedirectedVariable,
  resolveConfig,
  type ResolvedConfig,
  type ResolvedVariable,
} from "../config/resolve.ts";
import { describeIgnored } from "../config/rsync_extra_args.ts";
import { printable } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";
import { checkCacheRoot } from "../variables/cache_root.ts";
import { checkCongruency } from "../variables/congruency.ts";
import { findCopies, type Part } from "../variables/parts.ts";

/** The configuration resolved on this machine. */
export interface ManagedVariables {
  /** The configuration as written, defaults filled in. */
  readonly config: Config;
  readonly resolved: ResolvedConfig;
  /**
   * The variables with a copy of their own: of the selected ones, or of all enabled ones if none is selected; and the whole of
   * each selected part.
   */
  readonly variables: readonly ResolvedVariable[];
  /** The redirected variables: the selected ones, or all enabled ones. */
  readonly redirected: readonly RedirectedVariable[];
  /** The selected or enabled variables that are parts of others. */
  readonly parts: readonly Part[];
  /** The names of the directories beside the copies with what nodes saved. */
  readonly saved: readonly string[];
  /** Variables that the environment points elsewhere, and fields that are not used. */
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
}

/**
 * Reads the configuration and selects variables: the named ones, disabled ones too, or all enabled ones by default. Throws, before
 * any change, the errors of `readConfig`, `resolveConfig`, `ensureScratch` and `checkCacheRoot`.
 */
export async function openManagedVariables(names: readonly string[], context: Context): Promise<ManagedVariables> {
  const { env, cwd } = context.system;
  const path = configPath({ config: context.configOption }, env, cwd);
  const { config } = await readConfig(path, env);
  const resolved = resolveConfig(config, path, env, names);
  const isAsked = ({ enabled }: { readonly enabled: boolean }) => names.length > 0 || enabled;
  const asked = resolved.variables.filter(isAsked);
  await ensureScratch(resolved);
  const { saved } = await checkCacheRoot(resolved, context.system.userId);
  const enabled = [...resolved.variables, ...resolved.others].filter((variable) => variable.enabled);
  const { copied, parts, warnings } = await findCopies(asked, enabled, resolved);
  const all = asked.map((variable) => parts.find((part) => part.variable.name === variable.name)?.variable ?? variable);
  return {
    ...{ config, resolved, variables: copied, parts, redirected: resolved.redirected.filter(isAsked), saved },
    warnings: [...misspeltFields(config), ...unusedArgs(resolved), ...checkCongruency(all, env), ...warnings],
  };
}

/** Fields that look misspelt. Others may be from another version: they are kept, and only `config validate` reports them. */
function misspeltFields(config: Config): ManagedVariables["warnings"] {
  return listUnknownFields(config).flatMap(({ path, known }) => {
    const near = closestString(String(path.at(-1)), known);
    if (near === undefined) return [];
    return [{
      text: `${printable(fieldName(path))} is not a known field of the configuration and changes nothing`,
      hint: `did you mean ${near}? Change it with \`euler-files config edit\``,
    }];
  });
}

/** Arguments that a person expects to decide which files are copied. */
function unusedArgs({ rsyncArgs }: ResolvedConfig): ManagedVariables["warnings"] {
  return describeIgnored(rsyncArgs, ["decided", "deletions"]).map((text) => ({
    text: `rsync_extra_args: ${text}`,
    hint: "take it out with `euler-files config edit`",
  }));
}
