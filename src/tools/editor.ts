// The person's text editor.
import { CliError } from "../errors/errors.ts";
import { findProgram, runInForeground } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/**
 * Opens a file in $VISUAL or $EDITOR (which may hold arguments), otherwise in vi, and waits until it closes. Throws a CliError
 * if the editor is missing or ends with an error.
 */
export async function openInEditor(path: string, system: System): Promise<void> {
  const chosen = system.env.VISUAL || system.env.EDITOR;
  const [name = "", ...args] = (chosen || "vi").split(" ").filter((word) => word !== "");
  if (!chosen && !system.stdin.isTerminal) {
    throw new CliError("usage", "Cannot open an editor: there is no terminal, and neither VISUAL nor EDITOR is set", {
      hint: "change single fields with `euler-files config set FIELD VALUE`",
    });
  }
  const program = name.includes("/") ? name : findProgram(name, system.env);
  if (program === undefined) {
    throw new CliError("missing-tool", `Cannot find the editor "${name}"`, {
      hint: "name one that exists: EDITOR=nano euler-files config edit",
    });
  }
  const code = await runInForeground({ program, args: [...args, path] }, system);
  if (code !== 0) throw new CliError("tool", `The editor "${name}" ended with code ${code}, so nothing was changed`);
}
