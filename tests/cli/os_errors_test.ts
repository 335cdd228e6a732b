// If a disk is full, read-only or gone, each command that writes to it says so with a hint, and never reports "a bug".
import assert from "node:assert/strict";
import { namesIn, venvTree } from "../support/image_world.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const DISK = "disk";

/** Ways in which a disk refuses, after it was set up. */
const STATES: Readonly<Record<string, (path: string) => Promise<void>>> = {
  "full": fill,
  "read-only": async (path) => await must("mount", "-o", "remount,ro", path),
  "gone": async (path) => {
    await must("umount", path);
    await Deno.remove(path);
  },
};

interface Case {
  readonly name: string;
  readonly setUp?: (world: World) => Promise<void>;
  readonly args: (world: World) => readonly string[];
  readonly env?: (world: World) => Record<string, string>;
  /** States in which this command can succeed. */
  readonly fine?: readonly string[];
}

const APPTAINER = {
  venv_base: "~/venvs",
  sif_store: "~/sif",
  scratch_sif_dir: "$SCRATCH/sif",
  base_image: "python:{version}",
};

const onScratch = (world: World) => ({ SCRATCH: world.path(DISK) });

async function configure(world: World, more: Record<string, unknown> = {}, source = "home/hf"): Promise<void> {
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(source) } }, apptainer: APPTAINER, ...more });
}

const CASES: readonly Case[] = [
  { name: "sync to it", args: () => ["sync"], env: onScratch },
  { name: "sync to it by rsync", args: () => ["sync", "--engine", "rsync"], env: onScratch },
  {
    name: "push to it",
    async setUp(world) {
      await world.writeTree(`${DISK}/hf`, { "model.bin": "weights" });
      await configure(world, {}, `${DISK}/hf`);
      assert.equal((await world.run(["sync"])).code, 0);
      await world.writeTree("scratch/.cache/euler-files/HF_HOME", { "new/model.bin": "x".repeat(5000) });
    },
    args: () => ["push"],
  },
  {
    name: "migrate to it",
    args: (world) => ["migrate", "HF_HOME", "--to", world.path(`${DISK}/a/b`), "--yes"],
    fine: ["gone"],
  },
  {
    name: "migrate with it as scratch",
    args: (world) => ["migrate", "HF_HOME", "--to", world.path("home/new"), "--yes"],
    env: onScratch,
  },
  {
    name: "venv install to it",
    args: (world) => ["venv", "install", "env", "wheel", "--venv-base", world.path(`${DISK}/venvs`)],
    fine: ["gone"],
  },
  {
    name: "venv remove from it",
    setUp: (world) => world.writeTree(`${DISK}/venvs/env`, venvTree(world.path(`${DISK}/venvs/env`))),
    args: (world) => ["venv", "remove", "env", "--yes", "--venv-base", world.path(`${DISK}/venvs`)],
    fine: ["full"],
  },
  {
    name: "config set in it",
    setUp: (world) => Deno.copyFile(world.path("home/.euler-files.json"), world.path(`${DISK}/config.json`)),
    args: () => ["config", "set", "parallel_jobs", "2"],
    env: (world) => ({ EULER_FILES_CONFIG: world.path(`${DISK}/config.json`) }),
  },
  {
    name: "apptainer sync to it",
    setUp: (world) => world.writeTree("home/sif", { "env.sif": "x".repeat(100_000) }),
    args: () => ["apptainer", "sync", "--image", "env"],
    env: onScratch,
    fine: ["gone"],
  },
  { name: "apptainer build to it", args: () => ["apptainer", "build", "env"], fine: ["gone"] },
];

for (const [state, spoil] of Object.entries(STATES)) {
  for (const { name, setUp, args, env, fine } of CASES) {
    testNeeding(["mount"], `${name} on a disk that is ${state}: the error says so`, async () => {
      await using world = await makeWorld();
      await world.writeTree("home/hf", { "model.bin": "weights", "sub/tokenizer.json": "{}" });
      await world.writeTree("home/venvs/env", venvTree(world.path("home/venvs/env")));
      await world.fakeProgram("uv", '#!/bin/sh\nfor last; do :; done\nmkdir -p "$last/bin" || exit 2\n');
      await world.fakeProgram("apptainer", "#!/bin/sh\necho apptainer version 1.3.0\n");
      await using disk = await mountDisk(world);
      const images = {
        env: { venv_name: "env", python_version: "3.11.2", sif_filename: "env.sif", built_at: 1, enabled: true },
      };
      const store = name.startsWith("apptainer build") ? world.path(`${DISK}/sif`) : "~/sif";
      await configure(world, { apptainer: { ...APPTAINER, sif_store: store, images } });
      await setUp?.(world);
      await spoil(disk.path);
      const { code, stderr } = await world.run(args(world), { env: env?.(world) ?? {} });
      assert.doesNotMatch(stderr, /bug in euler-files|internal error/);
      if (fine?.includes(state)) return;
      assert.notEqual(code, 0, stderr);
      assert.match(stderr, /^error: .+/m);
      assert.match(stderr, /^hint: .+/m, stderr);
    });
  }
}

testNeeding(
  ["mount"],
  "an environment with a lock file is removed from a disk on which no file can be made",
  async () => {
    await using world = await makeWorld();
    await using disk = await mountDisk(world);
    const base = world.path(`${DISK}/venvs`);
    await world.writeTree(`${DISK}/venvs/env`, venvTree(`${base}/env`));
    await world.writeConfig({ apptainer: { ...APPTAINER, venv_base: base } });
    const fixed = await world.run(["apptainer", "fixup", "env"]);
    assert.equal(fixed.code, 0, fixed.stderr);
    assert.deepEqual(await namesIn(base), [".env.lock", "env"]);
    await fill(disk.path);
    const run = await world.run(["venv", "remove", "env", "--yes"]);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(await namesIn(base), []);
  },
);

async function mountDisk(world: World): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = world.path(DISK);
  await Deno.mkdir(path);
  await must("mount", "-t", "tmpfs", "-o", "size=1m,nr_inodes=60", "tmpfs", path);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await new Deno.Command("umount", { args: [path], stderr: "null" }).output();
    },
  };
}

async function fill(path: string): Promise<void> {
  const piece = new Uint8Array(4096);
  await Deno.mkdir(`${path}/filler`);
  const file = await Deno.open(`${path}/filler/large`, { write: true, create: true });
  try {
    for (;;) await file.write(piece);
  } catch {
    file.close();
  }
  for (let number = 0;; number++) {
    const made = await Deno.create(`${path}/filler/${number}`).catch(() => undefined);
    if (made === undefined) return;
    made.close();
  }
}

async function must(program: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, { args }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}
