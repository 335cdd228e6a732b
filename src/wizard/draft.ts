// The configuration according to the answers so far, and the part of it to save. Pure.
import { checkConfig, type Config, CONFIG_VERSION } from "../config/config.ts";
import type { Tier } from "../config/tier.ts";
import type { ConfigPatch } from "../config/config_patch.ts";

/** The settings besides scratch and variables that have questions. */
export const SETTINGS = {
  parallel_jobs: { question: "How many variables to sync side by side?", least: 1 },
  lock_timeout_seconds: {
    question: "How many seconds to wait for another job that syncs the same variable?",
    least: 0,
  },
  skip_if_fresh_seconds: { question: "How many seconds is a sync good for while the source is unchanged?", least: 0 },
} as const;

/** The answers about a variable; a redirected one has no source. */
export interface VariableDraft {
  readonly source?: string;
  readonly mode?: "stage" | "redirect";
  readonly tier?: Tier;
  readonly enabled: boolean;
}

/** The answers so far. */
export interface Draft {
  readonly scratch_base: string;
  readonly vars: Readonly<Record<string, VariableDraft>>;
  readonly settings: Readonly<Record<keyof typeof SETTINGS, number>>;
}

/** The initial draft: the existing configuration, or an empty one. */
export function startDraft(existing: Config | undefined): Draft {
  const { parallel_jobs, lock_timeout_seconds, skip_if_fresh_seconds } = existing ?? configOf(EMPTY, undefined);
  const settings = { parallel_jobs, lock_timeout_seconds, skip_if_fresh_seconds };
  const vars = Object.entries(existing?.vars ?? {}).map(([name, { source, mode, tier, enabled }]): [
    string,
    VariableDraft,
  ] => [name, {
    ...(source === undefined ? {} : { source }),
    ...(mode === undefined ? {} : { mode }),
    ...(tier === undefined ? {} : { tier }),
    enabled,
  }]);
  return { scratch_base: existing?.scratch_base ?? "", vars: Object.fromEntries(vars), settings };
}

const EMPTY: Draft = {
  scratch_base: "/",
  vars: {},
  settings: { parallel_jobs: 4, lock_timeout_seconds: 300, skip_if_fresh_seconds: 3600 },
};

/** The draft with a staged variable added or changed. */
export function withVariable(draft: Draft, name: string, source: string): Draft {
  const mode = draft.vars[name]?.mode === "redirect" ? { mode: "stage" } as const : {};
  return { ...draft, vars: { ...draft.vars, [name]: { ...draft.vars[name], ...mode, source, enabled: true } } };
}

/** The draft with a redirected variable added. */
export function withRedirected(draft: Draft, name: string, tier: Tier): Draft {
  const other = tier === "scratch" ? {} : { tier };
  return { ...draft, vars: { ...draft.vars, [name]: { mode: "redirect", ...other, enabled: true } } };
}

/** The draft with exactly these variables enabled. Other configured ones are kept, disabled. */
export function withEnabled(draft: Draft, names: readonly string[]): Draft {
  const vars = Object.entries(draft.vars).map((
    [name, variable],
  ) => [name, { ...variable, enabled: names.includes(name) }]);
  return { ...draft, vars: Object.fromEntries(vars) };
}

/** The origin of a variable's files, for people. */
export function sourceText({ vars }: Draft, name: string): string {
  const { source, mode, tier } = vars[name] ?? {};
  if (mode !== "redirect") return source ?? "";
  return `an empty directory on ${tier === "node" ? "the disk of each node" : "scratch"}`;
}

/** The names of the enabled variables. */
export function enabledNames({ vars }: Draft): string[] {
  return Object.keys(vars).filter((name) => vars[name]?.enabled);
}

/** The configuration after saving. Throws if the draft isn't complete. */
export function configOf(draft: Draft, existing: Config | undefined): Config {
  const vars = Object.entries(draft.vars).map(([name, answers]) => [name, { ...existing?.vars[name], ...answers }]);
  const checked = checkConfig({
    ...existing,
    version: CONFIG_VERSION,
    scratch_base: draft.scratch_base,
    vars: Object.fromEntries(vars),
    ...draft.settings,
  });
  if ("config" in checked) return checked.config;
  throw new Error(checked.faults.map(({ path, what }) => `${path.join(".")} ${what}`).join("; "));
}

/** The part to save: everything that is new or different. A variable that was never saved and is now disabled is left out. */
export function patchOf(draft: Draft, existing: Config | undefined): ConfigPatch {
  const vars = Object.entries(draft.vars).filter(([name, variable]) => {
    const before = existing?.vars[name];
    if (before === undefined) return variable.enabled;
    return Object.entries(variable).some(([field, value]) => before[field] !== value);
  });
  const settings = Object.entries(draft.settings).filter(([name, value]) => existing?.[name] !== value);
  return {
    ...(existing?.scratch_base === draft.scratch_base ? {} : { scratch_base: draft.scratch_base }),
    vars: Object.fromEntries(vars),
    ...Object.fromEntries(settings),
  };
}
