// `apptainer run|exec|shell` passes on what Apptainer itself would: arguments, options, signals, scratch and the
// working directory.
import assert from "node:assert/strict";
import { type ImageWorld, makeImageWorld } from "../support/image_world.ts";

async function makeBuilt(): Promise<ImageWorld> {
  const images = await makeImageWorld();
  const run = await images.world.run(["apptainer", "build", "env"]);
  assert.equal(run.code, 0, run.stderr);
  return images;
}

/** The command that euler-files would start. */
async function commandOf({ world }: ImageWorld, ...args: string[]): Promise<string[]> {
  const [verb, ...rest] = args;
  const run = await world.run(["apptainer", verb!, "--dry-run", "--json", ...rest]);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  return run.json().container_command.slice(1);
}

Deno.test("arguments of the program arrive unchanged: empty ones, options that euler-files has too, a second --", async () => {
  await using images = await makeBuilt();
  const words = ["prog", "", "--json", "--dry-run", "-B", "x y", "--", "--help"];
  for (const before of [[], ["--"]]) {
    const command = await commandOf(images, "exec", "env", ...before, ...words);
    assert.deepEqual(command.slice(-words.length), words);
  }
  const run = await images.world.run(["apptainer", "run", "env", "train.py", "--lr", "0.1"]);
  assert.match(run.stdout, /env\.sif train\.py --lr 0\.1\n/);
});

Deno.test("options for Apptainer come from the command line and the configuration", async () => {
  await using images = await makeBuilt();
  const edit = ["config", "set", "apptainer.run_args", '["--no-home", "--env", "A=b"]'];
  assert.equal((await images.world.run(edit)).code, 0);
  const command = await commandOf(images, "exec", "--nv", "--cleanenv", "--run-arg", "--writable-tmpfs", "env", "true");
  const options = command.slice(1, command.indexOf(`${images.scratchStore}/env.sif`)).join(" ");
  for (const part of ["--nv", "--no-home --env A=b", "--cleanenv", "--writable-tmpfs"]) {
    assert.ok(options.includes(part), options);
  }
  assert.equal(command.filter((word) => word === "--nv").length, 1);
});

Deno.test("the whole of scratch is bound, so that a working directory on it exists in the container", async () => {
  await using images = await makeBuilt();
  const command = await commandOf(images, "exec", "env", "true");
  assert.equal(command[command.indexOf("--bind") + 1], images.world.scratch);
});

Deno.test("signals that a job gets as a request reach the program, as well as signals that end it", async () => {
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGWINCH", "SIGCONT", "SIGXCPU", "SIGALRM"] as const) {
    await using images = await makeBuilt();
    const { world } = images;
    await world.fakeProgram(
      "apptainer",
      `#!/bin/sh\ntrap 'echo got; exit 9' ${signal.slice(3)}\necho ready\nfor i in $(seq 1200); do sleep 0.05; done\n`,
    );
    await using job = world.start(["apptainer", "exec", "env", "true"]);
    await job.seen("ready");
    job.kill(signal);
    const ended = await job.ended;
    assert.deepEqual([ended.code, ended.signal, ended.stdout], [9, null, "ready\ngot\n"], signal);
  }
});

Deno.test("a signal that is only a request, while the image is still copied, ends nothing and is reported", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  await Deno.mkdir(world.path("scratch/sif"), { recursive: true });
  // This process holds the lock of the copy for a moment.
  const holder = await Deno.open(world.path("scratch/sif/.env.sif.lock"), { create: true, write: true });
  await holder.lock(true);
  await using job = world.start(["apptainer", "exec", "env", "true"]);
  await job.seen("waiting");
  job.kill("SIGUSR1");
  await job.seen("SIGUSR1 came before");
  holder.close();
  const ended = await job.ended;
  assert.deepEqual([ended.code, ended.signal], [0, null], ended.stderr);
});

Deno.test("an image that is older than its environment is used, with a warning", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  assert.doesNotMatch((await world.run(["apptainer", "exec", "env", "true"])).stderr, /older/);
  await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/new-1.dist-info/RECORD": "" });
  const run = await world.run(["apptainer", "exec", "env", "true"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /warning: env: .*changed since.*built.*\n.*hint: .*euler-files apptainer build env/);
});

Deno.test("an image that an earlier version of the program made is called that, where nothing else changed", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  const path = `${world.home}/.euler-files.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  config.apptainer.image_details.env.inputs_hash = "0".repeat(64);
  await Deno.writeTextFile(path, JSON.stringify(config));
  const run = await world.run(["apptainer", "exec", "env", "true"]);
  const told = /warning: env: the image was made by an earlier version of euler-files\n.*hint: .*apptainer build env/;
  assert.match(run.stderr, told);
  assert.doesNotMatch(run.stderr, /changed since/);
  const [{ state, differences }] = (await world.run(["apptainer", "list", "--json"])).json().images;
  assert.deepEqual([state, differences], ["outdated", [{ what: "version", name: null, built: null, now: null }]]);
  const built = (await world.run(["apptainer", "build", "env", "--json"])).json();
  assert.deepEqual([built.status, built.reason], ["built", "it was made by an earlier version of euler-files"]);
  assert.match(built.inputs_hash, /^r\d+:[0-9a-f]{64}$/);
  assert.equal((await world.run(["apptainer", "build", "env", "--json"])).json().status, "skipped");
});
