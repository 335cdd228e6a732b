import assert from "node:assert/strict";
import { applyRelocation, planRelocation } from "../../src/venv/relocate.ts";
import { readVenv } from "../../src/venv/venv.ts";
import { isInstalled } from "../../scripts/prepare.ts";
import { testUnless } from "../support/needs.ts";
import { readTree, writeTree } from "../support/tree.ts";
import "../support/libc.ts";
import { UV, UV_REASON } from "../support/uv.ts";

/** A directory for one test, removed at its end. */
async function makeVenvWorld(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.realPath(await Deno.makeTempDir({ prefix: "euler-files-relocate-" }));
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function relocate(root: string): Promise<number> {
  const relocation = await planRelocation(root, root);
  assert.deepEqual(await applyRelocation(relocation), []);
  return relocation.changes.length;
}

const SITE = "lib/python3.11/site-packages";

/** An environment as installers leave it at `path`, without a Python. */
function venvFiles(path: string): Record<string, string | { file: string; mode: number }> {
  return {
    "pyvenv.cfg": `home = /usr/bin\nversion = 3.11.2\ncommand = /usr/bin/python3 -m venv ${path}\n`,
    "bin/activate": `VIRTUAL_ENV=${path}\nexport VIRTUAL_ENV\n`,
    "bin/activate.csh": `setenv VIRTUAL_ENV '${path}'\n`,
    "bin/activate.fish": `set -gx VIRTUAL_ENV "${path}"\n`,
    "bin/tool": { file: `#!${path}/bin/python3\nprint(1)\n`, mode: 0o755 },
    [`${SITE}/tool-1.0.dist-info/RECORD`]: "../../../bin/tool,sha256=x,1\ntool.py,,\n",
    [`${SITE}/tool-1.0.dist-info/direct_url.json`]: `{"url": "file://${encodeURI(path)}/src/tool"}`,
    [`${SITE}/extra.pth`]: `${path}/src\n`,
    "share/jupyter/kernels/k/kernel.json": `{"argv": ["${path}/bin/python", "-m", "ipykernel"]}`,
  };
}

Deno.test("a moved environment names its new directory everywhere, and a second run has nothing to do", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/new/env`;
  await writeTree(root, venvFiles("/cluster/old/env"));
  assert.equal(await relocate(root), 8);
  const text = JSON.stringify(await readTree(root));
  assert.ok(!text.includes("/cluster/old"), text);
  assert.equal(await Deno.readTextFile(`${root}/bin/activate.fish`), `set -gx VIRTUAL_ENV "${root}"\n`);
  assert.equal(await relocate(root), 0);
});

Deno.test("modes and times of rewritten files stay", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  await writeTree(root, venvFiles("/old/env"));
  const time = new Date("2023-03-04T05:06:07Z");
  await Deno.utime(`${root}/bin/tool`, time, time);
  await relocate(root);
  const info = await Deno.stat(`${root}/bin/tool`);
  assert.deepEqual([info.mode! & 0o7777, info.mtime], [0o755, time]);
});

Deno.test("launchers are repaired even if activate is already right, or missing", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  for (const activate of [`VIRTUAL_ENV=${root}\n`, undefined]) {
    await writeTree(root, {
      "pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
      "bin/tool": "#!/long/gone/env/bin/python\n",
      [`${SITE}/tool-1.dist-info/RECORD`]: "../../../bin/tool,,\n",
      ...(activate === undefined ? {} : { "bin/activate": activate }),
    });
    await relocate(root);
    assert.equal(await Deno.readTextFile(`${root}/bin/tool`), `#!${root}/bin/python\n`);
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("an old path with a slash at its end works, too", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  await writeTree(root, { ...venvFiles("/old/env"), "bin/activate": "VIRTUAL_ENV='/old/env/'\n" });
  await relocate(root);
  assert.equal(await Deno.readTextFile(`${root}/bin/tool`), `#!${root}/bin/python3\nprint(1)\n`);
});

Deno.test("scripts of other environments, of the system and behind links are left alone", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  const outside = `${venvWorld.path}/outside`;
  await Deno.writeTextFile(outside, "#!/old/env/bin/python\n");
  await writeTree(root, {
    ...venvFiles("/old/env"),
    "bin/neighbour": "#!/old/env2/bin/python\n",
    "bin/system": "#!/usr/bin/python3\n",
    "bin/any": "#!/usr/bin/env python3\n",
    "bin/linked": { link: outside },
    "bin/hand": "#!/old/env/bin/python -u\nrun()\n",
  });
  await relocate(root);
  const read = (name: string) => Deno.readTextFile(`${root}/bin/${name}`);
  assert.equal(await read("neighbour"), "#!/old/env2/bin/python\n");
  assert.equal(await read("system"), "#!/usr/bin/python3\n");
  assert.equal(await read("any"), "#!/usr/bin/env python3\n");
  assert.equal(await Deno.readTextFile(outside), "#!/old/env/bin/python\n");
  assert.equal(await read("hand"), `#!${root}/bin/python -u\nrun()\n`);
});

Deno.test("an environment inside another is moved under its own name", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/outer`;
  await writeTree(root, venvFiles("/old/outer"));
  await writeTree(`${root}/inner`, venvFiles("/old/outer/inner"));
  await relocate(root);
  assert.equal(await Deno.readTextFile(`${root}/inner/bin/tool`), `#!${root}/inner/bin/python3\nprint(1)\n`);
  assert.equal(await Deno.readTextFile(`${root}/inner/bin/activate.csh`), `setenv VIRTUAL_ENV '${root}/inner'\n`);
  assert.equal(await Deno.readTextFile(`${root}/bin/tool`), `#!${root}/bin/python3\nprint(1)\n`);
});

Deno.test("a file that cannot be rewritten is named, and the others are rewritten", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  await writeTree(root, venvFiles("/old/env"));
  const relocation = await planRelocation(root, root);
  await Deno.remove(`${root}/share`, { recursive: true });
  const failed = await applyRelocation(relocation);
  assert.deepEqual(failed.map((one) => one.path), [`${root}/share/jupyter/kernels/k/kernel.json`]);
  assert.equal(await Deno.readTextFile(`${root}/bin/tool`), `#!${root}/bin/python3\nprint(1)\n`);
});

Deno.test("a path that scripts cannot contain is refused before anything is written", async () => {
  await using venvWorld = await makeVenvWorld();
  for (const bad of ["/a'b", '/a"b', "/a$b", "/a:b", "/a\nb"]) {
    await assert.rejects(planRelocation(venvWorld.path, bad), /scripts cannot hold such a path/);
  }
});

/** Moves an environment that a real program made, and lets its own programs print where they are. */
function testMoved(maker: string, reason: string | undefined, make: (path: string) => readonly string[][]): void {
  testUnless(reason, `an environment made by ${maker} works after it was moved and fixed`, async () => {
    await using venvWorld = await makeVenvWorld();
    const [before, after] = [`${venvWorld.path}/before/env`, `${venvWorld.path}/with blank/env`];
    await Deno.mkdir(`${venvWorld.path}/before`);
    await Deno.mkdir(`${venvWorld.path}/with blank`);
    for (const [program = "", ...args] of make(before)) {
      const made = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" }).output();
      assert.ok(made.success, new TextDecoder().decode(made.stderr));
    }
    await Deno.rename(before, after);
    await relocate(after);
    assert.equal(await relocate(after), 0);
    assert.ok(!JSON.stringify(await readTree(`${after}/bin`)).includes("/before/"));
    const script = `. '${after}/bin/activate' && python -c 'import sys; print(sys.prefix)' && command -v python`;
    const ran = await new Deno.Command("bash", { args: ["-c", script] }).output();
    assert.equal(new TextDecoder().decode(ran.stdout), `${after}\n${after}/bin/python\n`);
    const pip = `${after}/bin/pip`;
    if (await Deno.stat(pip).then(() => true, () => false)) {
      const version = await new Deno.Command(pip, { args: ["--version"] }).output();
      assert.match(new TextDecoder().decode(version.stdout), new RegExp(`from ${after}/`));
    }
    assert.notEqual(await readVenv(after), undefined);
  });
}

const NO_VENV = isInstalled("python3-venv") ? undefined : "python3-venv not installed";
const uv = UV ?? "";

testMoved("python -m venv", NO_VENV, (path) => [["python3", "-m", "venv", path]]);
testMoved("uv", UV_REASON, (path) => [[uv, "venv", "-q", "--seed", "--python", "python3", path]]);
testMoved("uv venv --relocatable", UV_REASON, (path) => [
  [uv, "venv", "-q", "--seed", "--relocatable", "--python", "python3", path],
]);
testMoved("virtualenv", UV_REASON, (path) => [
  [uv, "tool", "run", "-q", "--python", "python3", "virtualenv", "-q", path],
]);

Deno.test("nothing is written through a directory link: site-packages, bin, kernels, the directory above them", async () => {
  for (const linked of [SITE, "lib", "bin", "share", "share/jupyter/kernels", `${SITE}/tool-1.0.dist-info`]) {
    await using venvWorld = await makeVenvWorld();
    const [root, outside] = [`${venvWorld.path}/env`, `${venvWorld.path}/outside`];
    await writeTree(root, { ...venvFiles("/old/env"), "bin/python": { link: "/old/env/python/bin/python3" } });
    await Deno.rename(`${root}/${linked}`, outside);
    await Deno.symlink(outside, `${root}/${linked}`);
    const before = await readTree(outside);
    assert.ok(await relocate(root) > 0);
    assert.deepEqual(await readTree(outside), before, linked);
  }
});

Deno.test("an error while it looks at an environment does not mean that there is none", async () => {
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  await writeTree(root, venvFiles("/old/env"));
  const { stat } = Deno;
  Deno.stat = (path) =>
    String(path) === `${root}/bin` ? Promise.reject(new Error("Stale file handle (os error 116): stat")) : stat(path);
  try {
    await assert.rejects(readVenv(root), /Stale file handle/);
  } finally {
    Deno.stat = stat;
  }
  assert.equal((await readVenv(root))?.name, "env");
  await Deno.remove(`${root}/bin`, { recursive: true });
  assert.equal(await readVenv(root), undefined);
});

Deno.test("an error while it looks at a directory ends the relocation: the directory is not passed over", async () => {
  const stale = () => Promise.reject(new Error("Stale file handle (os error 116): realpath"));
  const { realPath } = Deno;
  await using venvWorld = await makeVenvWorld();
  const root = `${venvWorld.path}/env`;
  await writeTree(root, venvFiles("/old/env"));
  Deno.realPath = (name) => String(name) === `${root}/bin` ? stale() : realPath(name);
  try {
    await assert.rejects(planRelocation(root, root), /Stale file handle/);
  } finally {
    Deno.realPath = realPath;
  }
});
