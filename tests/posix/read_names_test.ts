// Lists of names in which none may be missing: an error of the kernel is an error, and names need not be UTF-8.
import assert from "node:assert/strict";
import { ESTALE } from "../../src/posix/errno.ts";
import { encodeName } from "../../src/posix/file_names.ts";
import { readNames, readNamesIfExists } from "../../src/posix/read_names.ts";
import { kindsIn } from "../../src/posix/small_file.ts";
import { runPlain } from "../../src/posix/work.ts";
import { faultyCalls } from "../support/faulty_calls.ts";

Deno.test("a list that the kernel ends with an error is an error, and names that are not UTF-8 are in it", async () => {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.mkdir(`${directory}/d`);
    const { success } = await new Deno.Command("sh", { args: ["-c", "touch \"$(printf 'o\\351')\""], cwd: directory })
      .output();
    assert.ok(success);
    const names = await readNames(directory);
    assert.deepEqual([...names.values()].toSorted(), ["d", "f"]);
    assert.ok([...names.keys()].some((name) => encodeName(name).includes(0xe9)));
    using faulty = faultyCalls(({ name }) => name === "getdents" ? { errno: ESTALE } : undefined);
    assert.throws(() => runPlain(kindsIn(faulty.calls("plain"), directory)), /Stale file handle/);
    assert.equal(await readNamesIfExists(`${directory}/none`), undefined);
    await assert.rejects(readNames(`${directory}/none`), /No such file/);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
