// What stdout of an evaluated command holds around its statements, once the work has begun.
import { FRAME_END, FRAME_START } from "../../src/shell/evaluated.ts";

/** The whole of stdout with these statements. */
export function framed(statements: string): string {
  return FRAME_START + FRAME_END + statements;
}

/** The same text without what `unload` will need. */
export function withoutEarlierValues(stdout: string): string {
  return stdout.replace(/^export __EULER_FILES_BEFORE='.*';\n/m, "");
}
