// Passwords and tokens in the addresses of package indexes appear in no message, answer, dry run or process list.
import assert from "node:assert/strict";
import { withoutCredentials } from "../../src/text/format.ts";
import { servePackages } from "../support/package_index.ts";
import { giveUv, testWithUv } from "../support/uv.ts";
import { makeWorld } from "../support/world.ts";

const INDEX = "https://ada:s3cret@index.example/simple";
const EXTRA = "https://t0ken@extra.example/simple";
const SECRET = /s3cret|t0ken/;
const ARGS = ["venv", "install", "env", "alpha", "--index-url", INDEX, "--extra-index-url", EXTRA];

Deno.test("addresses are shown without user name and password", () => {
  assert.equal(
    withoutCredentials(`a ${INDEX} b git+${EXTRA}`),
    "a https://***@index.example/simple b git+https://***@extra.example/simple",
  );
  for (const text of ["git+ssh://git@host/x", "https://host/@scope/a@1", "a@b.c", "file:///a@b/c"]) {
    assert.equal(withoutCredentials(text), text);
  }
});

Deno.test("uv gets the credentials in its environment, and no output shows them", async () => {
  await using world = await makeWorld();
  await world.fakeProgram(
    "uv",
    `#!/bin/sh\necho "$@" >>"$HOME/arguments"\necho "$UV_INDEX_URL $UV_EXTRA_INDEX_URL" >>"$HOME/environment"\n` +
      `echo "cannot reach $UV_INDEX_URL" >&2\n[ "$1" != pip ] || [ "$3" = --help ] || exit 1\n` +
      // "uv venv … DIRECTORY" makes the environment.
      `[ "$1" = venv ] || exit 0\nfor last; do :; done\nmkdir -p "$last" && echo "home = /usr/bin" >"$last/pyvenv.cfg"\n`,
  );
  for (const more of [["--dry-run"], ["--dry-run", "--json"], [], ["--json"]]) {
    const run = await world.run([...ARGS, ...more]);
    assert.doesNotMatch(run.stdout + run.stderr, SECRET, more.join(" "));
  }
  assert.doesNotMatch(await Deno.readTextFile(`${world.home}/arguments`), SECRET);
  assert.match(await Deno.readTextFile(`${world.home}/environment`), new RegExp(`^${INDEX} ${EXTRA}$`, "m"));
});

testWithUv("the real uv installs from an index with a password", async () => {
  await using index = servePackages([{ name: "alpha", version: "1.0" }]);
  await using world = await makeWorld();
  const env = await giveUv(world);
  const url = index.url.replace("://", "://ada:s3cret@");
  const run = await world.run(["venv", "install", "env", "alpha", "--index-url", url, "--extra-index-url", url], {
    env,
  });
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /alpha==1\.0/);
  assert.doesNotMatch(run.stderr, SECRET);
});
