// `--progress json`: every line of stderr is one JSON object that fits the published schema.
import assert from "node:assert/strict";
import { runInProcess } from "../support/in_process.ts";
import { validator } from "../support/json_schema.ts";
import { makeWorld } from "../support/world.ts";

async function linesOf(stderr: string): Promise<Record<string, unknown>[]> {
  const { stdout } = await runInProcess(["schema", "--kind", "progress", "--bare"]);
  const isValid = validator(JSON.parse(stdout));
  return stderr.trimEnd().split("\n").map((line) => {
    const event: Record<string, unknown> = JSON.parse(line);
    assert.ok(isValid(event), `${line}\n${JSON.stringify(isValid.errors)}`);
    return event;
  });
}

Deno.test("progress, results and warnings are JSON lines, with and without --json", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "a": "12345", "token": "secret" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  for (const json of [[], ["--json"]]) {
    const { code, stdout, stderr } = await world.run(["sync", "--force", "--progress", "json", ...json], {
      env: { FORCE_COLOR: "1" },
    });
    assert.equal(code, 0);
    const lines = await linesOf(stderr);
    const done = lines.find(({ event }) => event === "done");
    assert.equal(done?.subject, "HF_HOME");
    if (json.length === 0) {
      assert.match(stdout, /^export HF_HOME=/m);
      const progress = lines.find(({ event }) => event === "progress");
      assert.ok(progress !== undefined && typeof progress.files_done === "number", stderr);
    }
  }
});

Deno.test("an error is a JSON line, and an unknown form of progress is refused", async () => {
  await using world = await makeWorld();
  const { code, stderr } = await world.run(["status", "--progress=json"]);
  const [line] = await linesOf(stderr);
  assert.deepEqual([code, line!.event, line!.kind], [2, "error", "not-found"]);
  const wrong = await world.run(["status", "--progress", "xml", "--json"]);
  assert.deepEqual([wrong.code, wrong.json().error.field], [2, "progress"]);
});

Deno.test("--quiet keeps warnings and errors", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "a": "12345" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  assert.equal((await world.run(["sync", "--progress", "json", "--quiet"])).stderr, "");
});
