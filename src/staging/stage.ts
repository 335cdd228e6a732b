// Stages variables: fresh? → take the lock → still not fresh? → transfer → write the marker.
import { Interrupted, knownError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { mapInOrder } from "../system/pool.ts";
import type { System } from "../system/system.ts";
import type { Variable } from "../variables/variable.ts";
import { resultWithoutTransfer } from "./look.ts";
import { withSpaceAdvice } from "./space_advice.ts";
import type { StageRequest, StageResult } from "./stage_result.ts";

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
  const ready = await Promise.all(
    variables.map((variable) =>
      asResult(variable, how, () => resultWithoutTransfer({ variable, ...how }, system, report))
    ),
  );
  if (ready.every((result) => result !== undefined)) {
    return ready.map((result, index) => onResult(variables[index]!, result));
  }
  // Import these only when a transfer is needed: if everything is fresh, loading code is most of the run time.
  const [{ variablesAtOnce }, { stageLocked }] = await Promise.all([
    import("../posix/handles.ts"),
    import("./stage_locked.ts"),
  ]);
  return await mapInOrder(
    { items: variables, width: variablesAtOnce(atOnce) },
    async (variable, index) =>
      ready[index] ??
        await asResult(variable, how, () => stageLocked({ variable, ...how, startedSeconds }, system, report)),
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
