// A file system whose server does not answer, as with NFS when the server is gone: a signal still ends the program, the
// program ends by itself after a deadline, and a shell that evaluates its output stops.
import assert from "node:assert/strict";
import { testExecutable, testNeeding } from "../support/needs.ts";
import { waitUntil } from "../support/wait.ts";
import { LOOKS } from "../../src/system/silence.ts";
import { SilenceWatch } from "../../src/system/silent_calls.ts";
import { makeWorld, type World } from "../support/world.ts";
import { shell } from "../transfer/trees.ts";

/** Slurm gives a job so much time between SIGTERM and SIGKILL. */
const MOST_SECONDS = 30;

interface Mount extends AsyncDisposable {
  stop(): void;
  goOn(): void;
}

/** Mounts an NTFS file system, which has a server process (FUSE), at a directory of the world. */
async function mountAt(world: World, path: string): Promise<Mount> {
  const [image, directory] = [world.path("tmp/image"), world.path(path)];
  await shell(`truncate -s 8M ${image}; mkntfs -qF ${image} >&2; mkdir -p ${directory}`);
  const before = (await Deno.stat(directory)).dev;
  const server = new Deno.Command("ntfs-3g", {
    args: ["-o", "no_detach,fmask=077,dmask=077", image, directory],
    stdout: "null",
    stderr: "null",
  }).spawn();
  await waitUntil("the file system is mounted", async () => (await Deno.stat(directory)).dev !== before);
  return {
    stop: () => server.kill("SIGSTOP"),
    goOn: () => server.kill("SIGCONT"),
    async [Symbol.asyncDispose]() {
      server.kill("SIGCONT");
      await new Deno.Command("umount", { args: ["-l", directory] }).output();
      await server.status;
    },
  };
}

/** Whether a thread of the process waits for a FUSE server. */
async function waitsForServer(pid: number): Promise<boolean> {
  const tasks = await Array.fromAsync(Deno.readDir(`/proc/${pid}/task`)).catch(() => []);
  for (const { name } of tasks) {
    const state = await Deno.readTextFile(`/proc/${pid}/task/${name}/wchan`).catch(() => "");
    if (state === "request_wait_answer") return true;
  }
  return false;
}

/** The directory of the world that is on the dead file system, and the commands to try. */
const CASES: readonly (readonly [string, readonly (readonly string[])[]])[] = [
  ["home/hf", [["sync"], ["push"], ["exec", "--", "true"]]],
  ["scratch", [["sync"], ["status"]]],
  ["home", [["sync"], ["status"]]],
];

for (const [path, commands] of CASES) {
  testNeeding(
    ["ntfs-3g", "mkntfs", "mount"],
    `SIGTERM ends a command that waits for a dead server below ${path}`,
    async () => {
      await using world = await makeWorld();
      await using mount = await mountAt(world, path);
      await world.writeTree("home/hf", { "model.bin": "weights" });
      await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
      mount.stop();
      for (const command of commands) {
        await using job = world.start(command, { cwd: "/" });
        await waitUntil("it waits for the server", () => waitsForServer(job.pid));
        const started = performance.now();
        job.kill("SIGTERM");
        const { code, signal, stdout } = await job.ended;
        assert.deepEqual([code, signal], [143, "SIGTERM"], command.join(" "));
        assert.ok(performance.now() - started < MOST_SECONDS * 1000);
        assert.doesNotMatch(stdout, /export/);
        if (command[0] === "sync") {
          const evaluated = await world.exec("bash", ["-c", 'eval "$1"', "bash", `${stdout}false\n`], { cwd: "/" });
          assert.notEqual(evaluated.code, 0);
        }
      }
    },
  );
}

/** How long the program waits for an answer in these tests; a busy disk answers earlier. */
const DEADLINE = { EULER_FILES_ANSWER_SECONDS: "2" };

/** Which directory of the world is on the dead file system, and commands that need it. */
const ON_DEAD: Readonly<Record<string, readonly (readonly string[])[]>> = {
  source: [["sync"], ["push"], ["status"], ["migrate", "HF_HOME", "--to", "~/new", "--yes"], ["exec", "--", "true"]],
  scratch: [["sync"], ["push"], ["status"], ["diff", "HF_HOME"], ["clean"], ["doctor"]],
  home: [["sync"], ["push"], ["status", "--json"], ["config", "show"], ["config", "set", "parallel_jobs", "2"]],
  tmp: [["sync", "--engine", "rsync"]],
};

for (const [which, commands] of Object.entries(ON_DEAD)) {
  // When it runs from source, Deno itself reads ~/.npmrc first.
  const register = which === "home" ? testExecutable : testNeeding;
  register(
    ["ntfs-3g", "mkntfs", "mount", "rsync"],
    `with the ${which} on a dead server, each command ends after its deadline and names the path`,
    async () => {
      await using world = await makeWorld();
      const dead = world.path("home/dead");
      await using mount = await mountAt(world, "home/dead");
      const at = (name: string, path: string) => name === which ? `${dead}/${name}` : world.path(path);
      const env = {
        HOME: at("home", "home"),
        SCRATCH: at("scratch", "scratch"),
        TMPDIR: at("tmp", "tmp"),
      };
      const source = at("source", "home/hf");
      for (const directory of [source, ...Object.values(env)]) {
        await Deno.mkdir(directory, { recursive: true, mode: 0o700 });
      }
      await Deno.writeTextFile(`${source}/model.bin`, "weights");
      const config = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source } } };
      await Deno.writeTextFile(`${env.HOME}/.euler-files.json`, JSON.stringify(config), { mode: 0o600 });
      if (which !== "tmp") {
        const synced = await world.run(["sync"], { env, cwd: "/" });
        assert.equal(synced.code, 0, synced.stderr);
      }
      mount.stop();
      await Promise.all(commands.map(async (command) => {
        const { code, stdout, stderr } = await world.exec(world.executable, command, {
          env: { ...env, ...DEADLINE },
          cwd: "/",
        });
        const what = `${command.join(" ")}: ${code} ${stdout}${stderr}`;
        assert.equal(code, 1, what);
        assert.match(stderr + stdout, /home\/dead[^"]*\\?" has not answered for 2 s/, what);
        assert.doesNotMatch(stderr, /This is a bug/, what);
        if (command[0] === "sync") assert.match(stdout, /^false;$/m, what);
      }));
    },
  );
}

/** The call that is found, and in which look, of at most 200. */
function lookUntilSilent(watch: SilenceWatch): { readonly path: string; readonly look: number } | undefined {
  for (let look = 1; look <= 200; look++) {
    const silent = watch.look();
    if (silent !== undefined) return { path: silent.path, look };
  }
  return undefined;
}

testNeeding(
  ["ntfs-3g", "mkntfs", "mount"],
  "a call that writes to the disk gets more time than a lookup, and a lookup that was given up is not judged",
  async () => {
    await using world = await makeWorld();
    await using mount = await mountAt(world, "home/hf");
    const [file, other] = [world.path("home/hf/file"), world.path("home/hf/other")];
    const opened = await Deno.open(file, { write: true, create: true });
    const waiting: Promise<unknown>[] = [];
    try {
      await opened.write(new TextEncoder().encode("content"));
      mount.stop();
      waiting.push(opened.sync().catch(() => {}));
      await waitUntil("fsync(2) waits for the server", () => waitsForServer(Deno.pid));
      const found = lookUntilSilent(new SilenceWatch())!;
      assert.deepEqual([found.path, found.look > 4 * LOOKS], [file, true], `look ${found.look}`);
      waiting.push(Deno.stat(other).catch(() => {}));
      const silent = () => lookUntilSilent(new SilenceWatch());
      await waitUntil("the lookup waits as well", () => Promise.resolve(silent()?.path === other));
      assert.equal(silent()!.look, LOOKS);
      const watch = new SilenceWatch();
      watch.forgive([other]);
      assert.equal(lookUntilSilent(watch)!.path, file);
      watch.forgive([file]);
      assert.equal(lookUntilSilent(watch)!.path, other, "it is judged again");
    } finally {
      // Until the server goes on, close(2) would wait in the main thread.
      mount.goOn();
      await Promise.all(waiting);
      opened.close();
    }
  },
);
