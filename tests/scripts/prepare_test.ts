// Preparing a machine for the tests: what is installed, and the message if that is not permitted.
import { deepEqual, equal, match } from "node:assert/strict";
import { PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { describePreparation } from "../../scripts/prepare.ts";
import { testUnless } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

const PREPARE = ["run", "--allow-all", "--no-prompt", "--no-lock", `${PROJECT_DIRECTORY}/scripts/prepare.ts`, "demo"];

/** A stand-in for apt-get: installs by making an empty program, after its lists were fetched. */
const APT_GET = `#!/bin/sh
echo "$DEBIAN_FRONTEND $*" >>"$HOME/apt-get.log"
case "$*" in *update*) : >"$HOME/lists"; exit 0;; esac
[ -e "$HOME/lists" ] || { echo "E: Unable to locate package bash" >&2; exit 100; }
for name; do case $name in bash) /bin/cp /bin/true "\${0%/*}/$name";; esac; done`;

testUnless(Deno.uid() === 0 ? undefined : "only root installs", "missing programs are installed, once", async () => {
  await using world = await makeWorld();
  await world.fakeProgram("apt-get", APT_GET);
  const env = { PATH: world.path("fakes"), DENO_DIR: world.path("tmp") };
  const first = await world.exec(Deno.execPath(), PREPARE, { env });
  match(first.stderr, /^Installed bash\n$/m);
  equal(first.code, 0);
  const calls = (await Deno.readTextFile(`${world.home}/apt-get.log`)).trim().split("\n");
  deepEqual(calls.map((call) => /^(\w+) .*\b(install|update)\b/.exec(call)?.slice(1).join(" ")), [
    "noninteractive install",
    "noninteractive update",
    "noninteractive install",
  ]);
  const second = await world.exec(Deno.execPath(), PREPARE, { env });
  equal(second.stderr, "");
  equal((await Deno.readTextFile(`${world.home}/apt-get.log`)).trim().split("\n").length, calls.length);
});

Deno.test("what cannot be installed is named, with the command that would install it", async () => {
  await using world = await makeWorld();
  const env = { PATH: world.path("fakes"), DENO_DIR: world.path("tmp") };
  const run = await world.exec(Deno.execPath(), PREPARE, { env });
  match(
    run.stderr,
    /^Missing: bash \((no apt-get here|only root may install)\)\nhint: apt-get install bash\n$/m,
  );
  equal(run.code, 1);
});

Deno.test("a package that does not contain its program is reported", () => {
  deepEqual(describePreparation({ installed: ["zsh"], missing: ["setpriv"], reason: "no network" }), [
    "Installed zsh",
    "Missing: setpriv (no network)",
    "hint: apt-get install util-linux",
  ]);
});
