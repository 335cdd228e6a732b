// Whether a copy on a node misses files that a purge took from scratch, or only does not have yet what was pushed meanwhile.
import assert from "node:assert/strict";
import { purgedError } from "../../src/staging/purged_source.ts";
import { EMPTY_MANIFEST, ManifestBuilder, writeManifest } from "../../src/transfer/manifest.ts";
import { testSystem } from "../transfer/trees.ts";
import { makeWorld } from "../support/world.ts";

Deno.test("files that another node pushed while a copy was made are not called purged", async () => {
  await using world = await makeWorld();
  await world.writeTree("scratch/HF_HOME", { pushed: "x" });
  const record = new ManifestBuilder();
  const state = {
    type: "file",
    mode: 0o644,
    sizeBytes: 1,
    mtimeSeconds: 1,
    mtimeNanoseconds: 0,
    linkTarget: "",
  } as const;
  record.add("", [["pushed", state], ["purged", state]]);
  await writeManifest(world.path("scratch/.HF_HOME.manifest"), record.build());
  const variable = { name: "HF_HOME", source: world.path("scratch/HF_HOME"), origin: world.path("home") };
  const request = { variable, packed: undefined, filter: { selection: undefined } };
  const error = () =>
    purgedError(
      request as unknown as Parameters<typeof purgedError>[0],
      { manifest: EMPTY_MANIFEST, kept: [] },
      testSystem(),
    );
  assert.match((await error())?.message ?? "", /on this node: 1 file gone from scratch: purged$/);
  await world.writeTree("scratch/HF_HOME", { purged: "x" });
  assert.equal(await error(), undefined);
});
