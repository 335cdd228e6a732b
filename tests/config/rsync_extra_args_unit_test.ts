// What `rsync_extra_args` may contain, and how each argument is used.
import { deepEqual, equal, match } from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { describeIgnored, faultOfRsyncArgs, parseRate, parseRsyncArgs } from "../../src/config/rsync_extra_args.ts";

const NOTHING = { rules: [], links: "keep", deleteExtras: false, deleteExcluded: false, forRsync: [], ignored: [] };

Deno.test("filter rules are read in their order, and rsync gets the remaining arguments", () => {
  const args = [
    "--exclude",
    "*.tmp",
    "--filter=- /x",
    "-f",
    "+ *.o",
    "--include=+ y/",
    "--exclude-from=/a/b",
    "-z",
    "--include-from",
    "~/c",
    "--chmod=D700",
    "-B4096",
    "-fexclude_*.c",
  ];
  deepEqual(parseRsyncArgs(args), {
    ...NOTHING,
    rules: [
      { action: "exclude", pattern: "*.tmp" },
      { action: "exclude", pattern: "/x" },
      { action: "include", pattern: "*.o" },
      { action: "include", pattern: "y/" },
      { action: "exclude", file: "/a/b" },
      { action: "include", file: "~/c" },
      { action: "exclude", pattern: "*.c" },
    ],
    forRsync: ["-z", "--chmod=D700", "-B4096"],
  });
});

Deno.test("the prefixes of an old rule and the rule that clears the list work as in rsync", () => {
  deepEqual(parseRsyncArgs(["--exclude=+ a", "--include=- b", "--exclude=!", "--filter=!", "--exclude=!x"]).rules, [
    { action: "include", pattern: "a" },
    { action: "exclude", pattern: "b" },
    "clear",
    "clear",
    { action: "exclude", pattern: "!x" },
  ]);
});

Deno.test("options that every engine implements are not passed to rsync", () => {
  deepEqual(parseRsyncArgs(["--delete", "--bwlimit=50000"]), {
    ...NOTHING,
    deleteExtras: true,
    bandwidthLimitBytesPerSecond: 50000 * 1024,
  });
  deepEqual(parseRsyncArgs(["--delete-excluded"]), { ...NOTHING, deleteExtras: true, deleteExcluded: true });
  equal(parseRsyncArgs(["--copy-unsafe-links"]).links, "follow-outside");
  for (const follow of ["-L", "--copy-links", "-k", "-Lv"]) equal(parseRsyncArgs([follow]).links, "follow");
  equal(parseRsyncArgs(["-L", "--copy-unsafe-links"]).links, "follow");
  equal(parseRsyncArgs(["--bwlimit", "5m", "--bwlimit=0"]).bandwidthLimitBytesPerSecond, undefined);
});

Deno.test("rates have rsync's units", () => {
  const rates: Readonly<Record<string, number>> = {
    "1": 1024,
    "1.5k": 1536,
    "50M": 50 * 2 ** 20,
    "2mb": 2e6,
    "1MiB": 2 ** 20,
    "1G": 2 ** 30,
    "1KB": 1000,
    "600B": 600,
    "0": 0,
    "1m-1": 2 ** 20 - 1,
    ".5m": 2 ** 19,
  };
  for (const [text, rate] of Object.entries(rates)) equal(parseRate(text), rate, text);
  for (const text of ["", "x", "511b", "1X", "-1", "1 M", "."]) equal(parseRate(text), undefined, text);
  match(faultOfRsyncArgs(["--bwlimit=fast"]) ?? "", /must give --bwlimit a rate such as 50M, not "fast"/);
});

Deno.test("an argument that is accepted without effect is reported with the reason and its value", () => {
  const parsed = parseRsyncArgs(["-avuPiq", "--partial-dir", ".p", "-@1", "-e", "ssh -J j", "--no-times", "--inplace"]);
  deepEqual(parsed.forRsync, ["-a"]);
  deepEqual(describeIgnored(parsed), [
    "-u -@1 is not used: both sides and the record of the last transfer decide which files are copied",
    "--no-times is not used: times tell which files have changed, so they are always copied",
    "-v -P -i -q --partial-dir .p --inplace is not used: euler-files handles progress and partial files itself",
    "-e ssh -J j is not used: it has a meaning between two hosts only",
  ]);
  equal(describeIgnored(parsed, ["decided"]).length, 1);
});

Deno.test("an argument that could break a promise is refused with its reason", () => {
  const refused: Readonly<Record<string, RegExp>> = {
    "--remove-source-files": /deletes files where they are copied from/,
    "--rsync-path=/bin/sh": /starts another program/,
    "--files-from=/x": /names the two sides itself/,
    "-K": /through links on the receiving side/,
    "--keep-dirlinks": /through links/,
    "--backup-dir=/x": /old versions/,
    "-b": /old versions/,
    "--link-dest=/x": /links to another tree/,
    "--daemon": /starts another program/,
    "--dry-run": /sync --dry-run/,
    "-n": /nothing would be copied/,
    "-R": /two sides/,
    "--append": /could not be told/,
    "--no-recursive": /would be missing/,
    "--no-links": /would be missing/,
    "-M--super": /another program/,
    "-F": /name the patterns with --exclude/,
    "-C": /\.cvsignore/,
    "--cvs-exclude": /\.cvsignore/,
    "--insecure-links": /links would be changed/,
  };
  for (const [arg, reason] of Object.entries(refused)) {
    const fault = faultOfRsyncArgs([arg]) ?? "";
    match(fault, /^must not hold -/, arg);
    match(fault, reason, arg);
  }
  match(faultOfRsyncArgs(["--unheard-of"]) ?? "", /not among the options that are known to be safe/);
});

Deno.test("rules that are not plain are refused with what to write instead", () => {
  const refused: Readonly<Record<string, RegExp>> = {
    "merge /x": /name the file with --exclude-from/,
    ". /x": /name the file with --exclude-from/,
    ": .rules": /in the tree itself/,
    "dir-merge,e .rules": /in the tree itself/,
    "P x": /source and target alike; write exclude/,
    "hide x": /write exclude/,
    "-s x": /modifiers such as "s"/,
    "-,! x": /modifiers/,
    "exclude,/ x": /modifiers/,
    "x": /write it as "- PATTERN"/,
    "-": /has no pattern/,
    "! x": /nothing follows a !/,
  };
  for (const [rule, reason] of Object.entries(refused)) {
    match(faultOfRsyncArgs([`--filter=${rule}`]) ?? "", reason, rule);
  }
  match(faultOfRsyncArgs(["--exclude="]) ?? "", /has no pattern/);
  match(faultOfRsyncArgs(["--exclude-from=-"]) ?? "", /must give --exclude-from a file/);
});

Deno.test("an argument that is not an option would become another source, and is refused", () => {
  for (const args of [["w"], ["--delete", "/home"], ["--"], ["-"], [""], ["-v", "x"]]) {
    match(faultOfRsyncArgs(args) ?? "", /another directory to copy/, String(args));
  }
});

Deno.test("a missing value, a surplus value and a misspelling are named", () => {
  equal(faultOfRsyncArgs(["--exclude"]), "must give --exclude a value");
  equal(faultOfRsyncArgs(["--delete=yes"]), "must not give --delete a value");
  match(faultOfRsyncArgs(["--exclud=x"]) ?? "", /did you mean --exclude\?/);
});

Deno.test("property: arguments for rsync stay the same when they are read again", () => {
  const argument = fc.constantFrom(
    ["--exclude", "x"],
    ["-vz"],
    ["--delete"],
    ["-e", "ssh"],
    ["--max-size=1M"],
    ["--log-file", "/l"],
  );
  fc.assert(fc.property(fc.array(argument).map((args) => args.flat()), (args) => {
    const { forRsync } = parseRsyncArgs(args);
    deepEqual(parseRsyncArgs(forRsync).forRsync, forRsync);
  }));
});
