// Finds SQLite databases that have a log or an index beside them: names tell what may be one, and the first bytes whether it is.
import { joinName } from "../posix/file_names.ts";
import { INDEX, namesOfDatabase } from "./database_files.ts";
import { findDatabaseNames } from "./databases.ts";
import type { DirectoryFacts } from "./decide.ts";
import type { JobRunner } from "./job_runner.ts";

/** The main files of databases in a directory. */
export async function findDatabases(
  { directory, from, to }: Pick<DirectoryFacts, "directory" | "from" | "to">,
  roots: { readonly from: string; readonly to: string | undefined },
  runner: JobRunner,
): Promise<readonly string[]> {
  const names = findDatabaseNames({ from, to });
  if (names.length === 0) return [];
  const sides = { from, to };
  const wanted = names.flatMap((main) => [...namesOfDatabase(main), main + INDEX].map((name) => ({ main, name })));
  const sniff = async (side: "from" | "to") => {
    const there = new Set(sides[side].map(({ name }) => name));
    const found = wanted.filter(({ name }) => there.has(name));
    if (found.length === 0) return [];
    const paths = found.map(({ name }) => joinName(directory, name));
    const kinds = await runner.run("sniff", { root: roots[side]!, paths });
    return found.filter((_, index) => kinds[index] !== undefined).map(({ main }) => main);
  };
  return [...new Set((await Promise.all([sniff("from"), sniff("to")])).flat())];
}
