// The workflow of the README with the real Apptainer and uv as an unprivileged user: environment → image → scratch →
// run.
import assert from "node:assert/strict";
import { namesIn } from "../support/image_world.ts";
import { servePackages } from "../support/package_index.ts";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";

testWithApptainer(
  "an environment becomes an image that runs, is built again after a change, and can be pruned",
  async () => {
    await using index = servePackages([{ name: "alpha", version: "1.0" }, { name: "beta", version: "2.0" }]);
    await using containerWorld = await makeContainerWorld();
    const { world, env } = containerWorld;
    // With a strict umask the files must still be readable in the container.
    const ef = async (...args: string[]) => {
      const run = await world.exec("sh", ["-c", 'umask 077; exec euler-files "$@"', "sh", ...args], {
        env,
        timeoutSeconds: 120,
      });
      assert.equal(run.code, 0, `${args.join(" ")}: ${run.stdout}${run.stderr}`);
      return run.stdout;
    };
    await world.writeTree("home", { "t.py": "import alpha, sys\nprint(alpha.version, sys.prefix, sys.argv[1:])\n" });
    await ef("venv", "install", "my-env", "alpha", "--index-url", index.url);
    await ef("apptainer", "build", "my-env");
    assert.equal(JSON.parse(await ef("apptainer", "build", "my-env", "--json")).status, "skipped");
    await ef("apptainer", "sync");
    const sif = `${world.scratch}/.cache/euler-files/sif/my-env.sif`;
    const plain = await world.exec("apptainer", ["run", sif, "t.py", "--x"], { env });
    assert.equal(plain.stdout, "1.0 /opt/venv ['--x']\n", plain.stderr);
    const modules = { PYTHONPATH: "/of/the/host", APPTAINERENV_MINE: "passed" };
    const inside = ["exec", sif, "sh", "-c", "echo $MINE $PYTHONPATH"];
    assert.equal((await world.exec("apptainer", inside, { env: { ...env, ...modules } })).stdout, "passed\n");
    await ef("venv", "install", "my-env", "beta", "--index-url", index.url);
    await ef("config", "set", "apptainer.post_lines", '["echo \\"$venv\\" > /made-by-post"]');
    const [{ differences }] = JSON.parse(await ef("apptainer", "list", "--json")).images;
    assert.deepEqual(differences.map((one: { what: string; name: string }) => [one.what, one.name]), [
      ["package", "beta"],
      ["post_lines", null],
    ]);
    await ef("apptainer", "build", "my-env");
    assert.equal(await ef("apptainer", "exec", "my-env", "--", "cat", "/made-by-post"), "/opt/venv\n");
    const recorded = await ef("apptainer", "exec", "my-env", "--", "cat", "/opt/venv.requirements.txt");
    const beside = world.path("home/sif/my-env.requirements.txt");
    assert.equal(recorded, await Deno.readTextFile(beside));
    index.add({ name: "beta", version: "3.0" });
    await ef("venv", "install", "again", "-r", beside, "--index-url", index.url);
    assert.equal((await world.exec(world.path("home/venvs/again/bin/beta"), [])).stdout, "beta 2.0\n");
    assert.equal(await ef("apptainer", "exec", "my-env", "--", "beta"), "beta 2.0\n");
    const work = world.path("scratch/job");
    await Deno.mkdir(work);
    await world.handOver();
    await using job = world.start(
      [
        "apptainer",
        "exec",
        "my-env",
        "sh",
        "-c",
        'trap "echo saved; exit 5" USR1; pwd; for i in $(seq 600); do sleep 0.1; done',
      ],
      { env, cwd: work },
    );
    await job.seen(work);
    job.kill("SIGUSR1");
    const ended = await job.ended;
    assert.deepEqual([ended.code, ended.stdout], [5, `${work}\nsaved\n`], ended.stderr);
    const removed = JSON.parse(await ef("apptainer", "prune", "my-env", "--yes", "--json"));
    assert.equal(removed.deleted.length, 5);
    assert.deepEqual(await namesIn(world.path("tmp")), []);
  },
);

testWithApptainer("a failing %post leaves no image, and its output is shown", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  await world.run(["config", "set", "apptainer.container_venv_path", "/proc/venv"]);
  const run = await world.run(["apptainer", "build", "env"], { env, timeoutSeconds: 120 });
  assert.equal(run.code, 1);
  assert.match(run.stderr, /mkdir: cannot create directory/);
  assert.deepEqual(await namesIn(world.path("home/sif")), []);
  assert.deepEqual(await namesIn(world.path("tmp")), []);
});

testWithApptainer("a base image without the environment's Python is found before the build", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await world.writeTree("home/venvs/env", { "pyvenv.cfg": "version = 3.7.1\n", "bin/activate": "" });
  const run = await world.run(["apptainer", "build", "env"], { env });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /has no Python 3\.7, and "env" was made with 3\.7/);
});

testWithApptainer("Ctrl-C during a real build leaves nothing behind", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  await using build = world.start(["apptainer", "build", "env"], { env });
  await build.seen("Extracting local image");
  build.kill("SIGINT");
  assert.equal((await build.ended).code, 130);
  assert.deepEqual(await namesIn(world.path("home/sif")), []);
  assert.deepEqual(await namesIn(world.path("tmp")), []);
});

testWithApptainer("the build after a real build that was killed with -9 removes what that left", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  await using build = world.start(["apptainer", "build", "env"], { env });
  await build.seen("Extracting local image");
  build.kill("SIGKILL");
  await build.ended;
  const run = await world.run(["apptainer", "build", "env"], { env, timeoutSeconds: 120 });
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await namesIn(world.path("home/sif")), [".env.lock", "env.def", "env.requirements.txt", "env.sif"]);
  assert.deepEqual(await namesIn(world.path("tmp")), []);
});
