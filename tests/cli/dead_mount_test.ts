// A file system whose server answers no more, as NFS does when its server is gone: a signal ends the program all the same, and a
// shell that evaluates its output does not go on.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";
import { shell } from "../transfer/trees.ts";

/** What Slurm gives a job between SIGTERM and SIGKILL is half a minute; this much of it is ours. */
const MOST_SECONDS = 5;

interface Mount extends AsyncDisposable {
  stop(): void;
}

/** Mounts a file system of NTFS, which has a server of its own, at a directory of the world. */
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

/** The directory of the world that is on the dead file system, and the commands. */
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
