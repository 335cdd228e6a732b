// An error of the operating system is recognized in every form and has a hint; a defect of euler-files is not taken for
// one.
import assert from "node:assert/strict";
import { access } from "node:fs/promises";
import { CliError, isFullDiskRefusal, knownError, messageOf, systemRefusalOf } from "../src/errors/errors.ts";

Deno.test("errors of Deno, node and libc calls, and causes of other errors, have their errno", async () => {
  const thrown = async (work: () => Promise<unknown>) => await work().then(() => assert.fail(), (error) => error);
  const own = Object.assign(new Error("read failed: Input/output error"), { errno: 5, call: "read", path: "/x" });
  const errors: [unknown, number][] = [
    [await thrown(() => Deno.readFile("/no-such-directory")), 2],
    [await thrown(() => Deno.mkdir("/no-such-directory/new")), 2],
    [await thrown(() => access("/no-such-directory")), 2],
    [new Error("Disk quota exceeded (os error 122)"), 122],
    [new Error("Stale file handle (os error 116): open '/x'"), 116],
    [own, 5],
    [new Error("outer", { cause: own }), 5],
  ];
  for (const [error, errno] of errors) assert.equal(systemRefusalOf(error)?.errno, errno, String(error));
});

Deno.test("each errno has a message, the call if it is known, and a hint", () => {
  for (const errno of [1, 2, 5, 11, 12, 13, 17, 20, 24, 26, 28, 30, 36, 40, 107, 110, 116, 122]) {
    for (const call of ["", ": open '/a/b'"]) {
      const known = knownError("Cannot copy", new Error(`The words (os error ${errno})${call}`))!;
      assert.equal(known.message, `Cannot copy: The words${call}`);
      assert.equal(known.kind, errno === 28 || errno === 122 ? "no-space" : "file-system");
      assert.ok(known.hint, `${errno}`);
    }
  }
});

Deno.test("a full disk is one kind of failure, whichever write noticed it", () => {
  const cause = new Error("No space left on device (os error 28)");
  assert.equal(new CliError("file-system", "Cannot write", { cause }).kind, "no-space");
  assert.equal(new CliError("config", "Cannot write", { cause }).kind, "config");
  assert.ok(isFullDiskRefusal(systemRefusalOf(new Error("outer", { cause }))));
});

Deno.test("a defect is not an error of the system, and the message of a CliError stays as it is", () => {
  for (const error of [new RangeError("too large"), new TypeError("x is undefined"), "text", undefined]) {
    assert.equal(knownError("Cannot copy", error), undefined);
  }
  const told = new CliError("refused", "Cannot do that", { cause: new Error("Permission denied (os error 13)") });
  assert.equal(knownError("Cannot copy", told), told);
  assert.equal(messageOf(told), "Cannot do that");
});
