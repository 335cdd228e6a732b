// In an answer every requested item has a result, all failures have one shape, and every name can be read back.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

async function worldWithOneMissing(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/hf", { "a": "12345", "b": "12345" });
  await world.writeTree("home/torch", { "a": "1" });
  const source = (name: string) => ({ source: world.path(`home/${name}`) });
  await world.writeConfig({ vars: { HF_HOME: source("hf"), TORCH_HOME: source("torch") } });
  assert.equal((await world.run(["sync"])).code, 0);
  await Deno.remove(world.path("home/torch"), { recursive: true });
  return world;
}

interface Result {
  readonly name: string;
  readonly status: string;
  readonly error?: unknown;
}

Deno.test("a variable that fails has a result with its error, beside those that succeed", async () => {
  await using world = await worldWithOneMissing();
  await Deno.writeTextFile(world.path("home/hf/c"), "123");
  for (const args of [["sync", "--dry-run", "--force"], ["sync", "--force"]]) {
    const { results, failures, summary } = (await world.run([...args, "--json"])).json();
    const [good, bad] = results as Result[];
    assert.deepEqual([good!.name, good!.error], ["HF_HOME", undefined]);
    assert.deepEqual([bad!.name, bad!.status, bad!.error], ["TORCH_HOME", "source-missing", failures[0]]);
    assert.deepEqual([summary.failed, summary.missing, summary.kept], [1, 0, 0]);
    const planned = args.includes("--dry-run");
    assert.deepEqual([summary.bytes_to_transfer, summary.bytes_transferred], [planned ? 3 : undefined, 3]);
  }
  await Deno.remove(world.path("scratch/.cache/euler-files/TORCH_HOME"), { recursive: true });
  await Deno.writeTextFile(world.path("scratch/.cache/euler-files/TORCH_HOME"), "no directory");
  const pushed = (await world.run(["push", "--json"])).json();
  const [, failed] = pushed.results as Result[];
  assert.deepEqual([failed!.name, failed!.status, failed!.error], ["TORCH_HOME", "failed", pushed.failures[0]]);
  assert.equal(pushed.summary.failed, 1);
});

Deno.test("a dry run names the files that a run would keep", async () => {
  await using world = await worldWithOneMissing();
  await Deno.writeTextFile(world.path("scratch/.cache/euler-files/HF_HOME/a"), "changed on scratch");
  await world.run(["sync", "--var", "HF_HOME", "--force"]);
  for (const force of [[], ["--force"]]) {
    const answers = [];
    for (const dry of [["--dry-run"], []]) {
      answers.push((await world.run(["sync", "--var", "HF_HOME", ...force, ...dry, "--json"])).json());
    }
    const [planned, done] = answers.map(({ results: [{ kept, missing }], summary }) => [kept, missing, summary.kept]);
    assert.deepEqual(planned, done);
    assert.equal(planned![2], 1);
  }
});

Deno.test("an image that is missing in the store has a result", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/sif", { "good.sif": "image" });
  const image = (name: string) => ({ venv_name: name, python_version: "3.11", sif_filename: `${name}.sif` });
  const lost = { ...image("lost"), sif_filename: "lost.sqsh", enabled: false };
  const images = { good: image("good"), gone: image("gone"), lost };
  await world.writeConfig({ apptainer: { sif_store: "~/sif", images } });
  const planned = (await world.run(["apptainer", "sync", "--dry-run", "--json"])).json();
  assert.equal(planned.summary.bytes_to_transfer, 5);
  const { results, failures, summary } = (await world.run(["apptainer", "sync", "--json"])).json();
  assert.deepEqual(results.map(({ name, status }: Result) => [name, status]), [
    ["good", "synced"],
    ["gone", "source-missing"],
  ]);
  assert.deepEqual(results[1].error, failures[0]);
  assert.deepEqual([summary.bytes_transferred, summary.failed], [5, 1]);
  const pack = await world.run(["apptainer", "sync", "--image", "lost"]);
  assert.match(pack.stderr, /hint: make it with `euler-files venv pack lost`/);
});

Deno.test("for a fault of the configuration the answer has its field, line and column", async () => {
  await using world = await makeWorld();
  await world.writeConfig('{\n  "version": 1,\n  "scratch_base": "$SCRATCH",\n  "parallel_jobs": 0\n}\n');
  for (const command of [["sync"], ["status"], ["config", "show"], ["apptainer", "sync"]]) {
    const { code, json } = await world.run([...command, "--json"]);
    const { kind, field, line, column } = json().error;
    assert.deepEqual([code, kind, field, line, column], [2, "config", "parallel_jobs", 4, 20]);
  }
});

Deno.test("an unknown name is the same kind of failure in every command", async () => {
  await using world = await worldWithOneMissing();
  for (const command of ["sync", "push", "diff", "clean", "status", "resolve", "migrate", "remove"]) {
    const { code, json } = await world.run([
      command,
      "NO_SUCH",
      "--json",
      ...command === "migrate" ? ["--to", "x"] : [],
    ]);
    assert.deepEqual([code, json().error.kind], [2, "usage"], command);
  }
});

Deno.test("names that are not UTF-8 are valid text in answers, with their bytes in another field", async () => {
  await using world = await worldWithOneMissing();
  const bytes = Uint8Array.from([0x61, 0xff, 0x62]);
  const create = async (directory: string) => {
    const script = `cd "$1" && printf data > "$(printf 'a\\377b')"`;
    assert.equal((await world.exec("sh", ["-c", script, "-", world.path(directory)])).code, 0);
  };
  await create("home/hf");
  const strict = (text: string) => {
    assert.ok(!/\\ud[89a-f]/i.test(text), text);
    return JSON.parse(text).results[0];
  };
  const planned = strict((await world.run(["sync", "HF_HOME", "--dry-run", "--force", "--json"])).stdout);
  assert.deepEqual([planned.transferred, planned.transferred_bytes], [["a\ufffdb"], [bytes.toBase64()]]);
  await create("scratch/.cache/euler-files/HF_HOME");
  await world.exec("sh", [
    "-c",
    `touch -d '2001-01-01' "$1"/a?b`,
    "-",
    world.path("scratch/.cache/euler-files/HF_HOME"),
  ]);
  const { files: [file] } = strict((await world.run(["diff", "HF_HOME", "--json"])).stdout);
  assert.deepEqual([file.path, file.path_bytes], ["a\ufffdb", bytes.toBase64()]);
});
