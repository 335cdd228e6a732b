// The journal of a migration that is under way: after a crash it says how far the migration got and which files are its own.
// It is beside the configuration, because it belongs to the field that is about to change.
import { type AbsolutePath, isWithin, joinPath, overlap } from "../config/paths.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import * as v from "valibot";
import { CliError } from "../errors/errors.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";

const PATH = v.pipe(v.string(), v.nonEmpty());

const JOURNAL_SCHEMA = v.object({
  what: v.string(),
  /** The field that changes, as the history in the configuration names it: `source`, `venv_base`. */
  field: v.string(),
  /** The field's value before and after. */
  old_path: PATH,
  new_path: PATH,
  /** The directories whose content moves. */
  from: PATH,
  to: PATH,
  /** The inode of `to`, recorded when it existed and was empty: its files are then a copy of ours. */
  to_inode: v.nullable(v.number()),
  /** Whether the old directory is deleted at the end; missing in a journal of an older version. */
  old_directory: v.optional(v.picklist(["delete", "keep"])),
  /** The path to which the old directory is renamed once nothing points at it any more. */
  aside: PATH,
  /** Seconds since 1970. */
  started_at: v.number(),
  /** Files in `to` that differ from the old ones on purpose: scripts that name the directory they are in. */
  rewritten: v.array(v.string()),
  /** What the file system of `to` preserves, once a file was copied there; missing in a journal of an older version. */
  traits: v.optional(v.object({
    timeStep: v.number(),
    names: v.picklist(["exact", "folded"]),
    modes: v.picklist(["kept", "ignored"]),
    hardLinks: v.picklist(["kept", "copied"]),
  })),
  /** `copying`: the old directory is used. `switched`: the new one is. `deleting`: the old one is no longer complete. */
  phase: v.picklist(["copying", "switched", "deleting"]),
});

/** See {@linkcode readJournal}. */
export type Journal = v.InferOutput<typeof JOURNAL_SCHEMA>;

/** The path of the journal for a directory, beside the real configuration file: a link to that may be anywhere. */
export async function journalPath(configPath: string, what: string): Promise<string> {
  const real = await Deno.realPath(configPath);
  const [directory, name] = splitAbsolute(real);
  return `${directory}/.${name.replace(/^\./, "")}.migrate-${what}`;
}

/** The journals of all unfinished migrations of directories with these names. */
export async function findJournals(configPath: string, names: readonly string[]): Promise<readonly Journal[]> {
  const found = await Promise.all(
    // `migrate` reports a journal that can't be read, because it needs it.
    names.map(async (what) => await readJournal(await journalPath(configPath, what)).catch(() => undefined)),
  );
  return found.filter((journal) => journal !== undefined);
}

/** The journal, or undefined if no migration is under way. Throws a CliError `config` for one that can't be parsed. */
export async function readJournal(path: string): Promise<Journal | undefined> {
  const text = await readOwnText(path);
  if (text === undefined) return undefined;
  try {
    const journal = v.parse(JOURNAL_SCHEMA, JSON.parse(text));
    refuseMisfits(journal);
    return journal;
  } catch (error) {
    throw new CliError("config", `Cannot read the record of an unfinished migration "${path}"`, {
      hint: "look at both directories; if the old one is whole, remove that file and start again",
      cause: error,
    });
  }
}

/**
 * The old directory is deleted at the end, so the paths of a record must fit each other: the directories are those of the
 * field's values, the one to delete is named after the old one, and the new one is neither in it nor around it.
 */
function refuseMisfits(journal: Journal): void {
  const root = "/" as AbsolutePath;
  const [from, to, aside] = [journal.from, journal.to, journal.aside].map((path) => joinPath(root, path));
  const fits = isWithin(from!, joinPath(root, journal.old_path)) && isWithin(to!, joinPath(root, journal.new_path)) &&
    aside!.startsWith(`${from}.migrated-`) && !overlap(from!, to!) && !overlap(aside!, to!);
  if (!fits) throw new RangeError("its paths do not fit each other");
}

/** Writes the journal so that it survives a crash of the machine. */
export async function writeJournal(path: string, journal: Journal): Promise<void> {
  await writeFileAtomically({
    path,
    content: `${JSON.stringify(journal, undefined, 2)}\n`,
    mode: 0o600,
    durability: "durable",
  });
}
