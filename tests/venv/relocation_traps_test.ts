// What a relocation must handle besides the environment's own path: compiled code, a base Python that moved, too, and
// links.
import assert from "node:assert/strict";
import { applyRelocation, planRelocation } from "../../src/venv/relocate.ts";
import { testNeeding } from "../support/needs.ts";
import { writeTree } from "../support/tree.ts";
import "../support/libc.ts";

const SITE = "lib/python3.11/site-packages";

async function makeVenvWorld(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "euler-files-relocate-" }));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function python(...args: string[]): Promise<string> {
  const { stdout } = await new Deno.Command("/usr/bin/python3", { args, env: { PYTHONDONTWRITEBYTECODE: "" } })
    .output();
  return new TextDecoder().decode(stdout);
}

testNeeding(
  ["python3"],
  "code that was compiled from a rewritten file of the same size and time is not run",
  async () => {
    await using venvWorld = await makeVenvWorld();
    const root = `${venvWorld.path}/new`;
    const old = `${venvWorld.path}/old`;
    await writeTree(root, {
      "pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
      "bin/activate": `VIRTUAL_ENV=${old}\n`,
      [`${SITE}/__editable___x_finder.py`]: `ROOT = "${old}/src"\n`,
    });
    const show = [
      "-c",
      `import sys; sys.path.insert(0, "${root}/${SITE}"); import __editable___x_finder as f; print(f.ROOT)`,
    ];
    assert.equal(await python(...show), `${old}/src\n`);
    assert.deepEqual(await applyRelocation(await planRelocation(root, root)), []);
    assert.equal(await python("-B", ...show), `${root}/src\n`);
  },
);

Deno.test("a base Python that moved with its environments is named by its new path", async () => {
  await using venvWorld = await makeVenvWorld();
  const [before, root] = [`${venvWorld.path}/old`, `${venvWorld.path}/new/envs/a`];
  await writeTree(`${venvWorld.path}/new`, {
    "pythons/3.11/bin/python3.11": { file: "", mode: 0o755 },
    "envs/a/pyvenv.cfg":
      `home = ${before}/pythons/3.11/bin\nversion = 3.11.2\nexecutable = ${before}/pythons/3.11/bin/python3.11\n` +
      `base-prefix = ${before}/pythons/3.11\n`,
    "envs/a/bin/activate": `VIRTUAL_ENV=${before}/envs/a\n`,
    "envs/a/bin/python": { link: `${before}/pythons/3.11/bin/python3.11` },
  });
  await applyRelocation(await planRelocation(root, root));
  const now = `${venvWorld.path}/new/pythons/3.11`;
  assert.equal(
    await Deno.readTextFile(`${root}/pyvenv.cfg`),
    `home = ${now}/bin\nversion = 3.11.2\nexecutable = ${now}/bin/python3.11\nbase-prefix = ${now}\n`,
  );
  assert.equal(await Deno.readLink(`${root}/bin/python`), `${now}/bin/python3.11`);
});

Deno.test("a base Python that did not move keeps its path", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/new/a`;
  await writeTree(venvWorld.path, {
    "old/py/bin/python3": "",
    "new/py/bin/python3": "",
    "new/a/pyvenv.cfg": `home = ${venvWorld.path}/old/py/bin\nversion = 3.11.2\n`,
    "new/a/bin/activate": `VIRTUAL_ENV=${venvWorld.path}/old/a\n`,
  });
  await applyRelocation(await planRelocation(root, root));
  assert.match(await Deno.readTextFile(`${root}/pyvenv.cfg`), /old\/py/);
});

Deno.test("a moved environment that a link leads to names the link's path", async () => {
  await using venvWorld = await makeVenvWorld();
  await writeTree(venvWorld.path, {
    "work/a/pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
    "work/a/bin/activate": "VIRTUAL_ENV=/gone/a\n",
    "work/a/bin/tool": "#!/gone/a/bin/python\n",
    [`work/a/${SITE}/tool-1.dist-info/RECORD`]: "../../../../bin/tool,,\n",
    "venvs/a": { link: `${venvWorld.path}/work/a` },
  });
  const root = `${venvWorld.path}/venvs/a`;
  assert.deepEqual(await applyRelocation(await planRelocation(root, root)), []);
  assert.equal(await Deno.readTextFile(`${root}/bin/tool`), `#!${root}/bin/python\n`);
  assert.equal((await planRelocation(root, root)).changes.length, 0);
});

Deno.test("pkg-config and CMake files and Python's build data name the new directory", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  await writeTree(root, {
    "pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
    "bin/activate": "VIRTUAL_ENV=/old/env\n",
    "bin/nc-config": "#!/bin/sh\nprefix=/old/env\necho $prefix\n",
    "lib/pkgconfig/x.pc": "prefix=/old/env\n",
    "share/pkgconfig/y.pc": "prefix=/old/env\n",
    "lib/cmake/x/xConfig.cmake": 'set(X_DIR "/old/env/include")\n',
    "etc/jupyter/jupyter_config.json": '{"path": "/old/env/share"}\n',
  });
  assert.equal((await planRelocation(root, root)).changes.length, 6);
  await applyRelocation(await planRelocation(root, root));
  assert.equal(await Deno.readTextFile(`${root}/lib/pkgconfig/x.pc`), `prefix=${root}\n`);
  assert.equal(await Deno.readTextFile(`${root}/bin/nc-config`), `#!/bin/sh\nprefix=${root}\necho $prefix\n`);
});

Deno.test("files that name the real path of an environment reached through a link name the new directory", async () => {
  await using venvWorld = await makeVenvWorld();
  await writeTree(venvWorld.path, {
    "work/a/pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
    "work/a/bin/activate": `VIRTUAL_ENV=${venvWorld.path}/venvs/a\n`,
    [`work/a/${SITE}/x.pth`]: `${venvWorld.path}/work/a/src\n`,
    "venvs/a": { link: `${venvWorld.path}/work/a` },
  });
  const { changes } = await planRelocation(`${venvWorld.path}/venvs/a`, "/opt/venv");
  assert.deepEqual(changes.map(({ path }) => path), ["bin/activate", `${SITE}/x.pth`]);
});
