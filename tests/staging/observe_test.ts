// What is seen of a source while somebody works in it.
import assert from "node:assert/strict";
import { observeSource } from "../../src/staging/observe.ts";

Deno.test("a source in which temporary names come and go is there, however they are met", async () => {
  const source = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.writeTextFile(`${source}/kept`, "kept");
    const restless = new Deno.Command("sh", {
      args: ["-c", "while :; do for i in 1 2 3 4 5 6 7 8; do : >.tmp$i; done; rm -f .tmp*; done"],
      cwd: source,
    }).spawn();
    try {
      for (let look = 0; look < 300; look++) {
        const facts = await observeSource(source);
        assert.equal(facts.state, "directory");
        assert.ok(facts.state === "directory" && facts.names.includes("kept"));
      }
    } finally {
      restless.kill("SIGKILL");
      await restless.status;
    }
  } finally {
    await Deno.remove(source, { recursive: true });
  }
});

Deno.test("the place of a push for half-written files is none of the source's names", async () => {
  const source = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.mkdir(`${source}/.euler-files-partial`);
    const facts = await observeSource(source);
    assert.deepEqual(facts.state === "directory" ? facts.names : facts, []);
  } finally {
    await Deno.remove(source, { recursive: true });
  }
});
