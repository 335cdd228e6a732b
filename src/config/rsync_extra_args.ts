// Which options of rsync a configuration may add. rsync can delete, follow links out of a tree, write elsewhere and start
// other programs; what may be added is therefore a list of what is known to be harmless, and the rest is refused by name.

import { nearest } from "../nearest.ts";

/**
 * - `both`: for staging in and out.
 * - `in`: deletes or half-overwrites at the receiving side. Wanted by those whose scratch shall mirror the source; never used on
 *   persistent storage.
 * - `remote`: only has a meaning between two hosts. Older configurations hold it; it is taken and not passed on.
 */
type Use = "both" | "in" | "remote";

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
    "--bwlimit --exclude --include --exclude-from --include-from --filter -f --max-size --min-size",
  ),
  ...table(
    "both",
    true,
    "--timeout --modify-window -@ --compress-level --compress-choice --checksum-choice --skip-compress",
  ),
  ...table("both", true, "--block-size -B --chmod --info --debug --outbuf --out-format --max-alloc --checksum-seed"),
  ...table(
    "both",
    false,
    "--compress -z --checksum -c --size-only --ignore-times -I --whole-file -W --no-whole-file --no-W",
  ),
  ...table(
    "both",
    false,
    "--cvs-exclude -C -F --sparse -S --preallocate --partial -P --progress --stats --fsync",
  ),
  ...table(
    "both",
    false,
    "--acls -A --xattrs -X --hard-links -H --no-hard-links --no-H --numeric-ids --executability -E",
  ),
  ...table(
    "both",
    false,
    "--perms -p --owner -o --group -g --times -t --atimes -U --open-noatime --crtimes -N --links -l",
  ),
  ...table("both", false, "--no-perms --no-p --no-owner --no-o --no-group --no-g --no-devices --no-specials --no-D"),
  ...table(
    "both",
    false,
    "--omit-dir-times -O --omit-link-times -J --one-file-system -x --fuzzy -y --no-inc-recursive",
  ),
  ...table(
    "both",
    false,
    "--inc-recursive --archive -a --recursive -r --update -u --ignore-existing --existing --safe-links",
  ),
  ...table("both", false, "--verbose -v --human-readable -h --itemize-changes -i --8-bit-output -8 --msgs2stderr"),
  ...table(
    "both",
    false,
    "--delay-updates --prune-empty-dirs -m --protect-args --secluded-args -s --no-compress --no-z",
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

/** The arguments, parted by where they may be used. */
export interface SortedRsyncArgs {
  /** Harmless in either direction. */
  readonly both: string[];
  /** Only for staging in: they can lose what the receiving side has. */
  readonly stageInOnly: string[];
  /** Without a meaning on one machine; not passed on. */
  readonly remote: string[];
}

/** Sorts the arguments of `rsync_extra_args`. Throws an Error whose message continues the field's name, for one that is refused. */
export function sortRsyncArgs(args: readonly string[]): SortedRsyncArgs {
  const sorted: Record<Use, string[]> = { both: [], in: [], remote: [] };
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
  return { both: sorted.both, stageInOnly: sorted.in, remote: sorted.remote };
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
