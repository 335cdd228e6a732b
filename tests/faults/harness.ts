// Runs work again and again, each time with a fault at another of its calls, and collects what was wrong afterwards.
import { CliError, systemError } from "../../src/errors/errors.ts";
import { EACCES, EIO, ENOSPC, nameOfErrno } from "../../src/posix/errno.ts";
import type { System } from "../../src/system/system.ts";
import type { TransferOutcome } from "../../src/transfer/request.ts";
import { type Call, type Fault, faultyCalls, type FaultyCallsOptions, ProcessEnded } from "../support/faulty_calls.ts";
import { testSystem } from "../transfer/trees.ts";

const ESTALE = 116;

/** How a run ended: with an outcome, with an error, or because its process ended. */
export type Ended = TransferOutcome | Error | "done" | "process ended";

/** Work whose faults are tried. */
export interface Subject {
  readonly name: string;
  /** Makes everything as it was before the first run. */
  restore(): Promise<void>;
  run(system: System): Promise<Ended>;
  /** What is wrong now, and after a run without a fault. */
  check(ended: Ended): Promise<string[]>;
}

/** What can happen at a call. */
export const FAULTS: Readonly<Record<string, Fault>> = {
  ...Object.fromEntries([EIO, ENOSPC, EACCES, ESTALE].map((errno) => [nameOfErrno(errno), { errno }])),
  "process ends": { end: "within" },
};

/** Which calls fail, and in which form they are made. */
export interface Sample {
  readonly form: NonNullable<FaultyCallsOptions["form"]>;
  /** Every N-th call fails; each fault begins at another one. */
  readonly every: number;
}

/** What was tried and found. */
export interface Report {
  readonly name: string;
  /** Calls of a run without a fault. */
  readonly calls: number;
  readonly runs: number;
  /** What was wrong, each with the fault and the call. */
  readonly wrong: readonly string[];
}

/** Tries faults at the calls of a sample. */
export async function tryFaults(subject: Subject, { form, every }: Sample): Promise<Report> {
  const options = { form, threads: "none" } as const;
  await subject.restore();
  const { calls } = await attempt(subject, () => undefined, options);
  const wrong: string[] = [];
  let runs = 0;
  for (const [number, [what, fault]] of Object.entries(FAULTS).entries()) {
    for (let index = number % every; index < calls; index += every) {
      await subject.restore();
      let failed: string | undefined;
      const { ended } = await attempt(subject, (call) => {
        if (call.index !== index) return;
        failed = `${call.name} ${call.names.join(" → ") || call.path}`;
        return fault;
      }, options);
      runs++;
      const found = [...surprise(ended), ...await subject.check(ended)];
      if (found.length > 0) {
        wrong.push(`${subject.name}, ${form}: ${what} at call ${index}, ${failed}: ${found.join("; ")}`);
      }
    }
  }
  return { name: `${subject.name}, ${form}`, calls, runs, wrong };
}

async function attempt(
  subject: Subject,
  hook: (call: Call) => Fault | undefined,
  options: FaultyCallsOptions,
): Promise<{ readonly ended: Ended; readonly calls: number }> {
  using calls = faultyCalls(hook, options);
  let ended: Ended;
  try {
    ended = await subject.run({ ...testSystem(), calls: calls.calls });
  } catch (error) {
    ended = error instanceof Error ? error : new Error(String(error));
  }
  if (calls.hasEnded) ended = "process ended";
  return { ended, calls: calls.count };
}

/** An error that commands show as a defect of the program. */
function surprise(ended: Ended): string[] {
  if (!(ended instanceof Error) || ended instanceof CliError || ended instanceof ProcessEnded) return [];
  return systemError("x", ended) === undefined ? [`surprising error: ${ended.stack}`] : [];
}
