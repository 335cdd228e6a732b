// Where `lfs` is there, images and packs get stripes by their size, and layouts that a site has chosen stay. A stand-in for lfs: no
// Lustre runs here.
import assert from "node:assert/strict";
import { hasOneStripe } from "../../src/tools/lfs.ts";
import { makeImageWorld } from "../support/image_world.ts";

// What `lfs getstripe -d` of Lustre prints for a plain and for a progressive layout.
const PLAIN = "stripe_count:  1 stripe_size:   1048576 pattern:       raid0 stripe_offset: -1\n";
const PROGRESSIVE = "  lcm_layout_gen:    0\n  lcm_mirror_count:  1\n  lcm_entry_count:   3\n    lcme_id: N/A\n" +
  "      stripe_count:  1       stripe_size:   1048576\n";

Deno.test("a directory with one stripe gets a layout by size before a large image is copied to it, and only then", async () => {
  await using images = await makeImageWorld();
  const { world, store, scratchStore } = images;
  const calls = async () => (await Deno.readTextFile(world.path("tmp/lfs")).catch(() => "")).split("\n").slice(0, -1);
  const lfs = (layout: string) =>
    world.fakeProgram(
      "lfs",
      `#!/bin/sh\necho "$@" >> '${world.path("tmp/lfs")}'\n[ "$1" = setstripe ] || printf '%s' '${layout}'\n`,
    );
  await lfs(PLAIN);
  assert.equal((await world.run(["apptainer", "build", "env"])).code, 0);
  const layout = "-E 64M -c 1 -E 1G -c 4 -E -1 -c 16 -S 4M";
  assert.deepEqual(await calls(), [`getstripe -d ${store}`, `setstripe ${layout} ${store}`]);
  assert.equal((await world.run(["apptainer", "sync"])).code, 0);
  assert.equal((await calls()).length, 2, "a small image");
  await Deno.truncate(`${store}/env.sif`, 65 * 1024 * 1024);
  assert.equal((await world.run(["apptainer", "sync"])).code, 0);
  assert.deepEqual((await calls()).slice(2), [
    `getstripe -d ${scratchStore}`,
    `setstripe ${layout} ${scratchStore}`,
  ]);
  assert.equal((await world.run(["apptainer", "sync"])).code, 0);
  assert.equal((await calls()).length, 4, "nothing to copy");
  await lfs(PROGRESSIVE);
  assert.equal((await world.run(["apptainer", "sync", "--force"])).code, 0);
  assert.deepEqual((await calls()).slice(4), [`getstripe -d ${scratchStore}`]);
});

Deno.test("a lfs that fails or hangs costs an image nothing but its stripes", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  for (const script of ["exit 1", "sleep 60"]) {
    await world.fakeProgram("lfs", `#!/bin/sh\n${script}\n`);
    assert.equal((await world.run(["apptainer", "build", "env", "--force"], { timeoutSeconds: 50 })).code, 0);
  }
});

Deno.test("several stripes, all of them and a progressive layout are choices, none and one are not", () => {
  assert.deepEqual(
    [PLAIN, PLAIN.replace(" 1 ", " 0 "), PLAIN.replace(" 1 ", " 4 "), PLAIN.replace(" 1 ", "-1 "), PROGRESSIVE, ""].map(
      hasOneStripe,
    ),
    [true, true, false, false, false, false],
  );
});
