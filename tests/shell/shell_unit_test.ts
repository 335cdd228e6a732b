// Which shell is printed for.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors/errors.ts";
import { chooseShell } from "../../src/shell/shell.ts";

Deno.test("--shell wins over the environment, and bash is printed for without either", () => {
  assert.equal(chooseShell("zsh", { EULER_FILES_SHELL: "fish" }), "zsh");
  assert.equal(chooseShell(undefined, { EULER_FILES_SHELL: "fish" }), "fish");
  assert.equal(chooseShell(undefined, {}), "bash");
  assert.equal(chooseShell(undefined, { EULER_FILES_SHELL: "" }), "bash");
});

Deno.test("the login shell doesn't decide what a job script evaluates", () => {
  assert.equal(chooseShell(undefined, { SHELL: "/usr/bin/fish" }), "bash");
});

Deno.test("EULER_FILES_SHELL may be a path, or a shell that reads another one's statements", () => {
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

Deno.test("--shell takes relatives of the shells by their own names", () => {
  const names = ["sh", "dash", "ksh", "csh", "bash"] as const;
  assert.deepEqual(names.map((name) => chooseShell(name, {})), ["bash", "bash", "bash", "tcsh", "bash"]);
});
