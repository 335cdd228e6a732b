// What a link leads to may be on a mount that no longer works: a sync does not wait for it.
import assert from "node:assert/strict";
import { nameOutsideLinks } from "../../src/staging/outside_links.ts";
import type { Variable } from "../../src/variables/variable.ts";

Deno.test("the lookup behind a link is not waited for, and its path is forgiven only until it returns", async () => {
  const directory = await Deno.makeTempDir();
  const answer = Promise.withResolvers<void>();
  const stat = Deno.stat;
  Deno.stat = async (path) => {
    if (path === `${directory}/dead`) await answer.promise;
    return await stat(path);
  };
  try {
    await Deno.symlink("/", `${directory}/dead`);
    const forgiven: { path: string; calls: Promise<unknown> }[] = [];
    const forgiveCalls = (path: string, calls: Promise<unknown>) => void forgiven.push({ path, calls });
    const { named } = await nameOutsideLinks(
      { name: "HF_HOME", source: directory } as Variable,
      { scratchBase: directory, cacheRoot: directory } as Parameters<typeof nameOutsideLinks>[1],
      { count: 1, links: [{ path: "dead", target: "/" }] },
      { env: {}, forgiveCalls },
    );
    assert.deepEqual(named, [{ path: "dead", target: "/", behind: "it does not answer", storage: "unknown" }]);
    assert.deepEqual(forgiven.map(({ path }) => path), [`${directory}/dead`]);
    const returned = forgiven[0]!.calls.then(() => "returned");
    const later = new Promise((resolve) => setTimeout(() => resolve("waits"), 0));
    assert.equal(await Promise.race([returned, later]), "waits");
    answer.resolve();
    await returned;
  } finally {
    answer.resolve();
    Deno.stat = stat;
    await Deno.remove(directory, { recursive: true });
  }
});
