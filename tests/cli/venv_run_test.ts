// `venv run`: a program with a pack and without a container: mounted, bound, or unpacked and repaired.
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { findSquashfuseForTests } from "../../scripts/prepare_apptainer.ts";
import { isInstalled } from "../../scripts/prepare.ts";
import { namesIn } from "../support/image_world.ts";
import { testNeeding, testUnless } from "../support/needs.ts";
import { makeWorld, mayOpenFuse, type RunAs, type RunOptions, type World } from "../support/world.ts";

const SITE = "lib/python3.11/site-packages";
const PROGRAMS = ["python3", "mksquashfs", "unsquashfs"];

/** A world with a packed environment that was changed since, so that what runs tells whether it is the pack. */
async function makePacked(runAs: RunAs = "self"): Promise<World> {
  const world = await makeWorld({ runAs });
  await world.writeConfig({ apptainer: { venv_base: "~/venvs", sif_store: "~/sif" } });
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")]);
  const tool = `#!${world.home}/venvs/env/bin/python\nimport mine, sys; print(mine.x, sys.prefix, sys.argv[1:])\n`;
  await world.writeTree("home/venvs/env", {
    [`${SITE}/mine.py`]: "x = 'packed'\n",
    "bin/tool": { file: tool, mode: 0o755 },
  });
  const packed = await world.run(["venv", "pack", "env"]);
  assert.equal(packed.code, 0, packed.stderr);
  await world.writeTree("home/venvs/env", { [`${SITE}/mine.py`]: "x = 'changed'\n" });
  return world;
}

/** A directory with the programs of the system that are needed, and no Apptainer. */
async function withoutApptainer(world: World): Promise<string> {
  await Deno.mkdir(world.path("system"));
  for (const name of ["sh", "env", "unsquashfs", "sleep"]) {
    const found = ["/usr/bin", "/bin", "/usr/sbin"].map((directory) => `${directory}/${name}`);
    const path = found.find((one) => existsSync(one));
    await Deno.symlink(path!, world.path(`system/${name}`));
  }
  return world.path("system");
}

/** Fails where the kernel gives users no namespaces. */
const REFUSING_UNSHARE = "#!/bin/sh\nexit 1\n";

testNeeding(
  PROGRAMS,
  "without namespaces the pack is unpacked to the node, works there, and is gone afterwards",
  async () => {
    await using world = await makePacked();
    await world.fakeProgram("unshare", REFUSING_UNSHARE);
    const run = await world.run(["venv", "run", "env", "--", "tool", "", "--json"]);
    assert.match(run.stdout, /^packed \S+\/tmp\/\S+\/venv \['', '--json'\]\n$/, run.stderr);
    assert.match(run.stderr, /cannot be mounted here: unpacking/);
    assert.deepEqual(await namesIn(world.path("tmp")), []);
    const failed = await world.run(["venv", "run", "env", "--json", "--", "sh", "-c", "exit 7"]);
    assert.deepEqual([failed.code, failed.json().way], [7, "unpacked"]);
    assert.equal((await world.run(["venv", "wrap", "env", "--dir", "~/bin/env"])).code, 0);
    const PATH = `${world.path("fakes")}:${world.path("bin")}:${await withoutApptainer(world)}`;
    const wrapped = await world.exec(world.path("home/bin/env/tool"), ["x"], { env: { PATH } });
    assert.match(wrapped.stdout, /^packed \S+\/venv \['x'\]\n$/, wrapped.stderr);
  },
);

/** Without root's rights, which would need no namespace of users. */
function reasonAgainstNamespaces(): string | undefined {
  const missing = [...PROGRAMS, "unshare", "setpriv"].filter((program) => !isInstalled(program));
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  const user = Deno.uid() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"] : [];
  const [program, ...args] = [...user, "unshare", "-r", "-m", "true"];
  const { success } = new Deno.Command(program!, { args, stderr: "null" }).outputSync();
  return success ? undefined : "user namespaces not permitted";
}

testUnless(
  reasonAgainstNamespaces(),
  "where users may make namespaces, the program sees the pack at the environment's own path, as the same user",
  async () => {
    await using world = await makePacked("unprivileged");
    const uid = (await world.exec("id", ["-u"])).stdout;
    const script = `tool; id -u; echo x > '${world.path("tmp/made")}'`;
    const run = await world.run(["venv", "run", "env", "--json", "--", "sh", "-c", script]);
    assert.deepEqual([run.code, run.json().way], [0, "bound"], run.stderr);
    assert.match(run.stderr, new RegExp(`packed ${world.home}/venvs/env \\[\\]\n${uid}`));
    assert.equal((await Deno.stat(world.path("tmp/made"))).uid, Number(uid));
    assert.equal((await world.exec(world.path("home/venvs/env/bin/tool"), [])).stdout.split(" ")[0], "changed");
    assert.deepEqual(await namesIn(world.path("tmp")), ["made"]);
  },
);

const SQUASHFUSE = findSquashfuseForTests();

function reasonAgainstFuse(): string | undefined {
  if (SQUASHFUSE === undefined) return "squashfuse not installed";
  const missing = [...PROGRAMS, "unshare", "setpriv"].filter((program) => !isInstalled(program));
  if (missing.length > 0) return `${missing.join(", ")} not installed`;
  const mounts = new Deno.Command("unshare", { args: ["-r", "-m", "test", "-w", "/dev/fuse"], stderr: "null" });
  return mounts.outputSync().success ? undefined : "FUSE not permitted";
}

/** Puts squashfuse on the PATH, with its libraries, in a form that notes its process. */
async function giveSquashfuse(world: World): Promise<void> {
  const { program, libraries } = SQUASHFUSE!;
  await Deno.copyFile(program, world.path("bin/squashfuse-itself"));
  await Deno.mkdir(world.path("libraries"));
  for (const { name } of await Array.fromAsync(Deno.readDir(libraries)).catch(() => [])) {
    if (/^lib(fuse|squashfuse)/.test(name)) {
      await Deno.copyFile(`${libraries}/${name}`, world.path(`libraries/${name}`));
    }
  }
  const wrapped = `LD_LIBRARY_PATH='${world.path("libraries")}' exec squashfuse-itself "$@"`;
  await world.fakeProgram("squashfuse", `#!/bin/sh\necho $$ > '${world.path("tmp/server")}'\n${wrapped}\n`);
  await world.handOver();
}

/** Runs with a pack that squashfuse mounts; a signal must reach the program, and nothing may be left behind. */
async function tryMounted(world: World, fuse: RunOptions): Promise<void> {
  await giveSquashfuse(world);
  const script = "tool; trap 'echo got; exit 9' USR1; echo ready; for i in $(seq 1200); do sleep 0.05; done";
  await using job = world.start(["venv", "run", "env", "--", "bash", "-c", script], fuse);
  await job.seen("ready");
  job.kill("SIGUSR1");
  const { code, stdout, stderr } = await job.ended;
  assert.deepEqual([code, stdout], [9, `packed ${world.home}/venvs/env []\nready\ngot\n`], stderr);
  assert.equal((await world.exec(world.path("home/venvs/env/bin/tool"), [])).stdout.split(" ")[0], "changed");
  const server = (await Deno.readTextFile(world.path("tmp/server"))).trim();
  const status = await Deno.readTextFile(`/proc/${server}/status`).catch(() => "State: gone");
  assert.match(status, /State:\s+(Z|X|gone)/);
}

testUnless(
  reasonAgainstFuse(),
  "with squashfuse the pack is mounted for this program alone; a signal reaches it, and nothing is left",
  async () => {
    await using world = await makePacked();
    await tryMounted(world, {});
  },
);

testUnless(
  reasonAgainstFuse() ?? reasonAgainstNamespaces() ??
    (mayOpenFuse() ? undefined : "/dev/fuse cannot be opened to a user"),
  "squashfuse mounts the pack for a user without root's rights, too",
  async () => {
    await using world = await makePacked("unprivileged");
    await tryMounted(world, { fuse: "open" });
    const run = await world.run(["venv", "run", "env", "--json", "--", "tool"], { fuse: "open" });
    assert.deepEqual([run.code, run.json().way], [0, "mounted"], run.stderr);
  },
);

Deno.test("without a pack the error says how to make one, or how to run the image", async () => {
  await using world = await makeWorld();
  const images = { built: { venv_name: "built", python_version: "3.11.2", sif_filename: "built.sif" } };
  await world.writeConfig({ apptainer: { images } });
  for (const [name, hint] of [["env", /venv pack env/], ["built", /apptainer exec built -- PROGRAM/]] as const) {
    const run = await world.run(["venv", "run", name, "--", "true"]);
    assert.equal(run.code, 2);
    assert.match(run.stderr, hint);
  }
});
