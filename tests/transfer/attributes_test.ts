// What belongs to a file besides content and mode: extended attributes, access control lists, and the group that files
// inherit from their directory on scratch.
import assert from "node:assert/strict";
import { E2BIG, EDQUOT, ENOSPC, ERANGE } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, systemCalling, temporaryDirectory, testSystem } from "./trees.ts";

/** Sets a user attribute and an access control list (acl(5), version 2: tag, permissions, id) on paths. */
const SET = `
import os, struct, sys
entries = [(1, 6, -1), (2, 4, 65534), (4, 4, -1), (16, 4, -1), (32, 0, -1)]
acl = struct.pack("<I", 2) + b"".join(struct.pack("<HHi", *entry) for entry in entries)
for path in sys.argv[1:]:
    os.setxattr(path, "user.origin", b"hub")
    os.setxattr(path, "system.posix_acl_access", acl)
`;

const MANY = `
import os, sys
for number in range(30): os.setxattr(sys.argv[1], "user.a-name-of-some-length-for-this-attribute-%d" % number, b"x")
`;

const SHOW = `
import os, sys
for path in sys.argv[1:]:
    print({name: os.getxattr(path, name).hex() for name in sorted(os.listxattr(path)) if not name.startswith("security.")})
`;

async function python(script: string, ...paths: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("python3", { args: ["-c", script, ...paths] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Whether the file system of the tests supports both; only trying tells. */
async function hasAttributes(): Promise<boolean> {
  await using directory = await temporaryDirectory();
  await Deno.writeTextFile(`${directory.path}/f`, "");
  return await python(SET, `${directory.path}/f`).then(() => true, () => false);
}

Deno.test({
  name: "extended attributes and access control lists of files and directories are copied",
  ignore: !await hasAttributes(),
  async fn() {
    await using directory = await temporaryDirectory();
    const [from, to] = [`${directory.path}/from`, `${directory.path}/to`];
    await shell(`mkdir -p ${from}/d; echo x >${from}/d/f; echo y >${from}/plain; head -c 40M /dev/zero >${from}/large`);
    const names = ["d", "d/f", "large"];
    await python(SET, ...names.map((name) => `${from}/${name}`));
    // More names than fit into the buffer of the first listxattr(2).
    await python(MANY, `${from}/plain`);
    const outcome = await transferTree(requestFor(from, to), testSystem());
    assert.equal(outcome.status, "complete");
    const all = [...names, "plain"];
    const [expected, found] = await Promise.all(
      [from, to].map((root) => python(SHOW, ...all.map((name) => `${root}/${name}`))),
    );
    assert.match(expected!, /user.origin/);
    assert.equal(found, expected);
    assert.equal(
      await shell("stat -c '%A %n' d d/f large plain", to),
      await shell("stat -c '%A %n' d d/f large plain", from),
    );
  },
});

for (const errno of [ENOSPC, EDQUOT]) {
  Deno.test({
    name: `if an access control list does not fit (${errno}), it is not dropped without a message`,
    ignore: !await hasAttributes(),
    async fn() {
      await using directory = await temporaryDirectory();
      const [from, to] = [`${directory.path}/from`, `${directory.path}/to`];
      await shell(`mkdir ${from}; echo x >${from}/f`);
      await python(SET, `${from}/f`);
      const { system } = systemCalling(({ name, args }) => {
        const isList = name === "fsetxattr" && new TextDecoder().decode(args[1] as Uint8Array).includes("posix_acl");
        return isList ? { errno } : undefined;
      });
      await assert.rejects(transferTree(requestFor(from, to), system), { kind: "no-space" });
    },
  });
}

Deno.test({
  name: "a user attribute that is too large for the file system is left out, and the file arrives",
  ignore: !await hasAttributes(),
  async fn() {
    await using directory = await temporaryDirectory();
    const [from, to] = [`${directory.path}/from`, `${directory.path}/to`];
    await shell(`mkdir ${from}; echo x >${from}/f`);
    await python(SET, `${from}/f`);
    for (const errno of [ENOSPC, E2BIG, ERANGE]) {
      const { system } = systemCalling(({ name, args }) => {
        const isUsers = name === "fsetxattr" && new TextDecoder().decode(args[1] as Uint8Array).includes("user.");
        return isUsers ? { errno } : undefined;
      });
      assert.equal((await transferTree(requestFor(from, `${to}${errno}`), system)).status, "complete");
      assert.doesNotMatch(await python(SHOW, `${to}${errno}/f`), /user.origin/);
    }
  },
});

testNeeding(
  ["chgrp"],
  "files and directories made on scratch keep the group and the set-group-ID bit of their parent",
  async () => {
    if (Deno.uid() !== 0) return;
    await using directory = await temporaryDirectory();
    const [from, scratch] = [`${directory.path}/from`, `${directory.path}/scratch`];
    await shell(
      `mkdir -p ${from}/d/e ${scratch}; echo x >${from}/d/e/f; chgrp 65534 ${scratch}; chmod 2750 ${scratch}`,
    );
    const request = requestFor(from, `${scratch}/to`);
    const outcome = await transferTree(request, testSystem());
    assert.equal(await shell("stat -c '%g %a' to to/d to/d/e", scratch), "65534 2755\n65534 2755\n65534 2755\n");
    assert.equal(await shell("stat -c '%g %a' to/d/e/f", scratch), "65534 644\n");
    // The set-group-ID bit is not a difference: the next transfer has nothing to do.
    const update = requestFor(from, `${scratch}/to`, {
      intent: "stage-update",
      record: outcome.manifest,
      depth: "look-at-all",
    });
    const again = await transferTree(update, testSystem());
    assert.deepEqual([again.status, again.filesTransferred, again.kept], ["complete", 0, []]);
  },
);
