// Paths in a configuration: what is expanded, what is refused, and whether two of them overlap.
import { deepEqual, equal, match, throws } from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { CliError } from "../../src/errors/errors.ts";
import {
  type AbsolutePath,
  expandPath,
  isWithin,
  joinPath,
  overlap,
  realLocation,
  reallyOverlap,
  resolvePath,
  toAbsolutePath,
} from "../../src/config/paths.ts";

const ORIGIN = { label: "scratch_base", kind: "config" } as const;
const ENV = { HOME: "/home/u", SCRATCH: "/scratch/u", EMPTY: "", ODD: "$HOME" };

const absolute = (text: string) => toAbsolutePath(text, ENV, ORIGIN);

Deno.test("$NAME, ${NAME} and a leading ~ are expanded, once", () => {
  equal(expandPath("$SCRATCH/${SCRATCH}x/$", ENV, ORIGIN), "/scratch/u//scratch/ux/$");
  equal(expandPath("~", ENV, ORIGIN), "/home/u");
  equal(expandPath("~/a~b", ENV, ORIGIN), "/home/u/a~b");
  equal(expandPath("/a/~", ENV, ORIGIN), "/a/~");
  equal(expandPath("$ODD", ENV, ORIGIN), "$HOME");
});

Deno.test("a variable that is unset or empty is an error with its name and a hint", () => {
  for (const name of ["MISSING", "EMPTY"]) {
    throws(() => expandPath(`$${name}/x`, ENV, ORIGIN), (error: CliError) => {
      equal(error.kind, "config");
      equal(error.message, `Cannot use scratch_base "$${name}/x": the variable ${name} is not set`);
      match(error.hint ?? "", new RegExp(`export ${name}=`));
      return true;
    });
  }
});

Deno.test("what cannot be expanded is refused instead of being used literally", () => {
  for (const text of ["${X:-/tmp}", "${", "${SCRATCH", "~other/x", "/a\0b"]) {
    throws(() => absolute(text), CliError, text);
  }
});

Deno.test("a configured path must be absolute and unambiguous", () => {
  throws(() => absolute("cache/x"), /not an absolute path/);
  throws(() => absolute(""), /not an absolute path/);
  throws(() => absolute("$SCRATCH/../other"), /contains "\.\."/);
  equal(absolute("//a//./b///"), "/a/b");
  equal(absolute("/"), "/");
  equal(absolute("/a/..b"), "/a/..b");
});

Deno.test("a path on the command line may be relative to the working directory", () => {
  const origin = { label: "--to", kind: "usage" } as const;
  equal(resolvePath("../x", ENV, "/work/dir", origin), "/work/x");
  equal(resolvePath("$SCRATCH/x/", ENV, "/work", origin), "/scratch/u/x");
  throws(() => resolvePath("", ENV, "/work", origin), (error: CliError) => error.kind === "usage");
});

const component = fc.stringMatching(/^[a-c.]{1,3}$/).filter((name) => name !== "." && name !== "..");
const pathArbitrary = fc.array(component, { maxLength: 4 }).map((parts) => absolute(`/${parts.join("/")}`));

Deno.test("law: overlap is symmetric, and a path overlaps only with itself, its parents and what is below it", () => {
  fc.assert(fc.property(pathArbitrary, pathArbitrary, (one, other) => {
    equal(overlap(one, other), overlap(other, one));
    equal(isWithin(one, one), true);
    const parts = (path: string) => path.split("/").filter((part) => part !== "");
    const [shorter, longer] = [parts(one), parts(other)].sort((left, right) => left.length - right.length);
    equal(overlap(one, other), shorter!.every((part, index) => part === longer![index]));
  }));
});

Deno.test("law: a joined path never leaves its directory", () => {
  fc.assert(
    fc.property(pathArbitrary, fc.array(fc.constantFrom("a", "..", ".", "/", "b/../..")), (directory, below) => {
      equal(isWithin(joinPath(directory, ...below), directory), true);
    }),
  );
});

Deno.test("links are followed as far as a path exists", async () => {
  const root = await Deno.realPath(await Deno.makeTempDir()) as AbsolutePath;
  try {
    await Deno.mkdir(`${root}/real/inner`, { recursive: true });
    await Deno.symlink("real", `${root}/link`);
    await Deno.symlink("loop", `${root}/loop`);
    equal(await realLocation(joinPath(root, "link/inner/new/deep")), `${root}/real/inner/new/deep`);
    equal(await realLocation(joinPath(root, "loop/x")), `${root}/loop/x`);
    const pairs: [string, string][] = [["link", "real"], ["link/new", "real"], ["link/inner", "real/other"]];
    const answers = await Promise.all(pairs.flatMap(([one, other]) => [
      reallyOverlap(joinPath(root, one), joinPath(root, other)),
      reallyOverlap(joinPath(root, other), joinPath(root, one)),
    ]));
    deepEqual(answers, [true, true, true, true, false, false]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
