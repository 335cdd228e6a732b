// Migrations that were begun and are not finished, for the commands that show how things are.
import type { Config } from "../config/config.ts";
import { findJournals } from "./journal.ts";
import { unfinishedMigration } from "./plan.ts";
import { DIRECTORY_FIELDS } from "./target.ts";

/** What is said of each. Looks for one file for each variable and directory. */
export async function unfinishedMigrations(
  { vars }: Config,
  configPath: string,
): Promise<{ readonly text: string; readonly hint: string }[]> {
  const journals = await findJournals(configPath, [...Object.keys(vars), ...DIRECTORY_FIELDS]);
  return journals.map(unfinishedMigration);
}
