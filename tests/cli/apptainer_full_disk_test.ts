// Images and a full disk: existing images stay, no partial image gets a final name, and the error has the figures.
import assert from "node:assert/strict";
import { testUnless } from "../support/needs.ts";
import { makeImageWorld, namesIn } from "../support/image_world.ts";

const NOT_ROOT = Deno.uid() === 0 ? undefined : "only root can mount a small file system";

/** Mounts a file system of this size at the path until it is disposed of. */
async function mountSmall(path: string, size: string): Promise<AsyncDisposable> {
  await Deno.mkdir(path, { recursive: true });
  const { success } = await new Deno.Command("mount", { args: ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path] })
    .output();
  if (!success) throw new Error(`cannot mount at ${path}`);
  return {
    async [Symbol.asyncDispose]() {
      await new Deno.Command("umount", { args: [path] }).output();
    },
  };
}

testUnless(NOT_ROOT, "an image that does not fit on scratch is refused with the figures", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/weights.bin": "x".repeat(3_000_000) });
  assert.equal((await world.run(["apptainer", "build", "env"])).code, 0);
  await using _disk = await mountSmall(world.path("scratch/sif"), "1m");
  const run = await world.run(["apptainer", "sync", "--json"]);
  assert.deepEqual([run.code, run.json().failures[0].kind], [1, "no-space"]);
  assert.match(run.json().failures[0].message, /MB are to be written and .* are free/);
  assert.deepEqual(await namesIn(images.scratchStore), [".env.sif.lock"]);
});

testUnless(NOT_ROOT, "without free space on scratch, run uses the image in the store and says so", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/weights.bin": "x".repeat(3_000_000) });
  await world.run(["apptainer", "build", "env"]);
  await using _disk = await mountSmall(world.path("scratch/sif"), "1m");
  const run = await world.run(["apptainer", "run", "env", "--", "t.py"]);
  assert.equal(run.code, 0);
  assert.equal(run.stdout, `run --bind ${world.scratch} ${images.store}/env.sif t.py\n`);
  assert.match(run.stderr, /running it from the store, which is slower/);
});

testUnless(
  NOT_ROOT,
  "a build does not use a $TMPDIR without enough free space",
  async () => {
    await using images = await makeImageWorld();
    const { world } = images;
    await using _disk = await mountSmall(world.path("tmp/small"), "1m");
    const env = { TMPDIR: world.path("tmp/small") };
    const plan = (await world.run(["apptainer", "build", "env", "--dry-run", "--json"], { env })).json();
    assert.ok(!plan.tar_path.startsWith(env.TMPDIR), plan.tar_path);
  },
);

testUnless(
  NOT_ROOT,
  "if the store fills up during a build, the old image stays and no partial image is left",
  async () => {
    await using images = await makeImageWorld();
    const { world } = images;
    await using _disk = await mountSmall(images.store, "1m");
    assert.equal((await world.run(["apptainer", "build", "env"])).code, 0);
    const before = await Deno.readFile(`${images.store}/env.sif`);
    await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/weights.bin": "x".repeat(3_000_000) });
    const run = await world.run(["apptainer", "build", "env", "--force"]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /No space left on device/);
    assert.deepEqual(await Deno.readFile(`${images.store}/env.sif`), before);
    assert.deepEqual((await namesIn(images.store)).filter((name) => name.includes("building")), []);
  },
);
