// The options of rsync(1) 3.5 and how `rsync_extra_args` treats each. rsync can delete, follow links out of a tree,
// write elsewhere and start other programs, so only the options listed here are accepted; everything else is refused.

/** How an option is treated. */
export type OptionUse =
  /** Passed to rsync, in both directions; with such an option, rsync copies. */
  | { readonly use: "rsync" }
  /** Interpreted by this program: rules of the filter, and options with the same meaning for every engine. */
  | { readonly use: "ours"; readonly as: OwnOption }
  /** Accepted because older configurations have it, and without effect. */
  | { readonly use: "ignored"; readonly because: IgnoredReason }
  /** Refused because it would break a guarantee. The reason continues `must not hold --x: `. */
  | { readonly use: "refused"; readonly why: string };

/** Options that every engine supports. */
export type OwnOption =
  | "exclude"
  | "include"
  | "filter"
  | "exclude-from"
  | "include-from"
  | "bandwidth limit"
  | "delete"
  | "delete excluded"
  | "follow links"
  | "follow links that lead outside";

/** Why an option has no effect, as the words after a colon. */
export const IGNORED_BECAUSE = {
  decided: "both sides and the record of the last transfer decide which files are copied",
  times: "times tell which files have changed, so they are always copied",
  publishing: "euler-files handles progress and partial files itself",
  deletions: "euler-files deletes by its own record",
  remote: "it has a meaning between two hosts only",
} as const;

/** Why an option has no effect. */
export type IgnoredReason = keyof typeof IGNORED_BECAUSE;

/** An option as it may be written. */
export interface KnownOption {
  readonly takesValue: boolean;
  readonly meaning: OptionUse;
}

const table = (meaning: OptionUse, takesValue: boolean, names: string): [string, KnownOption][] =>
  names.split(/\s+/).map((name) => [name, { takesValue, meaning }]);
const forRsync = (takesValue: boolean, names: string) => table({ use: "rsync" }, takesValue, names);
const ours = (as: OwnOption, takesValue: boolean, names: string) => table({ use: "ours", as }, takesValue, names);
const ignored = (because: IgnoredReason, takesValue: boolean, names: string) =>
  table({ use: "ignored", because }, takesValue, names);
/** With or without a value: the option is refused before its value is read. */
const refused = (why: string, names: string) => table({ use: "refused", why }, false, names);

/** Options by their names; short ones are listed as `-z`. */
export const KNOWN_OPTIONS: ReadonlyMap<string, KnownOption> = new Map([
  ...forRsync(
    true,
    "--max-size --min-size --timeout --compress-level --compress-choice --zc --zl --checksum-choice --cc " +
      "--skip-compress --block-size -B --chmod --chown --usermap --groupmap --max-alloc --checksum-seed --log-file " +
      "--log-file-format --stderr",
  ),
  ...forRsync(
    false,
    "--compress -z --no-compress --no-z --whole-file -W --no-whole-file --no-W --sparse -S --preallocate --fsync " +
      "--acls -A --xattrs -X --hard-links -H --no-hard-links --no-H --numeric-ids --executability -E --perms -p " +
      "--owner -o --group -g --times -t --atimes -U --open-noatime --crtimes -N --links -l --devices --specials -D " +
      "--no-perms --no-p --no-owner --no-o --no-group --no-g --no-devices --no-specials --no-D --omit-dir-times -O " +
      "--omit-link-times -J --one-file-system -x --fuzzy -y --no-inc-recursive --no-i-r --inc-recursive --i-r " +
      "--archive -a --recursive -r --safe-links --prune-empty-dirs -m --protect-args --secluded-args -s",
  ),
  ...ours("exclude", true, "--exclude"),
  ...ours("include", true, "--include"),
  ...ours("filter", true, "--filter -f"),
  ...ours("exclude-from", true, "--exclude-from"),
  ...ours("include-from", true, "--include-from"),
  ...ours("bandwidth limit", true, "--bwlimit"),
  ...ours("delete", false, "--delete --del --delete-before --delete-during --delete-delay --delete-after"),
  ...ours("delete excluded", false, "--delete-excluded"),
  ...ours("follow links", false, "--copy-links -L --copy-dirlinks -k"),
  ...ours("follow links that lead outside", false, "--copy-unsafe-links"),
  ...ignored("publishing", true, "--partial-dir --info --debug --outbuf --out-format --temp-dir -T"),
  ...ignored(
    "publishing",
    false,
    "--partial -P --delay-updates --inplace --progress --quiet -q --stats --verbose -v --human-readable -h --itemize-changes " +
      "-i --8-bit-output -8 --msgs2stderr",
  ),
  ...ignored("decided", true, "--modify-window -@"),
  ...ignored(
    "decided",
    false,
    "--update -u --ignore-existing --existing --checksum -c --size-only --ignore-times -I --ignore-missing-args --dirs -d " +
      "--no-implied-dirs",
  ),
  ...ignored("times", false, "--no-times --no-t"),
  ...ignored("deletions", false, "--delete-missing-args --ignore-errors --force"),
  ...ignored("deletions", true, "--max-delete"),
  ...ignored("remote", true, "--rsh -e --port --address --sockopts --contimeout"),
  ...ignored("remote", false, "--ipv4 -4 --ipv6 -6 --blocking-io --no-motd --old-args --trust-sender"),
  ...refused("it deletes files where they are copied from", "--remove-source-files --remove-sent-files"),
  ...refused("nothing would be copied (`euler-files sync --dry-run` shows what would be)", "--dry-run -n --list-only"),
  ...refused("it starts another program", "--rsync-path --daemon --server --remote-option -M"),
  ...refused("euler-files names the two sides itself", "--files-from --from0 -0 --relative -R --read-batch"),
  ...refused(
    "parts of the tree would be missing from a copy that counts as complete",
    "--no-links --no-l --no-recursive --no-r --no-dirs --no-d --stop-after --time-limit --stop-at",
  ),
  ...refused("old versions of files would lie in the cache", "--backup -b --backup-dir --suffix"),
  ...refused("files would be links to another tree, which may change", "--link-dest --copy-dest --compare-dest"),
  ...refused("a file that is being written could not be told from a complete one", "--append --append-verify"),
  ...refused("it writes through links on the receiving side, out of the directory", "--keep-dirlinks -K"),
  ...refused("links would be changed on the way", "--munge-links --insecure-links"),
  ...refused("names would be changed on the way", "--iconv"),
  ...refused("owners and modes would be kept in attributes that no engine reads", "--fake-super --super --copy-as"),
  ...refused("it writes devices instead of files", "--copy-devices --write-devices"),
  ...refused("it writes to another file", "--write-batch --only-write-batch --password-file --early-input"),
  ...refused(
    "rules that lie in the tree itself (.cvsignore, .rsync-filter) are not read; name the patterns with --exclude",
    "--cvs-exclude -C -F",
  ),
]);
