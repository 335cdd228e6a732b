import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import {
  activatedPaths,
  asBytes,
  fromBytes,
  launcherRoot,
  replacePaths,
  rewriteLauncher,
} from "../../src/venv/relocation_text.ts";

Deno.test("a launcher starts the Python of its new directory and is otherwise the same", () => {
  assert.equal(rewriteLauncher("#!/old/a/bin/python3\nimport x\n", "/new/b"), "#!/new/b/bin/python3\nimport x\n");
  assert.equal(rewriteLauncher("#!/old/a/bin/python -E -s\nx", "/new"), "#!/new/bin/python -E -s\nx");
});

Deno.test("Windows line endings stay as they are", () => {
  assert.equal(rewriteLauncher("#!/old/a/bin/python\r\nx\r\n", "/new"), "#!/new/bin/python\r\nx\r\n");
});

Deno.test("a path too long for a #! line is started through sh, and is found there again", () => {
  const long = `/${"x".repeat(140)}`;
  const rewritten = rewriteLauncher("#!/old/a/bin/python3 -I\nimport x\n", long);
  assert.equal(rewritten, `#!/bin/sh\n'''exec' '${long}/bin/python3' -I "$0" "$@"\n' '''\nimport x\n`);
  assert.equal(launcherRoot(rewritten), long);
  assert.equal(rewriteLauncher(rewritten, "/short"), rewritten.replace(long, "/short"));
});

Deno.test("a path with a blank is started through sh, because a #! line cannot contain it", () => {
  assert.match(
    rewriteLauncher("#!/old/bin/python\n", "/with blank"),
    /^#!\/bin\/sh\n'''exec' '\/with blank\/bin\/python'/,
  );
});

Deno.test("launchers of other programs are not rewritten", () => {
  for (
    const text of ["#!/bin/sh\necho /old/a/bin/python\n", "#!/usr/bin/env python3\n", "import sys\n", "#!/bin/bash\n"]
  ) {
    assert.equal(rewriteLauncher(text, "/new"), text);
  }
  const relocatable = `#!/bin/sh\n'''exec' "$(dirname -- "$(realpath -- "$0")")"/'python' "$0" "$@"\n' '''\n`;
  assert.equal(rewriteLauncher(relocatable, "/new"), relocatable);
});

Deno.test("an activate script's own path is found in every shell's syntax, and nothing computed is taken for one", () => {
  assert.deepEqual(activatedPaths("VIRTUAL_ENV=/v/a\nexport VIRTUAL_ENV\n"), ["/v/a"]);
  assert.deepEqual(activatedPaths("    export VIRTUAL_ENV=/v/a/\n"), ["/v/a"]);
  assert.deepEqual(activatedPaths("setenv VIRTUAL_ENV '/v/with blank'\n"), ["/v/with blank"]);
  assert.deepEqual(activatedPaths('set -gx VIRTUAL_ENV "/v/a"\n'), ["/v/a"]);
  assert.deepEqual(activatedPaths("let virtual_env = r#'/v/a'#\n"), ["/v/a"]);
  assert.deepEqual(activatedPaths('VIRTUAL_ENV=$(cygpath "$VIRTUAL_ENV")\nVIRTUAL_ENV="$HOME/x"\n'), []);
});

Deno.test("the activate script of Python 3.12 and later keeps its cygpath line whole", () => {
  // Its form since gh-103325: it contains the path twice, once inside $(cygpath …).
  const script =
    `case "$(uname)" in\n  CYGWIN*) VIRTUAL_ENV=$(cygpath /v/a)\n  ;;\n  *) export VIRTUAL_ENV=/v/a\nesac\n`;
  assert.equal(replacePaths(script, { from: ["/v/a"], to: "/w/b" }, "shell"), script.replaceAll("/v/a", "/w/b"));
});

Deno.test("only whole paths are replaced", () => {
  const replacement = { from: ["/v/a"], to: "/w/b" };
  for (const other of ["/v/a2", "/v/a-old/bin", "/x/v/a", "/v/a.bak", "~/v/a"]) {
    assert.equal(replacePaths(other, replacement, "data"), other);
  }
  assert.equal(replacePaths("'/v/a' /v/a/bin:/v/a", replacement, "data"), "'/w/b' /w/b/bin:/w/b");
  assert.equal(replacePaths("file:///v/a/src", replacement, "data"), "file:///w/b/src");
});

Deno.test("if a new path begins or ends with the old one, it is written only once", () => {
  assert.equal(replacePaths("/v/bin /v/sub/bin", { from: ["/v"], to: "/v/sub" }, "data"), "/v/sub/bin /v/sub/bin");
  assert.equal(replacePaths("/v/sub/bin /v/bin", { from: ["/v/sub"], to: "/v" }, "data"), "/v/bin /v/bin");
});

Deno.test("a bare path in a shell script gets quotes when it needs them", () => {
  const replacement = { from: ["/v/a"], to: "/w/with blank" };
  assert.equal(replacePaths("VIRTUAL_ENV=/v/a\n", replacement, "shell"), "VIRTUAL_ENV='/w/with blank'\n");
  assert.equal(replacePaths("VIRTUAL_ENV='/v/a'\n", replacement, "shell"), "VIRTUAL_ENV='/w/with blank'\n");
});

const component = fc.stringMatching(/^[a-z0-9][a-z0-9._é-]{0,8}$/);
const path = fc.array(component, { minLength: 2, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);

Deno.test("replacing twice gives the same as once, and bytes that are not a path are kept", () => {
  fc.assert(fc.property(path, path, fc.uint8Array({ maxLength: 60 }), (from, to, noise) => {
    const rest = String.fromCharCode(...noise).replaceAll("/", "");
    const text = `${asBytes(from)}/bin ${rest}`;
    const once = replacePaths(text, { from: [asBytes(from)], to: asBytes(to) }, "data");
    assert.equal(replacePaths(once, { from: [asBytes(from)], to: asBytes(to) }, "data"), once);
    assert.equal(once, `${asBytes(to)}/bin ${rest}`);
    assert.equal(fromBytes(asBytes(from)), from);
  }));
});
