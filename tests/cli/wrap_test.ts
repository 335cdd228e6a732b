// `venv wrap` and `apptainer wrap`: programs that stage and run an image, kept up to date without a change to other files.
import assert from "node:assert/strict";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { type ImageWorld, makeImageWorld, namesIn } from "../support/image_world.ts";

const WRAP = ["apptainer", "wrap", "env", "--dir", "~/bin/env", "--json"];

async function makeWrapped(): Promise<ImageWorld> {
  const images = await makeImageWorld();
  assert.equal((await images.world.run(["apptainer", "build", "env"])).code, 0);
  const run = await images.world.run(WRAP);
  assert.equal(run.code, 0, run.stdout + run.stderr);
  assert.deepEqual(run.json().written, ["python", "tool"]);
  return images;
}

Deno.test("a wrapper stages the image and runs the program in it, with every argument as it is", async () => {
  await using images = await makeWrapped();
  const { world, scratchStore } = images;
  const run = await world.exec(world.path("home/bin/env/tool"), ["", "--json", "x y", "--"]);
  assert.equal(run.code, 0, run.stderr);
  assert.ok((await namesIn(scratchStore)).includes("env.sif"));
  assert.ok((await images.calls()).at(-1)!.endsWith("env.sif /opt/venv/bin/tool  --json x y --"));
});

Deno.test("a signal to a wrapper reaches the program, and the wrapper ends with its exit code", async () => {
  await using images = await makeWrapped();
  const { world } = images;
  const trap = "trap 'echo got; exit 9' USR1\necho ready\nfor i in $(seq 1200); do sleep 0.05; done\n";
  await world.fakeProgram("apptainer", `#!/bin/sh\n${trap}`);
  await using job = world.startProgram(world.path("home/bin/env/tool"), []);
  await job.seen("ready");
  job.kill("SIGUSR1");
  const { code, stdout } = await job.ended;
  assert.deepEqual([code, stdout], [9, "ready\ngot\n"]);
});

Deno.test("a file that is no wrapper of the image keeps its name: nothing is written", async () => {
  await using images = await makeWrapped();
  const { world } = images;
  await world.writeTree("home/mine", { "tool": "#!/bin/sh\necho mine\n" });
  await world.writeTree("home/linked", { "tool": { link: "/bin/true" } });
  for (const name of ["mine", "linked"]) {
    const refused = await world.run(["venv", "wrap", "env", "--dir", `~/${name}`]);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /have the names tool\n.*hint/);
    assert.deepEqual(await namesIn(world.path(`home/${name}`)), ["tool"]);
  }
  assert.equal(await Deno.readTextFile(world.path("home/mine/tool")), "#!/bin/sh\necho mine\n");
});

Deno.test("a build writes the wrappers again, and leaves other files alone", async () => {
  await using images = await makeWrapped();
  const { world } = images;
  const site = "lib/python3.11/site-packages";
  await world.writeTree("home/venvs/env", { [`${site}/more-1.0.dist-info/RECORD`]: "../../../bin/more,,\n" });
  for (const name of ["more", "taken"]) {
    await Deno.copyFile(world.path("home/venvs/env/bin/tool"), world.path(`home/venvs/env/bin/${name}`));
  }
  await Deno.remove(world.path("home/venvs/env/bin/tool"));
  await world.writeTree("home/bin/env", { "taken": "mine\n", "note.txt": "mine\n" });
  const built = await world.run(["apptainer", "build", "env"]);
  assert.equal(built.code, 0, built.stderr);
  assert.match(built.stderr, /no wrappers for taken: other files/);
  assert.deepEqual(await namesIn(world.path("home/bin/env")), ["more", "note.txt", "python", "taken"]);
  assert.equal(await Deno.readTextFile(world.path("home/bin/env/taken")), "mine\n");
});

Deno.test("prune and --unwrap take the wrappers away, and the directory if nothing else is in it", async () => {
  await using images = await makeWrapped();
  const { world } = images;
  await world.run(["apptainer", "wrap", "env", "--dir", "~/second"]);
  await world.writeTree("home/second", { "note.txt": "mine\n" });
  await world.writeTree("home", { "linked": { link: "elsewhere" }, "elsewhere/note.txt": "mine\n" });
  for (const more of [[], ["--unwrap"]]) {
    const linked = await world.run(["apptainer", "wrap", "env", "--dir", "~/linked", ...more]);
    assert.equal(linked.code, 0, linked.stderr);
  }
  assert.equal(await Deno.readTextFile(world.path("home/linked/note.txt")), "mine\n");
  assert.deepEqual(await namesIn(world.path("home/elsewhere")), ["note.txt"]);
  assert.deepEqual((await images.record("env")).wrapper_dirs, [world.path("home/bin/env"), world.path("home/second")]);
  const shown = await world.run(["apptainer", "prune", "env", "--mode", "sif", "--dry-run", "--json"]);
  assert.deepEqual(
    shown.json().targets.filter(({ kind }: { kind: string }) => kind === "wrappers").map(({ path }: { path: string }) =>
      path
    ),
    [world.path("home/bin/env"), world.path("home/second")],
  );
  assert.equal((await world.run([...WRAP, "--unwrap"])).json().status, "removed");
  assert.deepEqual(await namesIn(world.path("home/bin")), []);
  const pruned = await world.run(["apptainer", "prune", "env", "--mode", "sif", "--yes"]);
  assert.equal(pruned.code, 0, pruned.stderr);
  assert.deepEqual(await namesIn(world.path("home/second")), ["note.txt"]);
});

testNeeding(["mksquashfs"], "wrappers stay when an image takes the place of a pack", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  assert.equal((await world.run(["venv", "pack", "env"])).code, 0);
  assert.equal((await world.run(["venv", "wrap", "env", "--dir", "~/bin/env"])).code, 0);
  const text = () => Deno.readTextFile(world.path("home/bin/env/tool"));
  assert.match(await text(), /inside=\/\S+\/home\/venvs\/env\/bin\/tool\n/);
  const built = await world.run(["apptainer", "build", "env"]);
  assert.equal(built.code, 0, built.stderr);
  assert.match(await text(), /inside=\/opt\/venv\/bin\/tool\n/);
  assert.deepEqual((await images.record("env")).wrapper_dirs, [world.path("home/bin/env")]);
  assert.deepEqual(await namesIn(images.store), [".env.lock", "env.def", "env.requirements.txt", "env.sif"]);
});

testNeeding(["tmux"], "on a terminal, wrap asks for the image and proposes a directory", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  assert.equal((await world.run(["apptainer", "build", "env"])).code, 0);
  await using terminal = await openTerminal(world, "euler-files venv wrap");
  await terminal.shows("Which image?");
  await terminal.press("Enter");
  await terminal.shows("Directory of the wrappers");
  await terminal.press("Enter");
  assert.match(await terminal.shows("ended with 0"), /Wrote \S+bin\/env/);
  assert.deepEqual(await namesIn(world.path("home/bin/env")), ["python", "tool"]);
});

testWithApptainer("wrappers of a pack run its Python in a real container, also from inside of it", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  assert.equal((await world.run(["venv", "pack", "env"], { env })).code, 0);
  const wrapped = await world.run(["venv", "wrap", "env", "--dir", "~/bin/env"], { env });
  assert.equal(wrapped.code, 0, wrapped.stderr);
  const python = world.path("home/bin/env/python");
  const inner = `import subprocess, sys; print(sys.prefix, sys.argv[1:], flush=True)
if sys.argv[1:]: subprocess.run(['${python}', '-c', 'import sys; print(sys.prefix)'])`;
  const run = await world.exec(python, ["-c", inner, "", "x y"], { env, timeoutSeconds: 120 });
  const prefix = world.path("home/venvs/env");
  assert.equal(run.stdout, `${prefix} ['', 'x y']\n${prefix}\n`, run.stderr);
});
