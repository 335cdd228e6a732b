// The temporary world that end-to-end tests rely on: if it leaks or hides something, they prove nothing.
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import { makeWorld } from "./world.ts";
import { readTree } from "./tree.ts";

Deno.test("a world runs the program with its own home directory and nothing of the tests' environment", async () => {
  await using world = await makeWorld();
  const run = await world.exec("env", []);
  const names = run.stdout.trim().split("\n").map((line) => line.slice(0, line.indexOf("="))).sort();
  equal(names.join(" "), "HOME LANG PATH SCRATCH TMPDIR");
  const version = await world.run(["--version"]);
  equal(version.code, 0);
  match(version.stdout, /^euler-files \S+\n$/);
  equal((await world.shell("bash", "euler-files --version")).stdout, version.stdout);
});

Deno.test("a world is removed at the end, with the unreadable files in it", async () => {
  let root = "";
  {
    await using world = await makeWorld();
    root = world.root;
    await world.writeTree("home/x", {
      "deep/file": "text",
      "deep/link": { link: "file" },
      "shut": { directory: true },
    });
    deepEqual(await readTree(world.path("home/x")), { "deep/file": "text", "deep/link": "→ file" });
    await Deno.chmod(world.path("home/x/shut"), 0);
  }
  await rejects(Deno.stat(root), Deno.errors.NotFound);
});

Deno.test("a test can watch a program in a world, send it signals and write to its stdin", async () => {
  await using world = await makeWorld();
  const sleeper = world.startProgram("sh", ["-c", "echo begun >&2; exec sleep 60"]);
  await sleeper.seen("begun");
  sleeper.kill("SIGTERM");
  equal((await sleeper.ended).code, 143);
  equal((await world.exec("cat", [], { stdin: "text" })).stdout, "text");
  await rejects(world.startProgram("true", []).seen("a word"), /ended with 0 before it wrote "a word"/);
});

Deno.test("a world for an unprivileged user keeps the program from what that user may not read", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree("home", { secret: { file: "text", mode: 0 } });
  ok((await world.exec("cat", ["secret"])).code !== 0);
  equal((await world.run(["--version"])).code, 0);
});
