// Stages variables: fresh? → take the lock → still not fresh? → transfer → write the marker.
import { CliError, Interrupted, knownError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { shellWord } from "../text/format.ts";
import { mapInOrder } from "../system/pool.ts";
import { nameHolder } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { filterOf, type VariableFilter } from "../records/filter.ts";
import { decideFreshness, type Freshness } from "../records/freshness.ts";
import { layoutOf } from "../variables/layout.ts";
import { observeVariable, type VariableFacts } from "../records/observe.ts";
import { withSpaceAdvice } from "./space_advice.ts";
import { findSecrets, secretWarnings } from "./secrets.ts";
import { skipsFresh, type StageRequest, type StageResult } from "./stage_result.ts";
import { withVariableLock } from "../variables/variable_lock.ts";
import { linksOf, type Variable } from "../variables/variable.ts";

/** Which variables to stage, and how. */
export interface StageAllRequest extends Omit<StageRequest, "variable"> {
  readonly variables: readonly Variable[];
  /** How many variables are transferred at a time. */
  readonly atOnce: number;
}

/**
 * Stages variables; `onResult` gets each one's result, in their order. Freshness is checked for all at the same time, since
 * that only waits for servers; then at most `atOnce` variables that are not fresh are transferred at a time. A failure is a
 * result, so that the other variables go on; only a signal throws.
 */
export async function stageVariables<Result>(
  { variables, atOnce, ...how }: StageAllRequest,
  onResult: (variable: Variable, result: StageResult) => Result,
  system: System,
  report: Report,
): Promise<Result[]> {
  const startedSeconds = system.now() / 1000;
  const settled = await Promise.all(
    variables.map((variable) => asResult(variable, how, () => settleAtOnce({ variable, ...how }, system, report))),
  );
  if (settled.every((result) => result !== undefined)) {
    return settled.map((result, index) => onResult(variables[index]!, result));
  }
  // Import this only when a transfer is needed: it binds libc.
  const { variablesAtOnce } = await import("../posix/handles.ts");
  return await mapInOrder(
    { items: variables, width: variablesAtOnce(atOnce) },
    async (variable, index) =>
      settled[index] ??
        await asResult(variable, how, () => stageInTurn({ variable, ...how, startedSeconds }, system, report)),
    onResult,
  );
}

async function asResult<Result extends StageResult | undefined>(
  variable: Variable,
  { settings }: Pick<StageRequest, "settings">,
  attempt: () => Promise<Result>,
): Promise<Result | StageResult> {
  try {
    return await attempt();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const known = knownError(`Cannot stage "${variable.name}"`, error);
    if (known !== undefined) return { status: "failed", error: withSpaceAdvice(known, variable, settings) };
    throw error;
  }
}

/** The result for a variable that needs no transfer or cannot be staged; undefined if it has to be staged. */
async function settleAtOnce(request: StageRequest, system: System, report: Report): Promise<StageResult | undefined> {
  const { facts, freshness, filter } = await look(request, system);
  if (freshness.verdict !== "fresh") report({ type: "detail", subject: request.variable.name, text: freshness.reason });
  else if (skipsFresh(request)) return await skipped({ ...request, filter }, facts, system);
  return refusal(request.variable, freshness);
}

async function stageInTurn(
  request: StageRequest & { readonly startedSeconds: number },
  system: System,
  report: Report,
): Promise<StageResult> {
  const lockRequest = { ...request, inUse: "it is being staged" };
  return await withVariableLock(lockRequest, system, report, async (variableLock) => {
    const { variable, settings, startedSeconds } = request;
    // The previous holder of the lock may have staged this variable already.
    const { facts, freshness, filter } = await look(request, system);
    const doneMeanwhile = typeof facts.marker !== "string" && facts.marker.synced_at >= startedSeconds;
    if (freshness.verdict === "fresh" && (skipsFresh(request) || doneMeanwhile)) {
      if (variableLock.comes === "after a loss") {
        const { removeUnfinishedCopies } = await import("./first_copy.ts");
        await removeUnfinishedCopies(layoutOf(settings.cacheRoot, variable.name));
      }
      return await skipped({ ...request, filter }, facts, system);
    }
    const unusable = refusal(variable, freshness);
    if (unusable !== undefined) return unusable;
    if (variableLock.former !== undefined && typeof facts.marker === "string") {
      const text = `${nameHolder(variableLock.former.holder)} has not completed the copy; going on with it`;
      report({ type: "note", subject: variable.name, text });
    }
    if (facts.source.state === "missing") {
      const { stageWithoutSource } = await import("./no_source.ts");
      return await stageWithoutSource({ ...request, facts, filter }, variableLock);
    }
    // Import this only when a transfer is needed: if everything is fresh, loading code is most of the run time.
    const { fillTarget } = await import("./fill.ts");
    return await fillTarget({ ...request, facts, filter }, variableLock, report);
  });
}

async function skipped(
  { variable, settings, filter }: Pick<StageRequest, "variable" | "settings"> & { readonly filter: VariableFilter },
  { marker, target }: VariableFacts,
  system: System,
): Promise<StageResult> {
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
export async function look(
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

/** The result for a variable that cannot be staged; undefined if it can. */
export function refusal(
  variable: Variable,
  freshness: Freshness,
): { readonly status: "source-missing" | "failed"; readonly error: CliError } | undefined {
  if (freshness.verdict === "source-missing") {
    return {
      status: "source-missing",
      error: new CliError(
        "not-found",
        `Cannot stage "${variable.name}": its source "${variable.source}" cannot be used: ${freshness.reason}`,
        {
          hint: `check that it is mounted; if it is meant to be new, run \`mkdir -p ${shellWord(variable.source)}\`; ` +
            `\`euler-files config set vars.${variable.name}.enabled false\` leaves the variable out`,
        },
      ),
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
