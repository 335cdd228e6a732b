// The completion of each shell over all commands.
import type { Catalogue } from "../contract/command.ts";
import type { Shell } from "../shell/shell.ts";
import { bashCompletion } from "./bash.ts";
import { fishCompletion } from "./fish.ts";
import { type CompletionTable, completionTable } from "./table.ts";
import { tcshCompletion } from "./tcsh.ts";
import { zshCompletion } from "./zsh.ts";

/** The commands to complete, loaded only on demand. */
export interface CompletionSource {
  readonly loadCatalogue: () => Promise<Catalogue>;
  /** Alternative names of commands. */
  readonly aliases: Readonly<Record<string, string>>;
}

const TEXTS: Readonly<Record<Shell, (table: CompletionTable, executable: string) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
  tcsh: tcshCompletion,
};

/** The text that defines and registers the completion of one shell. */
export async function completionText(shell: Shell, executable: string, source: CompletionSource): Promise<string> {
  return TEXTS[shell](completionTable(await source.loadCatalogue(), source.aliases), executable);
}
