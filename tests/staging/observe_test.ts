// What is observed of a source while other programs work in it.
import assert from "node:assert/strict";
import type { Marker } from "../../src/records/marker.ts";
import { markedListing, observeSource } from "../../src/records/observe.ts";

Deno.test("a source in which temporary names come and go counts as existing, whenever they are met", async () => {
  const source = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.writeTextFile(`${source}/kept`, "kept");
    const restless = new Deno.Command("sh", {
      args: ["-c", "while :; do for i in 1 2 3 4 5 6 7 8; do : >.tmp$i; done; rm -f .tmp*; done"],
      cwd: source,
    }).spawn();
    try {
      for (let look = 0; look < 300; look++) {
        const facts = await observeSource({ name: "X", source, env: {} });
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

Deno.test("the directory for partial files of a push is not one of the source's names", async () => {
  const source = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.mkdir(`${source}/.euler-files-partial`);
    const facts = await observeSource({ name: "X", source, env: {} });
    assert.deepEqual(facts.state === "directory" ? facts.names : facts, []);
  } finally {
    await Deno.remove(source, { recursive: true });
  }
});

Deno.test("the names in the marker are used while the source's time is unchanged, and a change is noticed", async () => {
  const source = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.writeTextFile(`${source}/kept`, "kept");
    const before = await observeSource({ name: "X", source, env: {} });
    assert.ok(before.state === "directory");
    const later = before.mtimeMilliseconds + 60_000;
    assert.deepEqual(markedListing(before, before.mtimeMilliseconds), {}, "the time is too new");
    const { source_listing } = markedListing(before, later);
    assert.deepEqual(source_listing?.names, ["kept"]);
    const marker = { source, source_listing } as unknown as Marker;
    const again = await observeSource({ name: "X", source, env: {} }, Promise.resolve(marker));
    assert.deepEqual(again, before);
    await Deno.writeTextFile(`${source}/new`, "new");
    const changed = await observeSource({ name: "X", source, env: {} }, Promise.resolve(marker));
    assert.ok(changed.state === "directory" && changed.fingerprint !== before.fingerprint);
    assert.deepEqual(changed.names, ["kept", "new"]);
    await Deno.writeTextFile(`${source}/kept`, "kept and changed");
    await Deno.remove(`${source}/new`);
    const seconds = before.mtimeMilliseconds / 1000;
    await Deno.utime(source, seconds, seconds);
    const touched = await observeSource({ name: "X", source, env: {} }, Promise.resolve(marker));
    assert.ok(touched.state === "directory" && touched.fingerprint !== before.fingerprint, "a child changed");
  } finally {
    await Deno.remove(source, { recursive: true });
  }
});
