// A node with a GPU: its devices are stand-ins in a /dev of the test's own, and so is nvidia-smi; Apptainer is the real one.
import assert from "node:assert/strict";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";

/** Runs a command with a /dev that has the devices of NVIDIA's driver, in a mount namespace. */
const WITH_GPU = `set -e
d=$1; shift
mkdir "$d"
mount -t tmpfs -o mode=755 none "$d"
for node in 'null 1 3' 'zero 1 5' 'full 1 7' 'random 1 8' 'urandom 1 9' 'tty 5 0' 'nvidiactl 1 3' 'nvidia0 1 3'; do
  mknod -m 666 "$d/\${node%% *}" c \${node#* }
done
mkdir "$d/shm" "$d/pts"
mount --rbind /dev/shm "$d/shm"
mount --rbind /dev/pts "$d/pts"
ln -s pts/ptmx "$d/ptmx"
ln -s /proc/self/fd "$d/fd"
ln -s /proc/self/fd/0 "$d/stdin"
ln -s /proc/self/fd/1 "$d/stdout"
ln -s /proc/self/fd/2 "$d/stderr"
mount --move "$d" /dev
exec "$@"`;

testWithApptainer("on a node with an NVIDIA GPU the container gets its devices and the driver's programs", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world } = containerWorld;
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], containerWorld);
  assert.equal((await world.run(["venv", "pack", "env"], containerWorld)).code, 0);
  await world.fakeProgram("nvidia-smi", "#!/bin/sh\necho driver; ls /dev/nvidia*\n");
  const { uid, gid } = await Deno.stat(world.home);
  const user = ["setpriv", `--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--"];
  const variables = Object.entries({ ...world.env, ...containerWorld.env }).map(([name, value]) => `${name}=${value}`);
  const command = ["env", "-i", ...variables, world.executable, "apptainer", "exec", "env", "nvidia-smi"];
  const { stdout, stderr } = await new Deno.Command("unshare", {
    args: ["-m", "sh", "-c", WITH_GPU, "sh", `${world.root}/dev`, ...user, ...command],
    stdin: "null",
    signal: AbortSignal.timeout(120_000),
  }).output();
  assert.equal(
    new TextDecoder().decode(stdout),
    "driver\n/dev/nvidia0\n/dev/nvidiactl\n",
    new TextDecoder().decode(stderr),
  );
});
