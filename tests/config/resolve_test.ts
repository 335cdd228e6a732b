// From the text of the configuration to directories: expansion, selection, overlap, and whether scratch exists.
import { deepEqual, equal, match, ok, rejects, throws } from "node:assert/strict";
import { checkConfig, type Config } from "../../src/config/config.ts";
import { presetExcludes } from "../../src/config/preset_excludes.ts";
import { EMPTY_LOCKS } from "../../src/config/presets.ts";
import { secretPatterns } from "../../src/config/secrets.ts";
import type { AbsolutePath } from "../../src/config/paths.ts";
import {
  ensureScratch,
  listNestedSources,
  refuseRealOverlap,
  resolveApptainer,
  resolveConfig,
  type ResolvedConfig,
} from "../../src/config/resolve.ts";
import { CliError } from "../../src/errors/errors.ts";
import { makeWorld } from "../support/world.ts";

const PATH = "/home/u/.euler-files.json" as AbsolutePath;
const ENV = { HOME: "/home/u", SCRATCH: "/scratch/u", PROJECT: "/project/p" };

function config(fields: Readonly<Record<string, unknown>>): Config {
  const checked = checkConfig({ version: 1, scratch_base: "$SCRATCH", ...fields });
  if ("config" in checked) return checked.config;
  throw new Error(checked.faults.map(({ what }) => what).join());
}

const resolve = (fields: Readonly<Record<string, unknown>>, selection?: string[], env = ENV): ResolvedConfig =>
  resolveConfig(config(fields), PATH, env, selection);

function errorOf(work: () => unknown): CliError {
  try {
    work();
  } catch (error) {
    ok(error instanceof CliError, String(error));
    return error;
  }
  throw new Error("it was accepted");
}

const COMMON = [...presetExcludes("A")];
const NO_FILTER = {
  include: [],
  exclude: undefined,
  presetExclude: COMMON,
  presetExcludeEmpty: [...EMPTY_LOCKS],
  presetExcludeSecrets: [...secretPatterns("A", {})],
};

Deno.test("scratch, cache root, sources and targets are absolute and expanded", () => {
  const resolved = resolve({
    vars: {
      A: { source: "~/a/", include: ["x/"], exclude: [] },
      B: { source: "$PROJECT//b" },
      C: { source: "/c", enabled: false },
    },
    rsync_extra_args: ["--bwlimit=5", "--delete", "-uz", "--exclude-from=~/rules"],
    skip_if_fresh_seconds: -1,
  });
  deepEqual(resolved, {
    path: PATH,
    scratchBase: "/scratch/u",
    cacheRoot: "/scratch/u/.cache/euler-files",
    variables: [
      {
        name: "A",
        source: "/home/u/a",
        target: "/scratch/u/.cache/euler-files/A",
        enabled: true,
        tier: "scratch",
        filter: { ...NO_FILTER, include: ["x/"], exclude: [] },
      },
      {
        name: "B",
        source: "/project/p/b",
        target: "/scratch/u/.cache/euler-files/B",
        enabled: true,
        tier: "scratch",
        filter: NO_FILTER,
      },
      {
        name: "C",
        source: "/c",
        target: "/scratch/u/.cache/euler-files/C",
        enabled: false,
        tier: "scratch",
        filter: NO_FILTER,
      },
    ],
    redirected: [],
    others: [],
    unresolved: [],
    rsyncArgs: {
      rules: [{ action: "exclude", file: "/home/u/rules" }],
      bandwidthLimitBytesPerSecond: 5120,
      links: "keep",
      deleteExtras: true,
      deleteExcluded: false,
      forRsync: ["-z"],
      ignored: [{ written: "-u", because: "decided" }],
    },
    parallelJobs: 4,
    lockTimeoutSeconds: 300,
    skipIfFreshSeconds: 0,
    engine: "auto",
    strict: false,
  });
});

Deno.test("the cache root may be absolute, and is never outside of scratch by accident", () => {
  equal(resolve({ cache_root: "/fast/x" }).cacheRoot, "/fast/x");
  equal(resolve({ cache_root: "~/x" }).cacheRoot, "/home/u/x");
  equal(resolve({ cache_root: "." }).cacheRoot, "/scratch/u");
  match(errorOf(() => resolve({ cache_root: "../other" })).message, /cache_root .*contains "\.\."/);
  match(errorOf(() => resolve({ scratch_base: "/" })).message, /root of the file system/);
});

Deno.test("$SCRATCH unset is an error that names variable, field and file, and makes nothing", () => {
  const error = errorOf(() => resolve({}, undefined, { HOME: "/home/u" } as typeof ENV));
  equal(error.kind, "config");
  equal(error.exitCode, 2);
  equal(error.message, `Cannot use scratch_base "$SCRATCH": the variable SCRATCH is not set (in "${PATH}")`);
});

Deno.test("a selection accepts disabled variables, keeps the order of the file and suggests the closest name for a mistyped one", () => {
  const vars = { B: { source: "/b" }, HF_HOME: { source: "/a", enabled: false } };
  deepEqual(resolve({ vars }, ["HF_HOME", "B", "B"]).variables.map(({ name }) => name), ["B", "HF_HOME"]);
  deepEqual(resolve({ vars }, []).variables.length, 2);
  const error = errorOf(() => resolve({ vars }, ["HF_HOEM"]));
  equal(error.kind, "usage");
  equal(error.message, 'Cannot find the variable "HF_HOEM"');
  equal(error.hint, "did you mean HF_HOME?");
  match(errorOf(() => resolve({ vars }, ["QQQQQQQQ"])).hint ?? "", /B, HF_HOME/);
  match(errorOf(() => resolve({ vars }, ["constructor"])).message, /Cannot find/);
});

Deno.test("a relative source and one that overlaps the cache root are errors", () => {
  match(
    errorOf(() => resolve({ vars: { A: { source: "rel" } } })).message,
    /vars\.A\.source "rel": it is not an absolute path/,
  );
  const inside = errorOf(() => resolve({ vars: { A: { source: "/scratch/u/.cache/euler-files/B/x" } } }));
  match(inside.message, /vars\.A\.source .* lies inside "\/scratch\/u\/\.cache\/euler-files"/);
  const around = errorOf(() => resolve({ vars: { A: { source: "/scratch" } } }));
  match(around.message, /vars\.A\.source "\/scratch": it contains .* copied into itself/);
  equal(resolve({ vars: { A: { source: "/scratch/u/elsewhere" } } }).variables.length, 1);
  equal(resolve({ vars: { A: { source: "/scratch/u/.cache/euler-files-2" } } }).variables.length, 1);
});

Deno.test("a path must not use a variable that a sync changes", () => {
  const vars = { XDG_CACHE_HOME: { source: "/c" }, HF_HOME: { source: "$XDG_CACHE_HOME/hf" } };
  const env = { ...ENV, XDG_CACHE_HOME: "/c", WORK: "/w" };
  match(errorOf(() => resolve({ vars }, undefined, env)).message, /XDG_CACHE_HOME is itself a managed variable/);
  const scratch = { scratch_base: "${WORK}/x", vars: { WORK: { source: "/w" } } };
  match(errorOf(() => resolve(scratch, undefined, env)).message, /scratch_base .*WORK is itself a managed variable/);
});

Deno.test("a disabled variable that cannot be resolved is no error until it is selected", () => {
  const vars = { A: { source: "/a" }, B: { source: "$GONE/b", enabled: false } };
  const resolved = resolve({ vars });
  deepEqual(resolved.variables.map(({ name }) => name), ["A"]);
  deepEqual(resolved.unresolved.map(({ name }) => name), ["B"]);
  match(resolved.unresolved[0]!.message, /GONE is not set/);
  throws(() => resolve({ vars }, ["B"]), /GONE is not set/);
});

Deno.test("sources inside one another are listed once for each pair", () => {
  const vars = { HF: { source: "/c/hf" }, XDG: { source: "/c" }, SAME: { source: "/c/hf/" }, OTHER: { source: "/cc" } };
  const pairs = listNestedSources(resolve({ vars }).variables);
  deepEqual(pairs.map(({ inner, outer, same }) => `${inner.name} ${same ? "=" : "<"} ${outer.name}`).sort(), [
    "HF < XDG",
    "SAME < XDG",
    "SAME = HF",
  ]);
});

Deno.test("directories of the apptainer section are resolved separately; empty ones count as missing", () => {
  const section = config({ apptainer: { venv_base: "$PROJECT/venvs", scratch_sif_dir: "$SCRATCH/sif" } }).apptainer!;
  deepEqual(resolveApptainer(section, PATH, ENV), { venvBase: "/project/p/venvs", scratchSifDir: "/scratch/u/sif" });
  const relative = config({ apptainer: { sif_store: "sif" } }).apptainer!;
  match(errorOf(() => resolveApptainer(relative, PATH, ENV)).message, /apptainer\.sif_store "sif"/);
});

Deno.test("links that make source and target the same directory are found before a transfer", async () => {
  await using world = await makeWorld();
  await world.writeTree("scratch/.cache/euler-files/A", { x: "1" });
  await world.writeTree("home", { link: { link: `${world.scratch}/.cache/euler-files/A` }, "real/x": "1" });
  const vars = { A: { source: "~/link" }, B: { source: "~/real" } };
  const [linked, real] = resolve({ vars }, undefined, { ...ENV, ...world.env }).variables;
  await rejects(refuseRealOverlap(linked!), /A: .* are the same place, or one inside the other/);
  await refuseRealOverlap(real!);
});

Deno.test("scratch must be an existing directory", async () => {
  await using world = await makeWorld();
  await world.writeTree("", { file: "x", "scratch/ok": "x" });
  const at = (base: string) => resolve({ scratch_base: base });
  await ensureScratch(at(world.scratch));
  const kindOf = async (base: string) => {
    const error = await ensureScratch(at(base)).then(() => undefined, (error) => error);
    ok(error instanceof CliError);
    match(error.hint ?? "", /euler-files config set scratch_base/);
    return `${error.kind} ${error.exitCode} ${error.message.slice(error.message.indexOf(":"))}`;
  };
  equal(await kindOf(world.path("missing")), "not-found 2 : there is no such directory");
  equal(await kindOf(world.path("file")), "config 2 : it is not a directory");
  equal(await kindOf("/dev/me"), "config 2 : it lies below /dev, where no copies can be kept");
  equal(await kindOf("/dev/shm/no-such-directory"), "not-found 2 : there is no such directory");
  await ensureScratch(at("/dev/shm"));
  await Deno.symlink("/dev", world.path("link"));
  equal(
    await kindOf(world.path("link")),
    'config 2 : it is "/dev/.cache/euler-files", below /dev, where no copies can be kept',
  );
  deepEqual(await Array.fromAsync(Deno.readDir(world.scratch), ({ name }) => name), ["ok"]);
});
