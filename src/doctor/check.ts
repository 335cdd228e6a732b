// The result of one check of `doctor`, and its time limit: a server that hangs must not make doctor hang.
import type { Config } from "../config/config.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { messageOf } from "../errors/errors.ts";
import type { System } from "../system/system.ts";

/** `warning`: it works, but not as well as it could, or not in all cases; `error`: nothing can be staged. */
export const FINDING_STATES = ["ok", "warning", "error"] as const;

/** One line of the answer. */
export interface Finding {
  /** What was checked: `scratch`, `locks`, `rsync`. */
  readonly name: string;
  readonly state: (typeof FINDING_STATES)[number];
  readonly text: string;
  /** How to repair it, with the command. */
  readonly hint?: string;
}

/** The context of the checks. The configuration is missing if it does not exist or is faulty. */
export interface CheckContext {
  readonly system: System;
  readonly config: Config | undefined;
  readonly resolved: ResolvedConfig | undefined;
}

/** One check. */
export interface Look {
  readonly name: string;
  run(context: CheckContext): Promise<readonly Finding[]>;
}

/** A healthy file system answers within milliseconds, a program within a second. */
const DEADLINE_SECONDS = 5;

/** Runs the checks concurrently and returns their findings in order. A check that fails or is late is a finding itself. */
export async function lookAtAll(
  looks: readonly Look[],
  context: CheckContext,
  deadlineSeconds = DEADLINE_SECONDS,
): Promise<Finding[]> {
  const found = await Promise.all(looks.map((look) => lookWithin(look, context, deadlineSeconds)));
  return found.flat();
}

async function lookWithin(
  { name, run }: Look,
  context: CheckContext,
  deadlineSeconds: number,
): Promise<readonly Finding[]> {
  const { signal } = context.system;
  const enough = new AbortController();
  const late = Promise.withResolvers<readonly Finding[]>();
  const timer = setTimeout(() => {
    enough.abort();
    const text = `no answer within ${deadlineSeconds} s: a file server or a program hangs`;
    late.resolve([{ name, state: "error", text, hint: "try again on another node" }]);
  }, deadlineSeconds * 1000);
  const system = { ...context.system, signal: AbortSignal.any([signal, enough.signal]) };
  const looking = run({ ...context, system }).catch((error): Finding[] => {
    if (signal.aborted) throw signal.reason;
    return [{ name, state: "warning", text: `could not be looked at: ${messageOf(error)}` }];
  });
  try {
    return await Promise.race([looking, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}
