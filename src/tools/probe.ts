// The version that a program reports, and whether this user may make user namespaces. Nothing is changed.
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** A program of this machine. */
export interface ProbedProgram {
  readonly program: string;
  /** As the program writes it; undefined if it does not report one. */
  readonly version: string | undefined;
}

/** The first of these programs on the PATH, with its version; undefined if none is found. */
export async function probeProgram(names: readonly string[], system: System): Promise<ProbedProgram | undefined> {
  for (const name of names) {
    const program = findProgram(name, system.env);
    if (program === undefined) continue;
    const { stdout, code } = await spawn({ program, args: ["--version"], environment: "inherited" }, system);
    return { program, version: code === 0 ? /\d+(\.\d+)+[\w.+-]*/.exec(stdout)?.[0] : undefined };
  }
  return undefined;
}

/** Whether a user namespace can be made, which building and starting images needs; undefined if unshare(1) is missing. */
export async function canMakeUserNamespace(system: System): Promise<boolean | undefined> {
  const program = findProgram("unshare", system.env);
  if (program === undefined) return undefined;
  const { code } = await spawn({ program, args: ["--user", "--map-root-user", "true"] }, system);
  return code === 0;
}
