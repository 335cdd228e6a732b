// What `venv install -r` takes besides lists of requirements: a project's pyproject.toml and uv.lock, and pylock.toml (PEP 751).
import { CliError } from "../errors/errors.ts";
import { splitAbsolute } from "../posix/file_names.ts";

/** The files of a request by how uv takes them. Paths are absolute. */
export interface RequirementFiles {
  /** A project's lock, which uv has to export first; uv itself would install it only into the project's own environment. */
  readonly uvLock: string | undefined;
  /** Locks that uv installs, each by itself. */
  readonly pylocks: readonly string[];
  /** Everything else, installed together. */
  readonly lists: readonly string[];
  /** The directory of the project, whose requires-python and .python-version choose the Python of a new environment. */
  readonly project: string | undefined;
}

/** Sorts the files of a request by their names. Pure. Throws a CliError `usage` for two locks of projects. */
export function sortRequirementFiles(files: readonly string[]): RequirementFiles {
  const named = (pattern: RegExp) => files.filter((file) => pattern.test(splitAbsolute(file)[1]));
  const [uvLock, ...moreLocks] = named(/^uv\.lock$/);
  if (moreLocks.length > 0) throw new CliError("usage", "Cannot install from more than one uv.lock");
  const pylocks = named(/^pylock(\.[^.]+)?\.toml$/);
  const [project] = [...(uvLock === undefined ? [] : [uvLock]), ...named(/^pyproject\.toml$/)];
  return {
    uvLock,
    pylocks,
    lists: files.filter((file) => file !== uvLock && !pylocks.includes(file)),
    project: project === undefined ? undefined : splitAbsolute(project)[0],
  };
}

/** The requirements that a file's text names directly; of a requirements file without its options, of a lock none. Pure. */
export function requirementsIn(path: string, text: string): string[] {
  const name = splitAbsolute(path)[1];
  if (name === "pyproject.toml") return dependenciesIn(text);
  if (name === "uv.lock" || name.endsWith(".toml")) return [];
  return text.split("\n").map((line) => line.replace(/(^|\s)#.*/, "").trim()).filter((line) =>
    /^[A-Za-z0-9]/.test(line)
  );
}

/** The texts in `dependencies = […]`: brackets in them (`torch[x]`) and in comments don't end the list. */
const DEPENDENCIES_REGEXP = /^\s*dependencies\s*=\s*\[((?:[^\]"'#]|"[^"]*"|'[^']*'|#[^\n]*)*)\]/m;

function dependenciesIn(pyproject: string): string[] {
  const items = DEPENDENCIES_REGEXP.exec(pyproject)?.[1] ?? "";
  return [...items.matchAll(/#[^\n]*|"([^"]*)"|'([^']*)'/g)].flatMap(([, one, other]) => one ?? other ?? []);
}
