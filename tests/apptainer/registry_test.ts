// `Bootstrap: docker` with the real Apptainer, from a registry on loopback.
import assert from "node:assert/strict";
import { serveImage } from "../support/registry.ts";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";

testWithApptainer("an image is built from a Docker reference, if its Python is the environment's", async () => {
  await using containerWorld = await makeContainerWorld();
  await using registry = await serveImage(containerWorld.ociLayout, "base:latest");
  const { world } = containerWorld;
  const env = { ...containerWorld.env, APPTAINER_NOHTTPS: "1" };
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  await world.run(["config", "set", "apptainer.base_image", `${registry.address}/base:latest`]);
  const build = await world.run(["apptainer", "build", "env"], { env, timeoutSeconds: 180 });
  assert.equal(build.code, 0, build.stderr);
  const run = await world.run(["apptainer", "exec", "env", "--", "python", "-c", "import sys; print(sys.prefix)"], {
    env,
  });
  assert.equal(run.stdout, "/opt/venv\n", run.stderr);
  await world.writeTree("home/venvs/old", { "pyvenv.cfg": "version = 3.7.1\n", "bin/activate": "" });
  const refused = await world.run(["apptainer", "build", "old"], { env, timeoutSeconds: 180 });
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /the base image has no Python 3\.7, which the environment was made with/);
});
