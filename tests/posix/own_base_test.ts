// Directories below the cache root are opened component by component: a directory that another user exchanged after the
// check of its path is not entered. Only root can make files of several users.
import { equal, ok } from "node:assert/strict";
import { plainCalls } from "../../src/posix/calls.ts";
import { EPERM } from "../../src/posix/errno.ts";
import { openRoot, setOwnBase } from "../../src/posix/own_base.ts";
import { runPlain } from "../../src/posix/work.ts";
import { removeInPlace } from "../../src/system/remove_tree.ts";
import { asRoot, ATTACKER, VICTIM } from "../support/two_users.ts";
import { makeWorld } from "../support/world.ts";
import "../support/libc.ts";

async function open(path: string): Promise<number> {
  const calls = plainCalls();
  const answer = runPlain(openRoot(calls, path));
  if (answer >= 0) calls.closeHandle(answer);
  return await Promise.resolve(answer);
}

asRoot(
  "another user's directory or link above a root is not entered, the user's own and root's are",
  async () => {
    await using world = await makeWorld({ runAs: VICTIM });
    await world.writeTree("scratch", { "a/b/file": "x", "elsewhere/file": "x" });
    const [base, deep] = [world.path("scratch"), world.path("scratch/a/b")];
    setOwnBase({ path: base, userId: VICTIM.uid });
    using stack = new DisposableStack();
    stack.defer(() => setOwnBase(undefined));
    ok(await open(deep) >= 0);
    await Deno.chown(world.path("scratch/a"), 0, 0);
    ok(await open(deep) >= 0);
    await Deno.chown(world.path("scratch/a"), ATTACKER.uid, ATTACKER.gid);
    equal(await open(deep), -EPERM);
    equal(await removeInPlace(deep).then(() => "removed", () => "refused"), "refused");
    ok((await Deno.lstat(deep)).isDirectory);
    for (const [owner, expected] of [[VICTIM.uid, "entered"], [ATTACKER.uid, "refused"]] as const) {
      await Deno.symlink(world.path("scratch/elsewhere"), world.path("scratch/link"));
      await new Deno.Command("chown", { args: ["-h", String(owner), world.path("scratch/link")] }).output();
      equal(await open(world.path("scratch/link")) >= 0 ? "entered" : "refused", expected);
      await Deno.remove(world.path("scratch/link"));
    }
    await Deno.chown(base, ATTACKER.uid, ATTACKER.gid);
    equal(await open(world.path("scratch/elsewhere")), -EPERM);
  },
);
