// The program that end-to-end tests run: the compiled executable that EULER_FILES_TEST_EXECUTABLE names, else the
// source.
import { copySourceProgram, sourceProgram } from "../../scripts/source_program.ts";
import { COMPILED_EXECUTABLE } from "./needs.ts";

/** A program that runs as `euler-files`. */
export interface Program {
  readonly kind: "executable" | "source";
  /** An absolute path. */
  readonly path: string;
}

let found: Promise<Program> | undefined;

/** The program under test; made on the first call. */
export function programUnderTest(): Promise<Program> {
  found ??= COMPILED_EXECUTABLE === undefined
    ? sourceProgram().then((path) => ({ kind: "source", path }))
    : Deno.realPath(COMPILED_EXECUTABLE).then((path) => ({ kind: "executable", path }));
  return found;
}

/** Links the program as `directory/euler-files`. */
export async function linkProgram(program: Program, directory: string): Promise<void> {
  await Deno.symlink(program.path, `${directory}/euler-files`);
}

/** Copies a program to `directory/euler-files`, with all it needs, so that another user can run it. */
export async function copyProgram(program: Program, directory: string): Promise<void> {
  if (program.kind === "executable") await Deno.copyFile(program.path, `${directory}/euler-files`);
  else await copySourceProgram(program.path, directory);
  await Deno.chmod(`${directory}/euler-files`, 0o755);
}
