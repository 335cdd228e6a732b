// Which arguments of rsync a configuration may add, and in which direction they are used.
import { deepEqual, equal, match, throws } from "node:assert/strict";
import fc from "fast-check";
import { faultOfRsyncArgs, sortRsyncArgs } from "../../src/config/rsync_extra_args.ts";

Deno.test("the documented examples are taken as they are", () => {
  const args = [
    "--bwlimit=50000",
    "--exclude",
    "*.tmp",
    "--filter=- /x",
    "-f",
    "- *.o",
    "-vzF",
    "--chmod=D700",
    "-B4096",
  ];
  deepEqual(sortRsyncArgs(args), {
    both: [
      "--bwlimit=50000",
      "--exclude",
      "*.tmp",
      "--filter=- /x",
      "-f",
      "- *.o",
      "-z",
      "-F",
      "--chmod=D700",
      "-B4096",
    ],
    stageInOnly: [],
    remote: [],
    ours: ["-v"],
    decided: [],
  });
});

Deno.test("what can lose files at the receiving side is for staging in only", () => {
  const { both, stageInOnly } = sortRsyncArgs(["--delete", "--exclude", "--delete", "--inplace", "--del"]);
  deepEqual(both, ["--exclude", "--delete"]);
  deepEqual(stageInOnly, ["--delete", "--inplace", "--del"]);
});

Deno.test("options for a remote shell are taken and not passed on", () => {
  deepEqual(sortRsyncArgs(["-e", "ssh -J jump", "--rsh=ssh", "-zessh"]), {
    both: ["-z"],
    stageInOnly: [],
    remote: ["-e", "ssh -J jump", "--rsh=ssh", "-essh"],
    ours: [],
    decided: [],
  });
});

Deno.test("what would keep half files under their names, speak over us or pass over files is taken and not passed on", () => {
  deepEqual(
    sortRsyncArgs(["-avuPi", "--partial-dir", ".p", "--delay-updates", "-@1", "--modify-window", "2", "--size-only"]),
    {
      both: ["-a"],
      stageInOnly: [],
      remote: [],
      ours: ["-v", "-P", "-i", "--partial-dir", ".p", "--delay-updates"],
      decided: ["-u", "-@1", "--modify-window", "2", "--size-only"],
    },
  );
});

Deno.test("what could destroy, lead out of the tree or start programs is refused by name", () => {
  const refused = [
    "--remove-source-files",
    "--rsync-path=/bin/sh",
    "--files-from=/x",
    "--temp-dir=/x",
    "-T",
    "-L",
    "--copy-links",
    "-K",
    "--keep-dirlinks",
    "--copy-unsafe-links",
    "--backup-dir=/x",
    "-b",
    "--link-dest=/x",
    "--write-batch=x",
    "--daemon",
    "--server",
    "--dry-run",
    "-n",
    "--relative",
    "-R",
    "--append",
    "--password-file=x",
    "--log-file=/x",
    "--no-recursive",
    "--no-links",
    "--no-times",
    "--super",
    "--remote-option=x",
    "-M--super",
    "--insecure-links",
  ];
  for (const arg of refused) match(faultOfRsyncArgs([arg]) ?? "", /^must not hold -/, arg);
});

Deno.test("a word that is no option would become another source, and is refused", () => {
  for (const args of [["w"], ["--delete", "/home"], ["--"], ["-"], [""], ["-v", "x"]]) {
    match(faultOfRsyncArgs(args) ?? "", /another directory to copy/, String(args));
  }
});

Deno.test("a missing value, a value too much and a mistyping are named", () => {
  equal(faultOfRsyncArgs(["--exclude"]), "must give --exclude a value");
  equal(faultOfRsyncArgs(["--delete=yes"]), "must not give --delete a value");
  match(faultOfRsyncArgs(["--exclud=x"]) ?? "", /did you mean --exclude\?/);
});

Deno.test("law: sorting is stable: what was sorted sorts to itself", () => {
  const argument = fc.constantFrom(["--exclude", "x"], ["-vz"], ["--delete"], ["-e", "ssh"], ["--bwlimit=1"], ["-fx"]);
  fc.assert(fc.property(fc.array(argument).map((args) => args.flat()), (args) => {
    const sorted = sortRsyncArgs(args);
    deepEqual(sortRsyncArgs(sorted.both).both, sorted.both);
    deepEqual(sortRsyncArgs(sorted.stageInOnly).stageInOnly, sorted.stageInOnly);
    throws(() => sortRsyncArgs([...args, "word"]));
  }));
});
