// `exports` of a variable: they are set and unset with the variable, and a reserved or managed name is refused.
import assert from "node:assert/strict";
import { makeWorld } from "../support/world.ts";

Deno.test("extra exports are set and unset with their variable", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { model: "x" });
  const exports = { HF_HUB_OFFLINE: "1", GREETING: "it's $HOME" };
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf", exports }, PIP_CACHE_DIR: { mode: "redirect" } } });
  const { stdout } = await world.shell(
    "bash",
    'eval "$(euler-files sync)"; echo "$HF_HUB_OFFLINE|$GREETING"; eval "$(euler-files unload)"; echo "${HF_HUB_OFFLINE-unset}"',
  );
  assert.equal(stdout, "1|it's $HOME\nunset\n");
  const others = (await world.run(["sync", "PIP_CACHE_DIR", "--json"])).json().exports;
  assert.deepEqual(Object.keys(others), ["PIP_CACHE_DIR"]);
  assert.equal((await world.run(["exec", "--", "sh", "-c", "echo $HF_HUB_OFFLINE"])).stdout, "1\n");
});

Deno.test("after a sync that fails, and after unload of the variable, what was set with it is as it was before", async () => {
  await using world = await makeWorld();
  await world.writeTree("home", { "hf/model": "x", "torch/model": "y" });
  const exports = { HF_HUB_OFFLINE: "1", GREETING: "new", SHARED: "s" };
  const vars = {
    HF_HOME: { source: "~/hf", exports },
    TORCH_HOME: { source: "~/torch", exports: { SHARED: "s" } },
  };
  await world.writeConfig({ vars });
  const tell = 'echo "${HF_HOME-unset}|${HF_HUB_OFFLINE-unset}|$GREETING|${SHARED-unset}"';
  const sync = 'eval "$(euler-files sync)"';
  const failed = await world.shell(
    "bash",
    `export GREETING=old; ${sync}; rm -r ~/hf; ${sync}; ${tell}; eval "$(euler-files unload)"; ${tell}`,
  );
  assert.equal(failed.stdout, "unset|unset|old|s\nunset|unset|old|unset\n");
  await world.writeTree("home", { "hf/model": "x" });
  const unloaded = await world.shell(
    "bash",
    `export GREETING=old; ${sync}; eval "$(euler-files unload HF_HOME)"; ${tell}; ` +
      `eval "$(euler-files unload TORCH_HOME)"; ${tell}`,
  );
  assert.equal(unloaded.stdout, "unset|unset|old|s\nunset|unset|old|unset\n");
});

Deno.test("reserved, managed and contradicting exports are refused with the field that is wrong", async () => {
  await using world = await makeWorld();
  const cases: [Record<string, Record<string, string>>, string][] = [
    [{ A_HOME: { PATH: "/x" } }, "vars.A_HOME.exports.PATH must not be managed: it decides which programs are found"],
    [
      { A_HOME: { B_HOME: "/x" }, B_HOME: {} },
      "vars.A_HOME.exports.B_HOME must not be set here: B_HOME is a managed variable itself",
    ],
    [{ A_HOME: { X: "1" }, B_HOME: { X: "2" } }, "vars.B_HOME.exports.X contradicts vars.A_HOME.exports.X"],
    [{ A_HOME: { X: "1\n2" } }, "vars.A_HOME.exports.X must be one line of text"],
  ];
  for (const [all, words] of cases) {
    const vars = Object.fromEntries(
      Object.entries(all).map(([name, exports]) => [name, { source: `/data/${name}`, exports }]),
    );
    await world.writeConfig({ vars });
    const { code, json } = await world.run(["sync", "--json"]);
    assert.deepEqual([code, json().error.kind], [2, "config"]);
    assert.ok(json().error.message.includes(words), json().error.message);
  }
});
