// Which options of rsync a configuration may add. rsync can delete, follow links out of a tree, write elsewhere and start
// other programs; what may be added is therefore a list of what is known to be harmless, and the rest is refused by name.
// Which files move, and how each gets its name, has been decided when rsync is called: what would decide that again is taken,
// since older configurations hold it, and not passed on.

import { nearest } from "../nearest.ts";

/**
 * - `both`: for staging in and out.
 * - `in`: deletes or half-overwrites at the receiving side. Wanted by those whose scratch shall mirror the source; never used on
 *   persistent storage.
 * - `remote`: only has a meaning between two hosts.
 * - `ours`: what rsync says, and where it keeps half of a file. With `--partial` that would be under the file's own name, where
 *   the next run takes it for a newer one; continuing copies is our own business.
 * - `decided`: would pass over files that shall move. A person who wrote it has to know that it does nothing.
 */
type Use = "both" | "in" | "remote" | "ours" | "decided";

interface KnownOption {
  readonly use: Use;
  readonly takesValue: boolean;
}

const table = (use: Use, takesValue: boolean, names: string): [string, KnownOption][] =>
  names.split(/\s+/).map((name) => [name, { use, takesValue }]);

/** Options by their names in rsync(1) 3.4; short ones are listed as `-z`. */
const KNOWN_OPTIONS: ReadonlyMap<string, KnownOption> = new Map([
  ...table(
    "both",
    true,
    "--bwlimit --exclude --include --exclude-from --include-from --filter -f --max-size --min-size --timeout " +
      "--compress-level --compress-choice --checksum-choice --skip-compress --block-size -B --chmod --max-alloc " +
      "--checksum-seed",
  ),
  ...table(
    "both",
    false,
    "--compress -z --no-compress --no-z --whole-file -W --no-whole-file --no-W --cvs-exclude -C -F --sparse -S " +
      "--preallocate --fsync --acls -A --xattrs -X --hard-links -H --no-hard-links --no-H --numeric-ids " +
      "--executability -E --perms -p --owner -o --group -g --times -t --atimes -U --open-noatime --crtimes -N " +
      "--links -l --no-perms --no-p --no-owner --no-o --no-group --no-g --no-devices --no-specials --no-D " +
      "--omit-dir-times -O --omit-link-times -J --one-file-system -x --fuzzy -y --no-inc-recursive --inc-recursive " +
      "--archive -a --recursive -r --safe-links --prune-empty-dirs -m --protect-args --secluded-args -s",
  ),
  ...table("ours", true, "--partial-dir --info --debug --outbuf --out-format"),
  ...table(
    "ours",
    false,
    "--partial -P --delay-updates --progress --stats --verbose -v --human-readable -h --itemize-changes -i " +
      "--8-bit-output -8 --msgs2stderr",
  ),
  ...table("decided", true, "--modify-window -@"),
  ...table(
    "decided",
    false,
    "--update -u --ignore-existing --existing --checksum -c --size-only --ignore-times -I",
  ),
  ...table(
    "in",
    false,
    "--delete --del --delete-before --delete-during --delete-delay --delete-after --delete-excluded",
  ),
  ...table("in", false, "--delete-missing-args --ignore-errors --force --inplace"),
  ...table("in", true, "--max-delete"),
  ...table("remote", true, "--rsh -e --port --address --sockopts --contimeout"),
  ...table("remote", false, "--ipv4 -4 --ipv6 -6 --blocking-io --no-motd"),
]);

/** Why arguments of the kind `decided` are not used, behind a colon. */
export const WHAT_DECIDES = "both sides and the record of the last transfer decide which files are copied";

/** The arguments, parted by where they may be used. */
export interface SortedRsyncArgs {
  /** Harmless in either direction. */
  readonly both: string[];
  /** Only for staging in: they can lose what the receiving side has. */
  readonly stageInOnly: string[];
  /** Without a meaning on one machine; not passed on. */
  readonly remote: string[];
  /** What we do ourselves; not passed on. */
  readonly ours: string[];
  /** What the comparison has decided already; not passed on. */
  readonly decided: string[];
}

/** Sorts the arguments of `rsync_extra_args`. Throws an Error whose message continues the field's name, for one that is refused. */
export function sortRsyncArgs(args: readonly string[]): SortedRsyncArgs {
  const sorted: Record<Use, string[]> = { both: [], in: [], remote: [], ours: [], decided: [] };
  const waiting = [...args];
  for (let argument = waiting.shift(); argument !== undefined; argument = waiting.shift()) {
    for (const [name, written, valueGiven] of optionsIn(argument)) {
      const option = KNOWN_OPTIONS.get(name);
      if (option === undefined) throw new Error(refusal(name));
      sorted[option.use].push(written);
      if (valueGiven && !option.takesValue) throw new Error(`must not give ${name} a value`);
      if (!option.takesValue || valueGiven) continue;
      const value = waiting.shift();
      if (value === undefined) throw new Error(`must give ${name} a value`);
      sorted[option.use].push(value);
    }
  }
  const { both, in: stageInOnly, ...unused } = sorted;
  return { both, stageInOnly, ...unused };
}

/** What is wrong with the arguments, continuing the field's name; undefined where nothing is. */
export function faultOfRsyncArgs(args: readonly string[]): string | undefined {
  try {
    sortRsyncArgs(args);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The options in one argument, each with how to pass it on: `-vz` holds two, `--exclude=x` one with its value. */
function optionsIn(argument: string): [name: string, written: string, valueGiven: boolean][] {
  if (argument.startsWith("--") && argument.length > 2) {
    const equals = argument.indexOf("=");
    return [equals < 0 ? [argument, argument, false] : [argument.slice(0, equals), argument, true]];
  }
  if (!/^-[^-]/.test(argument)) {
    throw new Error(
      `must hold options only; rsync would take ${JSON.stringify(argument)} for another directory to copy`,
    );
  }
  const options: [string, string, boolean][] = [];
  for (let index = 1; index < argument.length; index++) {
    const name = `-${argument[index]}`;
    const value = KNOWN_OPTIONS.get(name)?.takesValue ? argument.slice(index + 1) : "";
    options.push([name, name + value, value !== ""]);
    if (value !== "") break;
  }
  return options;
}

function refusal(name: string): string {
  const near = name.startsWith("--") ? nearest(name, [...KNOWN_OPTIONS.keys()]) : undefined;
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  return `must not hold ${name}: it is not among the options that are known to be safe here${meant}`;
}
