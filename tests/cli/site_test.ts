// A site's configuration below the user's own: what counts, where it comes from, and whom it is believed.
import assert from "node:assert/strict";
import { siteProfile } from "../../src/config/site.ts";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { makeWorld, type World } from "../support/world.ts";

async function worldWithSite(site: unknown, config: unknown = { version: 1, vars: {} }): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home", { "site.json": typeof site === "string" ? site : JSON.stringify(site) });
  await world.writeConfig(JSON.stringify(config));
  return world;
}

async function originsIn(world: World, env: Record<string, string>): Promise<Record<string, unknown[]>> {
  const { json } = await world.run(["config", "show", "--origin", "--json"], { env });
  const origins: { field: string; value: unknown; origin: string }[] = json().origins;
  return Object.fromEntries(origins.map(({ field, value, origin }) => [field, [value, origin]]));
}

Deno.test("what the user's file lacks comes from the site, and each value has its origin", async () => {
  const site = '{ // our cluster\n "scratch_base": "$SCRATCH/lab", "parallel_jobs": 2, "purge_by_mtime_days": 30, }';
  await using world = await worldWithSite(site, {
    version: 1,
    parallel_jobs: 8,
    vars: { HF_HOME: { source: "~/hf" } },
  });
  await world.writeTree("home/hf", { a: "1" });
  await Deno.mkdir(`${world.scratch}/lab`);
  const path = world.path("home/site.json");
  const origins = await originsIn(world, { EULER_FILES_SITE_CONFIG: path });
  assert.deepEqual(origins.scratch_base, ["$SCRATCH/lab", path]);
  assert.deepEqual(origins.parallel_jobs, [8, "file"]);
  assert.deepEqual(origins.purge_by_mtime_days, [30, path]);
  assert.deepEqual(origins.lock_timeout_seconds, [300, "default"]);
  assert.deepEqual(origins["vars.HF_HOME.source"], ["~/hf", "file"]);
  assert.equal(origins["vars.HF_HOME.enabled"]![1], "default");
  const env = { EULER_FILES_SITE_CONFIG: path };
  const { exports } = (await world.run(["sync", "--json"], { env })).json();
  assert.equal(exports.HF_HOME, `${world.scratch}/lab/.cache/euler-files/HF_HOME`);
  assert.equal((await world.run(["config", "set", "parallel_jobs", "3"], { env })).code, 0);
  assert.equal((await world.run(["config", "validate"], { env })).code, 0);
  assert.ok(!(await Deno.readTextFile(`${world.home}/.euler-files.json`)).includes("scratch_base"));
  const without = await world.run(["sync", "--json"], { env: { EULER_FILES_SITE_CONFIG: "" } });
  assert.deepEqual([without.code, without.json().error.field], [2, "scratch_base"]);
});

Deno.test("a first configuration needs no scratch where the site has one", async () => {
  await using world = await worldWithSite({ scratch_base: "$SCRATCH" });
  await Deno.remove(`${world.home}/.euler-files.json`);
  const env = { EULER_FILES_SITE_CONFIG: world.path("home/site.json") };
  const { code, json } = await world.run(["init", "MODELS=/data/models", "--json"], { env });
  assert.deepEqual([code, json().config.scratch_base], [0, "$SCRATCH"]);
  assert.ok(!("scratch_base" in JSON.parse(await Deno.readTextFile(`${world.home}/.euler-files.json`))));
});

Deno.test("a site can't choose variables, and a faulty, missing or open file is an error", async () => {
  const cases: [unknown, string, RegExp][] = [
    [{ vars: { HF_HOME: { source: "/x" } } }, "config", /vars is only for a user's own configuration/],
    [{ scratch_base: 1 }, "config", /scratch_base must be text/],
    ["{", "bad-json", /line 1/],
    [[], "config", /must be a JSON object/],
  ];
  for (const [site, kind, words] of cases) {
    await using world = await worldWithSite(site);
    const { code, json } = await world.run(["status", "--json"], {
      env: { EULER_FILES_SITE_CONFIG: `${world.home}/site.json` },
    });
    assert.deepEqual([code, json().error.kind], [2, kind]);
    assert.match(json().error.message, words);
  }
  await using world = await worldWithSite({ scratch_base: "$SCRATCH" });
  const env = { EULER_FILES_SITE_CONFIG: world.path("home/site.json") };
  await Deno.chmod(world.path("home/site.json"), 0o666);
  assert.equal((await world.run(["status", "--json"], { env })).json().error.kind, "refused");
  const gone = await world.run(["status", "--json"], {
    env: { EULER_FILES_SITE_CONFIG: world.path("home/gone.json") },
  });
  assert.deepEqual([gone.code, gone.json().error.kind], [2, "not-found"]);
  const relative = await world.run(["status", "--json"], { env: { EULER_FILES_SITE_CONFIG: "site.json" } });
  assert.deepEqual([relative.code, relative.json().error.kind], [2, "config"]);
  assert.match(relative.json().error.message, /EULER_FILES_SITE_CONFIG/);
});

Deno.test("profiles are chosen by the environment, and lie below the site", async () => {
  const euler = { SCRATCH: "/cluster/scratch/ada", TMPDIR: "/scratch/tmp.1" };
  assert.deepEqual(siteProfile(euler)?.values, {
    ...{ scratch_base: "$SCRATCH", node_base: "$TMPDIR", quota_program: "lquota", purge_by_mtime_days: 15 },
  });
  assert.equal(siteProfile({ SCRATCH: "/scratch/ada" }), undefined);
  assert.deepEqual(siteProfile({ SCRATCH: "/s", SLURM_JOB_ID: "1", SLURM_TMPDIR: "/l" })?.values, {
    ...{ scratch_base: "$SCRATCH", node_base: "$SLURM_TMPDIR" },
  });
  await using world = await worldWithSite({ purge_by_mtime_days: 30 });
  const path = world.path("home/site.json");
  const origins = await originsIn(world, { ...euler, EULER_FILES_SITE_CONFIG: path });
  assert.deepEqual(origins.scratch_base, ["$SCRATCH", "profile eth-euler"]);
  assert.deepEqual(origins.purge_by_mtime_days, [30, path]);
});

const SITE = {
  ...{ scratch_base: "$SCRATCH", node_base: "/local/$USER", parallel_jobs: 2, purge_by_mtime_days: 30 },
  quota_program: "site-quota",
};

Deno.test("doctor tells what the site says, with scratch, node disk, quota program and purge rule, also without a configuration", async () => {
  await using world = await worldWithSite(SITE, {
    version: 1,
    parallel_jobs: 8,
    vars: { HF_HOME: { source: "~/hf" } },
  });
  const path = world.path("home/site.json");
  const env = { EULER_FILES_SITE_CONFIG: path, SLURM_JOB_ID: "7", SLURM_TMPDIR: "/local/7" };
  const told = async (name: string, more = {}) => {
    const { findings } = (await world.run(["doctor", "--json"], { env: { ...env, ...more } })).json();
    return findings.filter((finding: { name: string }) => finding.name === name)
      .map(({ state, text }: { state: string; text: string }) => `${state}: ${text}`);
  };
  const site = `ok: ${path}: scratch $SCRATCH, node disk /local/$USER, quota by site-quota, ` +
    "purge 30 days after the last change";
  const profile = "ok: profile slurm: nothing that your own file does not say";
  assert.deepEqual(await told("site"), [site, profile]);
  assert.match((await told("quota"))[0], /^warning: the program "site-quota" of quota_program is not on the PATH here/);
  await world.fakeProgram(
    "site-quota",
    `#!/bin/sh\nprintf '{"bytes": {"used": 99, "limit": 100}, "files": {"used": 1, "limit": 1000}}'`,
  );
  assert.match((await told("quota"))[0], /^warning: scratch: 99 B of 100 B, 1 of 1,000 files used/);
  await Deno.remove(`${world.home}/.euler-files.json`);
  assert.deepEqual(await told("site"), [`${site}, parallel_jobs 2`, profile]);
  assert.match((await told("site", { EULER_FILES_SITE_CONFIG: "", SLURM_JOB_ID: "" }))[0], /^ok: no file of a site/);
});

Deno.test("a sync refuses what exceeds the quota that the site's own program tells, and none is asked for with none", async () => {
  const config = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "~/hf" } } };
  await using world = await worldWithSite(SITE, config);
  await world.writeTree("home/hf", { big: "x".repeat(200_000) });
  await world.fakeProgram("site-quota", `#!/bin/sh\nprintf '{"bytes": {"used": 1024, "limit": 2048}}'`);
  const env = { EULER_FILES_SITE_CONFIG: world.path("home/site.json") };
  const run = await world.run(["sync", "--dry-run", "--json"], { env });
  const [failure] = run.json().failures;
  assert.deepEqual([run.code, failure.kind], [1, "no-space"]);
  assert.match(failure.message, /the quota leaves 1\.0 KB \(1\.0 KB of 2\.0 KB are used\)/);
  assert.match(failure.hint, /`site-quota \S+` shows what is used/);
  await world.run(["config", "set", "quota_program", "none"], { env });
  assert.equal((await world.run(["sync", "--dry-run"], { env })).code, 0);
});

testNeeding(["tmux"], "the wizard offers the site's scratch, and leaves to the site what the site says", async () => {
  await using world = await worldWithSite({ ...SITE, scratch_base: "$SCRATCH/lab" });
  await Deno.remove(`${world.home}/.euler-files.json`);
  await Deno.mkdir(`${world.scratch}/lab`);
  await world.writeTree("home/.cache/huggingface", { a: "1" });
  await using terminal = await openTerminal(world, `EULER_FILES_SITE_CONFIG=$HOME/site.json euler-files init`);
  const first = await terminal.shows("Another directory");
  assert.match(
    first.replaceAll(/[\s│]+/g, " "),
    /: scratch \$SCRATCH\/lab, node disk \/local\/\$USER, .*purge 30 days/,
  );
  assert.match(first, /● \$SCRATCH\/lab, now /);
  await terminal.press("Enter");
  await terminal.shows("Another variable");
  await terminal.press("Enter");
  await terminal.shows("In which directory is the data of HF_HOME kept?");
  await terminal.press("Enter");
  await terminal.shows("Leave without saving");
  await terminal.press("Enter");
  await terminal.shows("Next, in a job script");
  const saved = JSON.parse(await Deno.readTextFile(`${world.home}/.euler-files.json`));
  assert.deepEqual(Object.keys(saved), [
    "version",
    "vars",
    "rsync_extra_args",
    "lock_timeout_seconds",
    "skip_if_fresh_seconds",
  ]);
});
