// Base images that need no network, with the real Apptainer: an image of an OCI layout; with EULER_FILES_TEST_BASES=all
// also a Docker archive and a sandbox directory, each of which takes a whole build.
import assert from "node:assert/strict";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";

testWithApptainer("an image is built from an image of an OCI layout", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env, ociLayout } = containerWorld;
  const options = { env, timeoutSeconds: 120 };
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  const layout = world.path("home/oci");
  await new Deno.Command("cp", { args: ["-a", "--", ociLayout, layout] }).output();
  await world.handOver();
  const bases = [`oci:${layout}:base`];
  if (Deno.env.get("EULER_FILES_TEST_BASES") === "all") {
    const archive = world.path("home/base.tar");
    const copied = await world.exec(
      "skopeo",
      ["copy", `oci:${layout}:base`, `docker-archive:${archive}:base:1`],
      options,
    );
    assert.equal(copied.code, 0, copied.stderr);
    const sandbox = await world.exec(
      "apptainer",
      ["build", "--sandbox", world.path("home/box"), containerWorld.baseImage],
      options,
    );
    assert.equal(sandbox.code, 0, sandbox.stderr);
    bases.push(`docker-archive:${archive}`, world.path("home/box"));
  }
  for (const base of bases) {
    await world.run(["config", "set", "apptainer.base_image", base]);
    const build = await world.run(["apptainer", "build", "env", "--force"], options);
    assert.equal(build.code, 0, `${base}: ${build.stderr}`);
    const run = await world.run(["apptainer", "exec", "env", "python", "-c", "import sys; print(sys.prefix)"], options);
    assert.equal(run.stdout, "/opt/venv\n", `${base}: ${run.stderr}`);
  }
});
