// What a command prints to stdout around the statements that a shell evaluates.
import { FRAME_END, FRAME_START } from "../../src/shell/evaluated.ts";

/** The complete stdout with these statements. */
export function framed(statements: string): string {
  return FRAME_START + FRAME_END + statements;
}

/** The same text without the values that `unload` needs. */
export function withoutEarlierValues(stdout: string): string {
  return stdout.replace(/^export __EULER_FILES_BEFORE='.*';\n/m, "");
}
