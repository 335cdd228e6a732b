// What tests of `migrate` have in common: a cache worth moving, and an rsync that misbehaves at a chosen moment.
import assert from "node:assert/strict";
import { readTree } from "./tree.ts";
import { type Fault, faultyCalls } from "./faulty_calls.ts";
import { type Ended, runInProcess } from "./in_process.ts";
import { makeWorld, type RunAs, type World } from "./world.ts";

/** The files of the cache: nested, linked and with unusual names. */
export const CACHE = {
  "models/weights.bin": "weights",
  "models/latest": { link: "weights.bin" },
  "blobs/a b\n'c'": "odd name",
  "-rf": "dash",
  ".hidden/empty": "",
} as const;

/**
 * A world with {@linkcode CACHE} in `home/hf` and a configuration that has HF_HOME there, with a comment that must
 * stay. The engine is rsync, so that a test can put a script in its place.
 */
export async function makeCacheWorld(options: { readonly runAs?: RunAs } = {}): Promise<World> {
  const world = await makeWorld(options);
  await world.writeTree("home/hf", CACHE);
  await Deno.link(world.path("home/hf/models/weights.bin"), world.path("home/hf/models/again.bin"));
  await world.writeConfig(`{
  "version": 1, // kept
  "scratch_base": "$SCRATCH",
  "engine": "rsync",
  "lock_timeout_seconds": 1,
  "vars": { "HF_HOME": { "source": "${world.path("home/hf")}", "note": "unknown, kept" } }
}
`);
  return world;
}

/** The texts of {@linkcode CACHE} as they are read back. */
export const CACHE_TEXTS: Readonly<Record<string, string>> = {
  "models/weights.bin": "weights",
  "models/again.bin": "weights",
  "models/latest": "→ weights.bin",
  "blobs/a b\n'c'": "odd name",
  "-rf": "dash",
  ".hidden/empty": "",
};

/** The configuration without its comments. */
// deno-lint-ignore no-explicit-any -- tests look into it as they like
export async function readConfig(world: World): Promise<any> {
  const text = await Deno.readTextFile(`${world.home}/.euler-files.json`);
  return JSON.parse(text.replace(/\/\/.*$/gm, ""));
}

/** Asserts that cache and configuration are as they were. */
export async function assertUntouched(world: World): Promise<void> {
  assert.deepEqual(await readTree(world.path("home/hf")), CACHE_TEXTS);
  const config = await readConfig(world);
  assert.equal(config.vars.HF_HOME.source, world.path("home/hf"));
  assert.equal(config.migrations, undefined);
}

/** Asserts that HF_HOME is in that directory, with all its files, and that nothing else is left. */
export async function assertMoved(world: World, to: string): Promise<void> {
  assert.deepEqual(await readTree(to), CACHE_TEXTS);
  const config = await readConfig(world);
  assert.equal(config.vars.HF_HOME.source, to);
  assert.equal(config.migrations.length, 1);
  const { migrated_at, ...entry } = config.migrations[0];
  assert.ok(Math.abs(migrated_at - Date.now() / 1000) < 600);
  assert.deepEqual(entry, {
    old_path: world.path("home/hf"),
    new_path: to,
    field_name: "source",
    var_name: "HF_HOME",
  });
  assert.deepEqual(await namesBeside(world), ["hf"].filter((name) => to.endsWith(`home/${name}`)));
}

/** The visible names in HOME: the old directory, or its name after a rename. A journal is listed, too. */
export async function namesBeside(world: World): Promise<string[]> {
  const names = (await Array.fromAsync(Deno.readDir(world.home))).map(({ name }) => name);
  return names.filter((name) => !name.startsWith(".") || /migrate-[A-Za-z_]+$/.test(name)).sort();
}

/**
 * Puts an rsync first on the PATH that runs a piece of shell script before it does its work, or instead of it if that
 * exits.
 */
export async function hookRsync(
  world: World,
  hooks: { readonly beforeCopy: string },
): Promise<void> {
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh
case "$*" in
  *--version*) ;;
  *) ${hooks.beforeCopy} ;;
esac
PATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"
`,
  );
}

/**
 * Runs a migration of HF_HOME with `--yes --json` in this process and does something at the first system call that
 * concerns the old directory after the switch.
 */
export async function migrateHooked(world: World, to: string, onOldDirectory: () => Fault | undefined): Promise<Ended> {
  let isDone = false;
  const { calls } = faultyCalls(({ path }) => {
    if (isDone || !path.includes("/hf.migrated-")) return undefined;
    isDone = true;
    return onOldDirectory();
  });
  const surroundings = { env: world.env, userId: Deno.uid()!, calls };
  return await runInProcess(["migrate", "HF_HOME", "--to", to, "--yes", "--json"], surroundings);
}

/** Removes the hook. */
export async function unhookRsync(world: World): Promise<void> {
  await Deno.remove(world.path("fakes/rsync"));
}
