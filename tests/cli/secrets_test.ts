// Tokens, passwords and private keys stay at the source: they are neither staged nor pushed nor counted, and a target
// that has some is reported.
import assert from "node:assert/strict";
import { ENGINES } from "../../src/variables/variable.ts";
import { findClientPython } from "../../scripts/prepare_clients.ts";
import { makeWorld, type World } from "../support/world.ts";
import { HUB_REASON } from "../clients/hub_reader.ts";
import { testUnless } from "../support/needs.ts";

const SOURCE = "home/.cache/huggingface";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

const SECRETS = { "token": "hf_secret", "stored_tokens": "[main]\nhf_token = hf_secret\n", "auth.json": "{}" };

/** Names that look alike and are data. */
const DATA = {
  "hub/models--a/snapshots/1/tokenizer.json": "{}",
  "hub/models--a/snapshots/1/special_tokens_map.json": "{}",
  "hub/models--a/snapshots/1/token": "a word",
  "datasets/words/token": "a word",
  "datasets/words/.netrc": "an example",
  "modules/site-packages/certifi/cacert.pem": "certificates",
  "modules/site-packages/asyncssh/test/private_key.pem": "of a test",
  "cacert.pem": "certificates",
  "credentials/README": "a directory of data",
};

async function worldWith(variable: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeConfig({ vars: { HF_HOME: { source: "~/.cache/huggingface", ...variable } } });
  await world.writeTree(SOURCE, { ...SECRETS, ...DATA });
  return world;
}

async function names(world: World, directory: string): Promise<string[]> {
  const { stdout } = await world.exec("find", [world.path(directory), "-type", "f", "-printf", "%P\n"]);
  return stdout.split("\n").filter((name) => name !== "").toSorted();
}

for (const engine of ENGINES.filter((engine) => engine !== "auto")) {
  Deno.test(`secrets at the top of a source are not staged, files of the same name below are (${engine})`, async () => {
    await using world = await worldWith();
    const { variables: [before] } = (await world.run(["status", "--measure", "--json"])).json();
    assert.equal(before.source_bytes, Object.values(DATA).join("").length);
    const synced = await world.run(["sync", "--engine", engine]);
    assert.equal(synced.code, 0, synced.stderr);
    assert.deepEqual(await names(world, TARGET), Object.keys(DATA).toSorted());
    assert.ok(!synced.stderr.includes("secret"), synced.stderr);
    assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "skipped");

    // A job logged in with an older client: its token is not pushed, and the token at the source stays.
    await world.writeTree(TARGET, { "token": "hf_of_a_job", "new": "1" });
    const pushed = await world.run(["push", "--engine", engine]);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.deepEqual(await names(world, SOURCE), [...Object.keys({ ...SECRETS, ...DATA }), "new"].toSorted());
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/token`)), "hf_secret");
    assert.equal((await world.run(["sync", "--engine", engine, "--force"])).code, 0);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/token`)), "hf_of_a_job");
  });
}

Deno.test("a secret on scratch is named by sync and status, with the command that removes it", async () => {
  await using world = await worldWith({ preset_exclude_secrets: [] });
  assert.equal((await world.run(["sync"])).code, 0);
  assert.deepEqual(await names(world, TARGET), Object.keys({ ...SECRETS, ...DATA }).toSorted());

  await world.writeConfig({ vars: { HF_HOME: { source: "~/.cache/huggingface" } } });
  await Deno.remove(world.path(`${SOURCE}/stored_tokens`));
  const commandIn = (text: string) => /out: `([^`]*)`/.exec(text)?.[1];
  const dry = (await world.run(["sync", "--dry-run", "--json"])).json().results[0];
  const first = (await world.run(["sync", "--json"])).json().results[0];
  assert.match(first.warnings.join(), /auth\.json, stored_tokens, token in the copy hold secrets and are not synced/);
  assert.deepEqual(dry.warnings, first.warnings);
  const again = await world.run(["sync"]);
  assert.match(again.stderr, /token in the copy hold secrets/);
  assert.match(again.stderr, /fresh/);
  const status = await world.run(["status"]);
  const commands = [commandIn(again.stderr), commandIn(status.stderr)];
  assert.equal(commands[0], commands[1]);
  assert.ok(commands[0] !== undefined, again.stderr);

  // The command keeps the one that the source no longer has.
  assert.equal((await world.shell("bash", commands[0])).code, 0);
  assert.deepEqual(await names(world, TARGET), Object.keys(DATA).toSorted());
  assert.deepEqual(await names(world, SOURCE), Object.keys({ ...SECRETS, ...DATA }).toSorted());
  for (const args of [["sync"], ["sync"], ["status"]]) {
    const quiet = await world.run(args);
    assert.ok(!quiet.stderr.includes("secrets"), quiet.stderr);
  }

  // A login with an older client, noticed by a sync that has nothing to copy.
  await world.writeTree(TARGET, { "token": "hf_of_a_job" });
  assert.match((await world.run(["sync"])).stderr, /token in the copy holds secrets and is not synced/);
});

Deno.test("config show prints the patterns, and one line of the configuration stages secrets", async () => {
  await using world = await worldWith();
  const shown = JSON.parse((await world.run(["config", "show"])).stdout).vars.HF_HOME.preset_exclude_secrets;
  assert.ok(
    ["/token", "/stored_tokens", "/.netrc", "/*key.pem"].every((pattern) => shown.includes(pattern)),
    `${shown}`,
  );
  assert.equal((await world.run(["config", "set", "vars.HF_HOME.preset_exclude_secrets", "[]"])).code, 0);
  const { exports } = (await world.run(["sync", "--json"])).json();
  assert.deepEqual(Object.keys(exports), ["HF_HOME"]);
  assert.deepEqual(await names(world, TARGET), Object.keys({ ...SECRETS, ...DATA }).toSorted());
});

Deno.test("HF_TOKEN_PATH points to the source, unless the user sets it", async () => {
  await using world = await worldWith();
  const token = world.path(`${SOURCE}/token`);
  const pathWith = async (env: Record<string, string>, args: readonly string[] = []) =>
    (await world.run(["sync", "--json", ...args], { env })).json().exports.HF_TOKEN_PATH;
  const shell = await world.shell("bash", 'eval "$(euler-files sync)"; printf %s "$HF_TOKEN_PATH"');
  assert.equal(shell.stdout, token);
  const { stdout } = await world.run(["exec", "--", "printenv", "HF_TOKEN_PATH"]);
  assert.equal(stdout.trim(), token);
  assert.equal(await pathWith({ HF_TOKEN_PATH: token }), token);
  assert.equal(await pathWith({ HF_TOKEN_PATH: "/elsewhere/token" }), undefined);
  const node = await world.run(["sync", "--json", "--to", "node"], { env: { TMPDIR: world.path("tmp") } });
  assert.equal(node.json().exports.HF_TOKEN_PATH, token);
  // The exports that the run would set.
  assert.equal(await pathWith({}, ["--dry-run"]), token);

  // A value that was exported before a migration does not count as set by the user.
  assert.equal((await world.run(["migrate", "HF_HOME", "--to", world.path("home/project/hf"), "--yes"])).code, 0);
  assert.equal(await pathWith({ HF_TOKEN_PATH: token }), world.path("home/project/hf/token"));
  assert.equal(await Deno.readTextFile(world.path("home/project/hf/token")), "hf_secret");
});

Deno.test("HF_TOKEN_PATH points to the source of a part, and to the Hugging Face part of XDG_CACHE_HOME", async () => {
  await using world = await makeWorld();
  const vars = { XDG_CACHE_HOME: { source: "~/.cache" }, HF_HOME: { source: "~/.cache/hf" } };
  await world.writeConfig({ vars });
  for (const directory of ["hf", "huggingface"]) {
    await world.writeTree(`home/.cache/${directory}`, { "token": "hf_secret", "data": "1" });
  }
  const pathWith = async (env: Record<string, string>) =>
    (await world.run(["sync", "--json"], { env })).json().exports.HF_TOKEN_PATH;
  assert.equal(await pathWith({}), world.path("home/.cache/hf/token"));
  const copy = "scratch/.cache/euler-files/XDG_CACHE_HOME";
  assert.deepEqual(await names(world, copy), ["hf/data", "huggingface/data"]);
  await world.writeConfig({ vars: { XDG_CACHE_HOME: vars.XDG_CACHE_HOME } });
  assert.equal(await pathWith({}), world.path("home/.cache/huggingface/token"));
  assert.equal(await pathWith({ HF_HOME: "/elsewhere" }), undefined);
});

testUnless(HUB_REASON, "huggingface_hub finds its token with the exports of a sync", async () => {
  await using world = await worldWith();
  const python = findClientPython()!;
  const program = "from huggingface_hub import get_token, constants; print(get_token(), constants.HF_HOME)";
  const told = await world.shell("bash", `eval "$(euler-files sync)"; ${python} -c '${program}'`);
  assert.equal(told.stdout.trim(), `hf_secret ${world.path(TARGET)}`);
  const login = "from huggingface_hub import constants; from huggingface_hub.utils._auth import _write_secret; " +
    'from pathlib import Path; _write_secret(Path(constants.HF_TOKEN_PATH), "hf_new")';
  assert.equal((await world.shell("bash", `eval "$(euler-files sync)"; ${python} -c '${login}'`)).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/token`)), "hf_new");
  assert.ok(!(await names(world, TARGET)).includes("token"));
});
