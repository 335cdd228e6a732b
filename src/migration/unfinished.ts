// Unfinished migrations, for the commands that show states.
import type { Config } from "../config/config.ts";
import { findJournals } from "./journal.ts";
import { unfinishedMigration } from "./plan.ts";
import { DIRECTORY_FIELDS } from "./target.ts";

/** The message about each. Looks up one file for each variable and directory. */
export async function unfinishedMigrations(
  { vars }: Config,
  configPath: string,
): Promise<{ readonly text: string; readonly hint: string }[]> {
  const journals = await findJournals(configPath, [...Object.keys(vars), ...DIRECTORY_FIELDS]);
  return journals.map(unfinishedMigration);
}
