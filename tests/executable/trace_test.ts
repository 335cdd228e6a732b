// Which files the compiled executable touches, as strace sees it: /tmp of a shared node is open to everyone.
import { deepEqual, equal, ok } from "node:assert/strict";
import { testExecutable, testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

/** Runs a program under strace; returns the calls with a path or a network address, failed ones included. */
async function trace(world: World, argv: readonly string[]): Promise<readonly string[]> {
  const log = world.path("trace");
  const run = await world.exec("strace", ["-f", "-qq", "-s", "4096", "-e", "trace=%file,%network", "-o", log, ...argv]);
  equal(run.code, 0, run.stderr);
  return (await Deno.readTextFile(log)).split("\n");
}

/**
 * Calls that name something below $TMPDIR, or a path at which a compiled program's files seem to be, which are never on
 * disk. A directory that this run itself made there, private (0700) and with an unpredictable name, does not count.
 */
function inTemporaryDirectories(world: World, calls: readonly string[]): readonly string[] {
  const made = calls.flatMap((call) => /mkdir\("([^"]+[-.][0-9a-f]{8,16})", 0700\) += 0$/.exec(call)?.[1] ?? []);
  const foreign = calls.filter((call) => !made.some((directory) => call.includes(`"${directory}`)));
  return foreign.filter((call) => call.includes(`"${world.env.TMPDIR}/`) || call.includes('"/tmp/deno-compile-'));
}

function overNetwork(calls: readonly string[]): readonly string[] {
  return calls.filter((call) => /\b(AF_INET6?|AF_NETLINK|AF_PACKET)\b/.test(call));
}

testNeeding(["strace", "bash"], "the trace shows what a program opens in $TMPDIR and on the network", async () => {
  await using world = await makeWorld();
  const calls = await trace(world, ["bash", "-c", 'exec 3<"$TMPDIR/x"; exec 4<>/dev/tcp/127.0.0.1/9; true']);
  ok(inTemporaryDirectories(world, calls).length > 0);
  ok(overNetwork(calls).length > 0);
});

const COMMANDS = [
  ["--version"],
  ["--help"],
  ["config", "show"],
  ["status", "--measure"],
  ["sync"],
  ["sync", "--engine", "rsync"],
  ["exec", "--", "true"],
  ["push"],
  ["migrate", "HF_HOME", "--to", "~/project", "--yes"],
  ["shell-init"],
];

for (const args of COMMANDS) {
  testExecutable(
    ["strace", "rsync"],
    `${args.join(" ")} opens nothing in $TMPDIR that it has not made, and no network`,
    async () => {
      await using world = await makeWorld();
      // Where Deno keeps and runs compiled code without a message, unless that is switched off.
      await world.writeTree("tmp", { "deno-compile-euler-files.cache": "planted by another user" });
      await world.writeTree("home/cache", {
        "model/weights": "text",
        "model/link": { link: "weights" },
        "token": "hf_",
      });
      await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/cache") } } });
      if (args[0] === "push") {
        equal((await world.run(["sync"])).code, 0);
        await world.writeTree("scratch/.cache/euler-files/HF_HOME", { downloaded: "text" });
      }
      const calls = await trace(world, [world.executable, ...args]);
      ok(calls.length > 5);
      deepEqual(inTemporaryDirectories(world, calls), []);
      deepEqual(overNetwork(calls), []);
      // Only migrate copies secrets.
      if (args[0] !== "migrate") deepEqual(calls.filter((call) => /openat\(.*"([^"]*\/)?token"/.test(call)), []);
    },
  );
}
