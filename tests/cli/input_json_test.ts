// --input-json accepts the same JSON as the configuration, and no part of it is ignored without a message.
import assert from "node:assert/strict";
import { runInProcess } from "../support/in_process.ts";
import { makeWorld } from "../support/world.ts";

/**
 * Runs a dry `sync` with a configuration that does not exist: the request is read before the configuration is looked
 * for.
 */
async function requestError(stdin: string): Promise<{ kind: string; message: string; hint: string }> {
  const args = ["sync", "--input-json", "-", "--json", "--config", "/nonexistent/config.json"];
  return JSON.parse((await runInProcess(args, { stdin })).stdout).error;
}

Deno.test("comments, trailing commas and a byte order mark are accepted", async () => {
  const { kind, message } = await requestError('\ufeff{ // what to sync\n  "vars": ["HF_HOME",], /* and how */\n}');
  assert.deepEqual([kind, message], ["not-found", 'Cannot find the configuration "/nonexistent/config.json"']);
});

Deno.test("an error about the request has its line and column", async () => {
  const cases: [string, string, string][] = [
    ["", "bad-json", "Cannot read the request from standard input (line 1, column 1): it is empty"],
    ['{\n  "vars" ["A"]\n}', "bad-json", "line 2, column 10): a colon is expected here"],
    ['{"vars": []} x', "bad-json", "(line 1, column 14): "],
    ['{"vars": ["A"],\n "vars": []}', "usage", "(line 2, column 2): vars is given twice"],
    ['{"filter": [], "to": {"a": 1, "a": 1}}', "usage", "to.a is given twice"],
    ['{"vars": ["A"], "only_vars": []}', "usage", '"only_vars" is an older name of "vars", and they differ'],
    ['{"__proto__": ["A"]}', "usage", 'Unknown field "__proto__" in the request for `euler-files sync`'],
    ["[]", "usage", "expected an object, got a list"],
  ];
  for (const [stdin, kind, words] of cases) {
    const error = await requestError(stdin);
    assert.ok(error.kind === kind && error.message.includes(words), `${stdin}: ${error.kind}: ${error.message}`);
  }
});

Deno.test("two names of one field may have the same value", async () => {
  assert.equal((await requestError('{"vars": ["A"], "only_vars": ["A"]}')).kind, "not-found");
});

Deno.test("the configuration with its comments is a valid request for init", async () => {
  await using world = await makeWorld();
  const text = '{ // annotated\n  "version": 1,\n  "scratch_base": "$SCRATCH",\n  "vars": {},\n}\n';
  const { code, json } = await world.run(["init", "--input-json", "-", "--json"], { stdin: text });
  assert.deepEqual([code, json().config.scratch_base], [0, "$SCRATCH"]);
});

Deno.test("variables may have the names that every JavaScript object has", async () => {
  await using world = await makeWorld();
  const names = ["__proto__", "constructor", "prototype", "toString"];
  for (const name of names) await world.writeTree(`home/${name}`, { file: name });
  const entries = names.map((name) => `"${name}": {"source": "~/${name}"}`).join(", ");
  const stdin = `{"scratch_base": "$SCRATCH", "vars": {${entries}}}`;
  const saved = await world.run(["init", "--input-json", "-", "--json"], { stdin });
  assert.deepEqual(Object.keys(saved.json().config.vars), names.toSorted());
  const synced = await world.run(["sync", "--json"]);
  assert.equal(synced.code, 0, synced.stdout);
  assert.deepEqual(Object.keys(synced.json().exports).toSorted(), names.toSorted());
  assert.equal(await Deno.readTextFile(`${world.scratch}/.cache/euler-files/__proto__/file`), "__proto__");
  const given = await world.run(["exec", "--", "sh", "-c", 'cat "$constructor/file"']);
  assert.equal(given.stdout, "constructor");
  const wrong = await world.run(["init", "--input-json", "-", "--json"], {
    stdin: '{"vars": {"__proto__": {"source": ""}}}',
  });
  assert.match(wrong.json().error.message, /vars\.__proto__\.source.*must not be empty/);
});

Deno.test("config set takes a string from JSON as it is, and parses only the argument of the command line", async () => {
  await using world = await makeWorld();
  await world.writeConfig({});
  const set = async (value: unknown) => {
    const stdin = JSON.stringify({ field: "uv_cache_dir", value });
    return await world.run(["config", "set", "--input-json", "-", "--json"], { stdin });
  };
  assert.equal((await set("8")).json().value, "8");
  assert.equal((await set("null")).json().value, "null");
  assert.equal((await set(null)).json().value, null);
  assert.equal((await world.run(["config", "set", "parallel_jobs", "8", "--json"])).json().value, 8);
  assert.equal((await world.run(["config", "set", "parallel_jobs", "null", "--json"])).json().value, null);
});
