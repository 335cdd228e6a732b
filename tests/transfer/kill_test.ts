// A transfer that is killed leaves nothing wrong behind: no half file under a final name, and the next run completes it.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, makeNastyTree, requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

/** How often to kill, more by hand: EULER_FILES_TEST_KILLS=100 scripts/deno test -A tests/transfer/kill_test.ts */
const KILLS = Number(Deno.env.get("EULER_FILES_TEST_KILLS") ?? 4);
const RUNNER = new URL("run_transfer.ts", import.meta.url).pathname;

/** Starts a transfer in a process of its own and kills it with all its helpers after a while. */
async function runAndKill(request: object, afterMilliseconds: number): Promise<void> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-prompt", RUNNER, JSON.stringify(request)],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => child.kill("SIGKILL"), afterMilliseconds);
  await child.status;
  clearTimeout(timer);
}

async function makeTree(root: string): Promise<void> {
  await Deno.mkdir(root);
  await makeNastyTree(root);
  await shell(
    `mkdir many; for i in $(seq 3000); do echo $i >many/$i; done
     head -c 150M /dev/urandom >large; cp large plain/larger; echo tail >>plain/larger`,
    root,
  );
}

testTrees("killed at random moments while unpublished, one clean run makes it equal", async () => {
  await using place = await temporaryDirectory();
  const [from, to] = [`${place.path}/from`, `${place.path}/to`];
  await makeTree(from);
  for (let turn = 0; turn < KILLS; turn++) await runAndKill(requestFor(from, to), 120 + Math.random() * 500);
  const outcome = await transferTree(requestFor(from, to), testSystem());
  assert.equal(outcome.status, "complete");
  assert.equal(await differences(from, to), "");
});

testTrees("killed in place, each file is the old or the new one, and one clean run completes it", async () => {
  await using place = await temporaryDirectory();
  const [from, to] = [`${place.path}/from`, `${place.path}/to`];
  await makeTree(from);
  const { manifest } = await transferTree(requestFor(from, to), testSystem());
  await shell(
    `cp -al ${to} ${place.path}/old; for i in $(seq 3000); do echo new $i >many/$i; done; head -c 90M /dev/zero >large`,
    from,
  );
  const request = requestFor(from, to, { publish: "in-place" });
  for (let turn = 0; turn < KILLS; turn++) {
    await runAndKill(request, 120 + Math.random() * 300);
    // A name holds the old file (the same inode as before), or has all of the new content.
    await shell(
      `find . -type f -links 1 -print0 | while IFS= read -r -d '' f; do cmp -s "$f" "${from}/$f" || { echo "$f" >&2; exit 1; }; done`,
      to,
    );
  }
  const outcome = await transferTree({ ...request, baseline: manifest }, testSystem());
  assert.equal(outcome.status, "complete");
  assert.equal(await differences(from, to), "");
});

testTrees(
  "killed while it pushes, home has each file as it was or as it shall be and nothing else, and one clean push completes it",
  async () => {
    await using place = await temporaryDirectory();
    const [home, scratch] = [`${place.path}/home`, `${place.path}/scratch`];
    await makeTree(home);
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    await shell(`cp -al ${home} ${place.path}/old`);
    await shell(
      "for i in $(seq 3000); do echo new $i >many/$i; done; head -c 90M /dev/zero >large; echo new >brought",
      scratch,
    );
    const request = requestFor(scratch, home, {
      policy: "stage-out",
      publish: "in-place",
      notes: `${place.path}/notes`,
    });
    for (let turn = 0; turn < KILLS; turn++) {
      await runAndKill(request, 120 + Math.random() * 600);
      await shell(
        `find . -path ./.euler-files-partial -prune -o -type f -links 1 -print0 |
        while IFS= read -r -d '' f; do cmp -s "$f" "${scratch}/$f" || { echo "$f" >&2; exit 1; }; done`,
        home,
      );
    }
    const outcome = await transferTree({ ...request, baseline: manifest }, testSystem());
    assert.equal(outcome.status, "complete");
    const open = `rsync -rlptHn --specials --omit-dir-times --checksum --itemize-changes '${scratch}/' '${home}/'`;
    assert.equal(await shell(open), "");
  },
);
