// Files that cannot be read, change or vanish while they are copied, and a full disk: what arrived is right, and the
// outcome names the rest.
import assert from "node:assert/strict";
import { bundle } from "../../scripts/bundle.ts";
import { CliError } from "../../src/errors/errors.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding, testUnless } from "../support/needs.ts";
import { differences, requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const RUNNER = new URL("run_transfer.ts", import.meta.url).pathname;

for (const engine of ["native", "rsync"] as const) {
  testUnless(
    Deno.uid() === 0 ? undefined : "only root can give its rights away",
    `${engine}: an unreadable file and directory are named, the rest arrives, and the outcome is partial`,
    async () => {
      await using temporary = await temporaryDirectory();
      const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
      await shell(
        `chmod 755 ${temporary.path}; mkdir -p ${from}/closed ${from}/open; echo a >${from}/closed/a; echo b >${from}/open/b; echo c >${from}/open/c
       mkdir ${from}/none; chmod 000 ${from}/open/c ${from}/closed; chown -R 65534:65534 ${temporary.path}`,
      );
      const request = JSON.stringify(requestFor(from, to, { engine }));
      // Bundled and passed through a descriptor, because other users may have no access to the sources and to Deno.
      await bundle(`${temporary.path}/run.js`, RUNNER);
      const output = await shell(
        `exec 9<${Deno.execPath()}; cd ${temporary.path}; setpriv --reuid=65534 --regid=65534 --clear-groups env HOME=${temporary.path} ` +
          `DENO_DIR=${temporary.path}/deno DENO_NO_UPDATE_CHECK=1 /proc/self/fd/9 run --allow-all --no-prompt --no-config run.js '${request}'`,
      );
      const outcome = JSON.parse(output);
      assert.equal(outcome.status, "partial");
      assert.deepEqual(outcome.missing.map((item: { path: string }) => item.path).toSorted(), ["closed", "open/c"]);
      for (const { reason } of outcome.missing) assert.match(reason, /[Pp]ermission denied/);
      assert.equal(await shell(`cd ${to}; find . -type f`), "./open/b\n");
    },
  );

  testTrees(`${engine}: files that grow, change and vanish during the transfer never arrive as a mixture`, async () => {
    await using temporary = await temporaryDirectory();
    const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
    await shell(`mkdir ${from}; for i in $(seq 400); do echo 0 >${from}/$i; done`);
    const restless = new Deno.Command("bash", {
      args: [
        "-c",
        "while :; do for i in $(seq 1 7 400); do echo $RANDOM >>$i; done; rm -f $((RANDOM % 400 + 1)); done",
      ],
      cwd: from,
    }).spawn();
    const outcome = await transferTree(requestFor(from, to, { engine }), testSystem());
    restless.kill("SIGKILL");
    await restless.status;
    for (const { reason } of outcome.missing) assert.match(reason, /vanished|changed|No such file/);
    const settled = await transferTree(requestFor(from, to, { engine, record: outcome.manifest }), testSystem());
    assert.equal(settled.status, "complete");
    assert.equal(await differences(from, to), "");
  });

  testNeeding(
    ["mount"],
    `${engine}: a full disk ends the transfer with the figures, before or while it writes`,
    async () => {
      await using temporary = await temporaryDirectory();
      const [from, to] = [`${temporary.path}/from`, `${temporary.path}/small/to`];
      await shell(
        `mkdir ${from} ${temporary.path}/small; mount -t tmpfs -o size=1m,nr_inodes=60 small ${temporary.path}/small`,
      );
      try {
        await shell(`head -c 3M /dev/urandom >${from}/big`);
        await assert.rejects(transferTree(requestFor(from, to, { engine }), testSystem()), isNoSpace);
        await shell(`rm ${from}/big; for i in $(seq 100); do echo $i >${from}/$i; done`);
        await assert.rejects(transferTree(requestFor(from, to, { engine }), testSystem()), isNoSpace);
        // By their sizes these files fit, but each needs two pages: so writing fails.
        await shell(
          `rm -r ${from}/* ${to}; for i in $(seq 50); do head -c 4200 /dev/zero >${from}/$i; done; head -c 700000 /dev/zero >${from}/z`,
        );
        await assert.rejects(transferTree(requestFor(from, to, { engine }), testSystem()), isNoSpace);
      } finally {
        // Unmount lazily: a process of a failed rsync may take a moment to end.
        await shell(`umount -l ${temporary.path}/small`);
      }
    },
  );

  testTrees(
    `${engine}: ten thousand names in one directory and hard links across many arrive unchanged`,
    async () => {
      await using temporary = await temporaryDirectory();
      const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
      await shell(
        `mkdir -p ${from}/flat ${from}/many; cd ${from}/flat; seq -f 'name %g' 10000 | xargs -d '\\n' touch
       cd ${from}/many; mkdir -p {1..100}/{a,b}; for i in {1..100}; do echo $i >$i/x; done; cp -al . ../linked; cp -al . ../flat/more`,
      );
      const outcome = await transferTree(requestFor(from, to, { engine }), testSystem());
      assert.equal(outcome.filesTotal, 10_300);
      assert.equal(await differences(from, to), "");
    },
  );
}

function isNoSpace(error: unknown): boolean {
  return error instanceof CliError && error.kind === "no-space";
}
