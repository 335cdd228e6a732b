// Looks at a variable, and tells the result if nothing has to be transferred: it is fresh, or it cannot be staged.
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { filterOf, type VariableFilter } from "../records/filter.ts";
import { decideFreshness, type Freshness } from "../records/freshness.ts";
import { observeVariable, type VariableFacts } from "../records/observe.ts";
import type { System } from "../system/system.ts";
import { shellWord } from "../text/format.ts";
import { layoutOf } from "../variables/layout.ts";
import { linksOf, type Variable } from "../variables/variable.ts";
import { findSecrets, secretWarnings } from "./secrets_in_copies.ts";
import { skipsFresh, type StageFailure, type StageRequest, type StageResult } from "./stage_result.ts";

/** The result for a variable that needs no transfer or cannot be staged; undefined if it has to be staged. */
export async function resultWithoutTransfer(
  request: StageRequest,
  system: System,
  report: Report,
): Promise<StageResult | undefined> {
  const { facts, freshness, filter } = await observeFreshness(request, system);
  if (freshness.verdict !== "fresh") report({ type: "detail", subject: request.variable.name, text: freshness.reason });
  else if (skipsFresh(request)) return await freshResult({ ...request, filter }, facts, system);
  return refusal(request.variable, freshness);
}

/** The result for a fresh variable, with warnings that hold until a person acts on them. */
export async function freshResult(
  { variable, settings, filter }: Pick<StageRequest, "variable" | "settings"> & { readonly filter: VariableFilter },
  { marker, target }: VariableFacts,
  system: System,
): Promise<StageResult & { status: "skipped" }> {
  const syncedAt = typeof marker === "string" ? 0 : marker.synced_at;
  const fresh = {
    status: "skipped",
    ageSeconds: Math.max(0, system.now() / 1000 - syncedAt),
    outside: typeof marker === "string" ? undefined : marker.outside_links,
  } as const;
  if (typeof marker === "string") return { ...fresh, kept: [], warnings: [] };
  const names = target.state === "directory" && target.names !== "as marked" ? target.names : undefined;
  const secrets = names === undefined && marker.secrets === undefined
    ? []
    : await secretWarnings(variable, await findSecrets(variable, filter.selection, names));
  if (marker.kept === undefined) return { ...fresh, kept: [], warnings: secrets };
  const [{ readKept }, { keptWarnings }] = await Promise.all([
    import("../records/kept.ts"),
    import("./kept_warnings.ts"),
  ]);
  const kept = await readKept(variable, layoutOf(settings.cacheRoot, variable.name), marker);
  return { ...fresh, kept: kept.paths, warnings: [...keptWarnings(variable, kept), ...secrets] };
}

/** The present facts, filter and freshness of a variable. Throws a CliError if its filter can't be read. */
export async function observeFreshness(
  request: Pick<StageRequest, "variable" | "settings">,
  system: System,
): Promise<{ readonly facts: VariableFacts; readonly filter: VariableFilter; readonly freshness: Freshness }> {
  const { variable, settings } = request;
  const filter = await filterOf(variable, settings);
  const facts = await observeVariable(variable, settings, system);
  return { facts, filter, freshness: freshnessOf(facts, filter, request, system) };
}

/** The present freshness of a variable, by its facts. */
export function freshnessOf(
  facts: VariableFacts,
  filter: VariableFilter,
  { variable, settings }: Pick<StageRequest, "variable" | "settings">,
  system: Pick<System, "now">,
): Freshness {
  return decideFreshness(facts, {
    source: variable.source,
    filter,
    nowSeconds: system.now() / 1000,
    links: linksOf(variable, settings),
    maxAgeSeconds: settings.maxAgeSeconds,
  });
}

/** The error for a source that should exist and does not; `what` ends the sentence about it. */
export function missingSource({ name, source }: Variable, what: string): CliError {
  return new CliError("not-found", `Cannot stage "${name}": its source "${source}" ${what}`, {
    hint: `check that it is mounted; if it is meant to be new, run \`mkdir -p ${shellWord(source)}\`; ` +
      `\`euler-files config set vars.${name}.enabled false\` leaves the variable out`,
  });
}

/** The result for a variable that cannot be staged; undefined if it can. */
export function refusal(
  variable: Variable,
  freshness: Freshness,
): StageFailure | undefined {
  if (freshness.verdict === "source-missing") {
    return {
      status: "source-missing",
      error: missingSource(variable, `cannot be used: ${freshness.reason}`),
    };
  }
  if (freshness.verdict !== "unusable") return undefined;
  return {
    status: "failed",
    error: new CliError("refused", `Cannot stage "${variable.name}": ${freshness.reason}`, {
      hint: `look at "${variable.source}" and "${variable.target}"`,
    }),
  };
}
