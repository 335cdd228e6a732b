// Which shell the output is for.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors/errors.ts";
import { chooseShell } from "../../src/shell/shell.ts";

Deno.test("--shell has precedence over the environment, and without both the output is for bash", () => {
  assert.equal(chooseShell("zsh", { EULER_FILES_SHELL: "fish" }), "zsh");
  assert.equal(chooseShell(undefined, { EULER_FILES_SHELL: "fish" }), "fish");
  assert.equal(chooseShell(undefined, {}), "bash");
  assert.equal(chooseShell(undefined, { EULER_FILES_SHELL: "" }), "bash");
});

Deno.test("the login shell does not decide, because a job script may run in another shell", () => {
  assert.equal(chooseShell(undefined, { SHELL: "/usr/bin/fish" }), "bash");
});

Deno.test("EULER_FILES_SHELL may be a path, or a shell that understands another one's statements", () => {
  for (const [value, shell] of [["/usr/bin/fish", "fish"], ["/bin/csh", "tcsh"], ["sh", "bash"], ["dash", "bash"]]) {
    assert.equal(chooseShell(undefined, { EULER_FILES_SHELL: value! }), shell);
  }
});

Deno.test("an unknown EULER_FILES_SHELL is an error that names the known ones", () => {
  for (const value of ["nu", "constructor", "/bin/"]) {
    assert.throws(
      () => chooseShell(undefined, { EULER_FILES_SHELL: value }),
      (error) => error instanceof CliError && error.kind === "usage" && error.hint?.includes("bash, zsh, fish, tcsh"),
    );
  }
});

Deno.test("--shell accepts the names of related shells", () => {
  const names = ["sh", "dash", "ksh", "csh", "bash"] as const;
  assert.deepEqual(names.map((name) => chooseShell(name, {})), ["bash", "bash", "bash", "tcsh", "bash"]);
});
