// Tests that need a program which isn't everywhere: skipped by name and with the reason where it is missing.
import { isInstalled } from "../../scripts/prepare.ts";

/** The executable made by `deno task compile` that the tests shall run, or undefined to run the source. */
export const COMPILED_EXECUTABLE: string | undefined = Deno.env.get("EULER_FILES_TEST_EXECUTABLE") || undefined;

/** Registers a test that runs only where all the programs are on the PATH. */
export function testNeeding(programs: readonly string[], name: string, run: () => void | Promise<void>): void {
  const missing = programs.filter((program) => !isInstalled(program));
  testUnless(missing.length === 0 ? undefined : `${missing.join(", ")} not installed`, name, run);
}

/** Registers a test of the compiled executable; it gets its path. */
export function testExecutable(
  programs: readonly string[],
  name: string,
  run: (executable: string) => void | Promise<void>,
): void {
  const executable = COMPILED_EXECUTABLE;
  if (executable !== undefined) return testNeeding(programs, name, () => run(executable));
  testUnless("only for the compiled executable", name, () => {});
}

/** Registers a test, skipped where there is a reason to. */
export function testUnless(reason: string | undefined, name: string, run: () => void | Promise<void>): void {
  Deno.test({ name: reason === undefined ? name : `${name} (${reason})`, ignore: reason !== undefined, fn: run });
}
