// Files that look complete and are not: written with an error, changed while they were read, or reported as empty by
// the file system.
import assert from "node:assert/strict";
import { EINVAL, EIO, ENXIO, EPERM } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import {
  differences,
  requestFor,
  shell,
  systemCalling,
  systemWith,
  temporaryDirectory,
  testSystem,
  testTrees,
} from "./trees.ts";

async function homeWith(script: string) {
  const directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir -p ${home}/d; cd ${home}; ${script}`);
  return { ...directory, home, scratch, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

for (const name of ["close", "futimens", "pwrite"] as const) {
  testTrees(`a file whose ${name} fails does not get its name, and the next run copies it`, async () => {
    await using directory = await homeWith("for i in 1 2 3; do head -c 5000 /dev/urandom >d/f$i; done");
    const { home, scratch } = directory;
    // NFS often reports an exceeded quota or a write error only at close(2): the size is then right and the content is
    // lost.
    const { system } = systemCalling((call) =>
      call.name === name && call.path === `${scratch}/d/f2` ? { errno: EIO } : undefined
    );
    const failed = await transferTree(requestFor(home, scratch), system);
    assert.equal(failed.status, "partial");
    assert.deepEqual(failed.missing.map(({ path }) => path), ["d/f2"]);
    assert.match(failed.missing[0]!.reason, /Input\/output error/);
    assert.equal(await shell("ls", `${scratch}/d`), "f1\nf3\n");
    const next = await transferTree(requestFor(home, scratch, { record: failed.manifest }), testSystem());
    assert.equal(next.status, "complete");
    assert.equal(await differences(home, scratch), "");
  });
}

testTrees("if scratch refuses a directory, only that directory's files are missing, until it can be made", async () => {
  await using directory = await homeWith(
    "mkdir -p d/bad/below e; echo x | tee d/f d/bad/f d/bad/below/f e/f >/dev/null",
  );
  const { home, scratch } = directory;
  const { system } = systemCalling(({ name, path }) =>
    name === "mkdirat" && path === `${scratch}/d/bad` ? { errno: EINVAL } : undefined
  );
  const outcome = await transferTree(requestFor(home, scratch), system);
  assert.equal(outcome.status, "partial");
  assert.deepEqual(outcome.missing.map(({ path }) => path), ["d/bad"]);
  assert.equal(await shell("find . -type f | sort", scratch), "./d/f\n./e/f\n");
  const update = requestFor(home, scratch, { intent: "stage-update", record: outcome.manifest });
  assert.equal((await transferTree(update, testSystem())).status, "complete");
  assert.equal(await differences(home, scratch), "");
});

testTrees("if scratch refuses one name, all others are copied", async () => {
  await using directory = await homeWith("for i in $(seq 50); do echo $i >d/f$i; done; echo bad >d/bad");
  const { home, scratch } = directory;
  const { system } = systemCalling(({ name, path }) =>
    name === "openat" && path === `${scratch}/d/bad` ? { errno: EINVAL } : undefined
  );
  const outcome = await transferTree(requestFor(home, scratch), system);
  assert.equal(outcome.status, "partial");
  assert.deepEqual(outcome.missing.map(({ path }) => path), ["d/bad"]);
  assert.match(outcome.missing[0]!.reason, /does not take that name/);
  assert.equal(await shell("ls | wc -l", `${scratch}/d`), "50\n");
});

for (const intent of ["stage-update", "push"] as const) {
  testTrees(`${intent}: a file that changed while rsync read it is copied again`, async () => {
    await using directory = await homeWith("echo old >d/f; echo x >d/g");
    const { home: from, scratch: to } = directory;
    const system = await systemWith(`${directory.path}/bin`, {
      rsync:
        `"$REAL" "$@"; code=$?; [ -e ${directory.path}/once ] || { echo new >${from}/d/f; touch ${directory.path}/once; }; exit $code`,
    });
    const outcome = await transferTree(
      requestFor(from, to, { engine: "rsync", intent }),
      system,
    );
    assert.equal(outcome.status, "complete");
    assert.equal(await shell("cat d/f d/g", to), "new\nx\n");
  });
}

for (const size of ["20000", "150M"]) {
  testTrees(`a file of ${size} is read although the file system reports that no content is stored`, async () => {
    await using directory = await homeWith(
      `head -c ${size} /dev/urandom >d/f; truncate -s 300000 d/hole; echo x >>d/hole`,
    );
    const { home, scratch } = directory;
    const { system } = systemCalling(({ name, args }) => {
      // So do file systems that store content in the inode, on tape or behind FUSE.
      if (name === "lseek") return { errno: ENXIO };
      const status = args[4] as Uint8Array<ArrayBuffer>;
      if (name === "statx") return { after: () => new DataView(status.buffer, status.byteOffset).setBigUint64(48, 0n) };
    });
    const outcome = await transferTree(requestFor(home, scratch), system);
    assert.deepEqual([outcome.status, outcome.missing], ["complete", []]);
    assert.equal(await differences(home, scratch), "");
  });
}

const WITH_SOCKET = "echo x >d/f; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"d/s\")'";

testTrees("a socket is made as rsync makes it", async () => {
  await using directory = await homeWith(WITH_SOCKET);
  const { home, scratch } = directory;
  const { status } = await transferTree(requestFor(home, scratch), testSystem());
  assert.equal(status, "complete");
  assert.equal(await shell("stat -c '%n %F' d/*", scratch), "d/f regular file\nd/s socket\n");
});

testTrees("if a socket cannot be made at the target, it is left out, and that is not a fault", async () => {
  await using directory = await homeWith(WITH_SOCKET);
  const { home, scratch } = directory;
  const { system } = systemCalling(({ name }) => name === "mknodat" ? { errno: EPERM } : undefined);
  const first = await transferTree(requestFor(home, scratch), system);
  assert.deepEqual([first.status, first.missing], ["complete", []]);
  const second = await transferTree(
    requestFor(home, scratch, { intent: "stage-update", record: first.manifest }),
    system,
  );
  assert.deepEqual([second.status, second.filesTransferred], ["complete", 0]);
  assert.equal(await shell("ls d", scratch), "f\n");
});
