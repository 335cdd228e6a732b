// `apptainer sync`, `run`, `exec`, `list`: an image in the store, its copy on scratch, and how a program in it is
// started.
import assert from "node:assert/strict";
import { type ImageWorld, makeImageWorld, namesIn, venvTree } from "../support/image_world.ts";

const SYNC = ["apptainer", "sync"];

async function makeBuilt(): Promise<ImageWorld> {
  const images = await makeImageWorld();
  const run = await images.world.run(["apptainer", "build", "env"]);
  assert.equal(run.code, 0, run.stderr);
  return images;
}

// deno-lint-ignore no-explicit-any
async function syncJson({ world }: ImageWorld, ...args: string[]): Promise<any> {
  return (await world.run([...SYNC, ...args, "--json"])).json();
}

Deno.test("sync copies an image once, with a marker and a lock beside it and no partial file", async () => {
  await using images = await makeBuilt();
  const first = await syncJson(images);
  assert.deepEqual([first.ok, first.results[0].status], [true, "synced"]);
  assert.deepEqual(await namesIn(images.scratchStore), [".env.sif.lock", ".env.sif.synced", "env.sif"]);
  assert.deepEqual(
    await Deno.readFile(`${images.scratchStore}/env.sif`),
    await Deno.readFile(`${images.store}/env.sif`),
  );
  assert.equal((await syncJson(images)).results[0].status, "skipped");
  assert.equal((await syncJson(images, "--force")).results[0].status, "synced");
});

Deno.test("a copy that was truncated, emptied or replaced is noticed, however new its time is", async () => {
  await using images = await makeBuilt();
  const target = `${images.scratchStore}/env.sif`;
  const content = await Deno.readFile(`${images.store}/env.sif`);
  const damages = [
    () => Deno.truncate(target, 100),
    () => Deno.remove(target),
    () => Deno.writeTextFile(target, "x".repeat(content.length)),
  ];
  for (const damage of damages) {
    await syncJson(images);
    await damage();
    assert.equal((await syncJson(images)).results[0].status, "synced");
    assert.deepEqual(await Deno.readFile(target), content);
  }
});

Deno.test("an older image that was put back into the store is copied, with a warning that it is not the one that was built", async () => {
  await using images = await makeBuilt();
  await syncJson(images);
  const source = `${images.store}/env.sif`;
  await Deno.writeTextFile(source, "an older image");
  await Deno.utime(source, new Date("2020-01-01"), new Date("2020-01-01"));
  await images.world.handOver();
  const run = await images.world.run(SYNC);
  assert.equal(run.code, 0);
  assert.match(run.stderr, /is not the file that was built/);
  assert.equal(await Deno.readTextFile(`${images.scratchStore}/env.sif`), "an older image");
});

Deno.test("an image that was damaged in the store is not copied to scratch", async () => {
  await using images = await makeBuilt();
  const source = `${images.store}/env.sif`;
  const { mtime } = await Deno.stat(source);
  const bytes = await Deno.readFile(source);
  bytes[1000]! ^= 1;
  await Deno.writeFile(source, bytes);
  await Deno.utime(source, mtime!, mtime!);
  const run = await images.world.run([...SYNC, "--json"]);
  assert.deepEqual([run.code, run.json().ok, run.json().failures[0].kind], [1, false, "transfer"]);
  assert.deepEqual(await namesIn(images.scratchStore), [".env.sif.lock"]);
});

Deno.test("the partial copy of another image is not continued", async () => {
  await using images = await makeBuilt();
  await Deno.mkdir(images.scratchStore, { recursive: true });
  await Deno.writeTextFile(`${images.scratchStore}/.env.sif.partial`, "the beginning of an earlier build");
  const { results: [result] } = await syncJson(images);
  assert.deepEqual([result.status, result.bytes_resumed], ["synced", 0]);
});

Deno.test("several images are synced, disabled ones only by name, and a mistyped name is an error", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  await world.writeTree("home/venvs/two", venvTree(world.path("home/venvs/two")));
  await world.run(["apptainer", "build", "two"]);
  await world.run(["config", "set", "apptainer.images.two.enabled", "false"]);
  // deno-lint-ignore no-explicit-any
  const names = async (...args: string[]) => (await syncJson(images, ...args)).results.map((one: any) => one.name);
  assert.deepEqual(await names(), ["env"]);
  assert.deepEqual(await names("--image", "two"), ["two"]);
  const typo = await world.run([...SYNC, "--image", "tow"]);
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /did you mean "two"/);
});

Deno.test("an image that is missing in the store is a failure that says how to build it", async () => {
  await using images = await makeBuilt();
  await Deno.remove(`${images.store}/env.sif`);
  const run = await images.world.run(SYNC);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /hint: make it with `euler-files apptainer build env`/);
});

Deno.test("a dry run of sync makes no directory", async () => {
  await using images = await makeBuilt();
  assert.equal((await syncJson(images, "--dry-run")).results[0].status, "dry-run");
  assert.deepEqual(await namesIn(images.world.scratch), []);
});

Deno.test("run copies the image to scratch, passes the staged variables to the program and ends with the program's exit code", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  await world.writeTree("home/hf", { "model": "weights" });
  await world.run(["init", "--input-json", "-"], { stdin: JSON.stringify({ vars: { HF_HOME: { source: "~/hf" } } }) });
  await world.run(["sync"]);
  await images.turn("code", "7");
  const run = await world.run(["apptainer", "run", "env", "--", "train.py", "--lr", "0.1"]);
  assert.equal(run.code, 7);
  const target = world.path("scratch/.cache/euler-files/HF_HOME");
  assert.equal(
    run.stdout,
    `run --bind ${world.scratch} ${images.scratchStore}/env.sif train.py --lr 0.1\nAPPTAINERENV_HF_HOME=${target}\n`,
  );
  const json = await world.run(["apptainer", "exec", "--json", "env", "pip"]);
  assert.deepEqual([json.code, json.json().exit_code, json.json().synced], [7, 7, false]);
});

Deno.test("run gives the container the token from the source, because it is not on scratch", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  await world.writeTree("home/hf", { "model": "weights", "token": "hf_secret" });
  await world.run(["init", "--input-json", "-"], { stdin: JSON.stringify({ vars: { HF_HOME: { source: "~/hf" } } }) });
  await world.run(["sync"]);
  const run = await world.run(["apptainer", "run", "env", "--dry-run"]);
  const token = world.path("home/hf/token");
  assert.match(
    run.stdout,
    new RegExp(`APPTAINERENV_HF_TOKEN_PATH=${token} .*--bind ${token} --bind ${world.scratch} `),
  );
  const own = await world.run(["apptainer", "run", "env", "--dry-run"], { env: { HF_TOKEN_PATH: "/elsewhere" } });
  assert.doesNotMatch(own.stdout, /HF_TOKEN_PATH|token/);
});

Deno.test("a signal goes to the program in the container, which decides how it ends", async () => {
  await using images = await makeBuilt();
  await images.turn("slow", "");
  await using job = images.world.start(["apptainer", "run", "env"]);
  await job.seen("ready");
  job.kill("SIGTERM");
  assert.equal((await job.ended).code, 143);
});

Deno.test("a variable that is not staged is passed on unchanged", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  const vars = { HF_HOME: { source: "~/hf" } };
  await world.run(["init", "--input-json", "-"], { stdin: JSON.stringify({ vars }) });
  await world.writeTree("scratch/.cache/euler-files/HF_HOME", { "half": "a purge left this" });
  const run = await world.run(["apptainer", "run", "env", "--dry-run"]);
  assert.ok(!run.stdout.includes("HF_HOME"), run.stdout);
});

Deno.test("list says for each image whether it is up to date and on scratch", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  const states = async () => {
    const { images: [image] } = (await world.run(["apptainer", "list", "--json"])).json();
    return [image.state, image.on_scratch];
  };
  assert.deepEqual(await states(), ["up to date", "missing"]);
  await world.run(SYNC);
  await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/new-1.dist-info/RECORD": "" });
  assert.deepEqual(await states(), ["outdated", "fresh"]);
  await Deno.remove(world.path("home/venvs/env"), { recursive: true });
  assert.deepEqual(await states(), ["no environment", "fresh"]);
});

Deno.test("--to node copies by way of scratch to the disk of the node, and a container gets the caches there", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  const root = world.path(`tmp/euler-files-${Deno.uid()}`);
  assert.deepEqual((await syncJson(images, "--to", "node", "--dry-run")).results[0].target, `${root}/sif/env.sif`);
  const first = await syncJson(images, "--to", "node");
  assert.deepEqual([first.results[0].status, first.results[0].target], ["synced", `${root}/sif/env.sif`]);
  const image = await Deno.readFile(`${images.store}/env.sif`);
  for (const store of [images.scratchStore, `${root}/sif`]) {
    assert.deepEqual(await Deno.readFile(`${store}/env.sif`), image);
  }
  assert.equal((await syncJson(images, "--to", "node")).results[0].status, "skipped");

  // A copy that was damaged on scratch does not get to the node.
  await Deno.remove(`${root}/sif/env.sif`);
  const { mtime } = await Deno.stat(`${images.scratchStore}/env.sif`);
  await Deno.writeFile(`${images.scratchStore}/env.sif`, image.with(0, image[0]! ^ 1));
  await Deno.utime(`${images.scratchStore}/env.sif`, mtime!, mtime!);
  const damaged = await syncJson(images, "--to", "node");
  assert.equal(damaged.ok, false);
  assert.ok(!(await namesIn(`${root}/sif`)).includes("env.sif"));
  await syncJson(images, "--force");

  await world.writeTree("home/hf/hub", { a: "a" });
  await world.run(["config", "set", "vars.HF_HOME.source", world.path("home/hf")]);
  await world.run(["sync", "--to", "node"]);
  const run = (await world.run(["apptainer", "exec", "env", "--to", "node", "--json", "--", "true"])).json();
  assert.deepEqual([run.ok, run.image, run.exports.HF_HOME], [true, `${root}/sif/env.sif`, `${root}/HF_HOME`]);
});

Deno.test("a node that sees another copy of an image on scratch than the script of its job, or none, fails", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  await syncJson(images);
  const { sif_sha256 } = await images.record("env");
  const asNode = async (sha256: string) => {
    const request = { images: ["env"], to: "node", leg: "scratch-to-node", scratch_images: { env: sha256 } };
    return (await world.run([...SYNC, "--input-json", "-", "--json"], { stdin: JSON.stringify(request) })).json();
  };
  const other = await asNode("0".repeat(64));
  assert.match(other.failures[0].message, /^Cannot copy "env" to this node: it sees another copy on scratch at "/);
  const marker = `${images.scratchStore}/.env.sif.synced`;
  await Deno.rename(marker, `${marker}.aside`);
  const none = await asNode(sif_sha256);
  assert.match(none.failures[0].message, /^Cannot copy "env" to this node: it sees no copy on scratch at "/);
  assert.deepEqual(await namesIn(world.path(`tmp/euler-files-${Deno.uid()}/sif`)), []);
  await Deno.rename(`${marker}.aside`, marker);
  assert.deepEqual((await asNode(sif_sha256)).results[0].status, "synced");
});
