// Stages one variable in: fresh? → lock → still not fresh? → transfer → marker.
import { CliError, Interrupted, systemError } from "../errors.ts";
import type { Report } from "../events.ts";
import { acquireLock, describe } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { decideFreshness, type Freshness } from "./freshness.ts";
import { watchProgress } from "./herd.ts";
import { layoutOf } from "./layout.ts";
import { observeVariable, type VariableFacts } from "./observe.ts";
import type { StageRequest, StageResult } from "./stage_result.ts";
import type { Variable } from "./variable.ts";

/** Stages one variable in. A failure is a result, so that the other variables go on; only a signal throws. */
export async function stageVariable(request: StageRequest, system: System, report: Report): Promise<StageResult> {
  try {
    return await stage(request, system, report);
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    if (error instanceof CliError) return { status: "failed", error };
    const refused = systemError(`Cannot stage "${request.variable.name}"`, error);
    if (refused !== undefined) return { status: "failed", error: refused };
    throw error;
  }
}

async function stage(request: StageRequest, system: System, report: Report): Promise<StageResult> {
  const { variable } = request;
  const startedSeconds = system.now() / 1000;
  const before = await look(request, system);
  if (request.mode === "when-needed" && before.freshness.verdict === "fresh") return { status: "skipped" };
  const unusable = refusal(variable, before.freshness);
  if (unusable !== undefined) return unusable;
  if (before.freshness.verdict !== "fresh") {
    report({ type: "detail", subject: variable.name, text: before.freshness.reason });
  }

  await using _lock = await waitForTurn(request, system, report);
  // Whoever held the lock before us may have done the work already.
  const now = await look(request, system);
  const doneMeanwhile = typeof now.facts.marker !== "string" && now.facts.marker.synced_at >= startedSeconds;
  if (now.freshness.verdict === "fresh" && (request.mode === "when-needed" || doneMeanwhile)) {
    return { status: "skipped" };
  }
  const unusableNow = refusal(variable, now.freshness);
  if (unusableNow !== undefined) return unusableNow;
  // Loaded only when something moves: with everything fresh, a start is all there is.
  const { fillTarget } = await import("./fill.ts");
  return await fillTarget({ ...request, facts: now.facts }, system, report);
}

/** Facts and freshness of a variable at this moment. */
export async function look(
  { variable, settings }: Pick<StageRequest, "variable" | "settings">,
  system: System,
): Promise<{ readonly facts: VariableFacts; readonly freshness: Freshness }> {
  const facts = await observeVariable({ ...variable, cacheRoot: settings.cacheRoot, userId: system.userId });
  const rule = { source: variable.source, nowSeconds: system.now() / 1000, maxAgeSeconds: settings.maxAgeSeconds };
  return { facts, freshness: decideFreshness(facts, rule) };
}

async function waitForTurn(request: StageRequest, system: System, report: Report): Promise<AsyncDisposable> {
  const { variable, settings } = request;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  using watching = new DisposableStack();
  return await acquireLock({
    path: layout.lock,
    deadlineSeconds: settings.lockTimeoutSeconds,
    deadlineSetting: "lock_timeout_seconds",

    onWait: (holder) => {
      report({ type: "note", subject: variable.name, text: `waiting, it is being staged ${describe(holder, system)}` });
      watching.use(watchProgress(layout.progress, variable.name, report));
    },
  }, system);
}

/** The result for a variable that can't be staged at all, or nothing. */
export function refusal(
  variable: Variable,
  freshness: Freshness,
): { readonly status: "source-missing" | "failed"; readonly error: CliError } | undefined {
  if (freshness.verdict === "source-missing") {
    return {
      status: "source-missing",
      error: new CliError(
        "not-found",
        `Cannot stage "${variable.name}": its source "${variable.source}" is not there`,
        {
          hint: `make the directory, or run \`euler-files config set vars.${variable.name}.enabled false\``,
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
