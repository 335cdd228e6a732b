// A transfer that is killed leaves no partial file under a final name, and the next run completes it.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, makeNastyTree, requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

/**
 * How often to kill in a row, a sample; more by hand: EULER_FILES_TEST_KILLS=1000 scripts/deno test -A
 * tests/transfer/kill_test.ts
 */
const KILLS = Number(Deno.env.get("EULER_FILES_TEST_KILLS") ?? 12);
/**
 * A kill between symlink(2) and utimensat(2) leaves a link with the time of its creation. The next run takes it for the
 * same link, because it leads to the same target.
 */
const IGNORED = ["--omit-link-times"];
const RUNNER = new URL("run_transfer.ts", import.meta.url).pathname;

/**
 * Starts a transfer in a process of its own and kills it with all its child processes after a while, unless it has
 * ended by then.
 */
async function runAndKill(request: object, afterMilliseconds: number): Promise<"killed" | "ended"> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-prompt", RUNNER, JSON.stringify(request)],
    stdout: "null",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => {
    try {
      child.kill("SIGKILL");
    } catch {
      // The process ends at this very moment.
    }
  }, afterMilliseconds);
  const { signal } = await child.status;
  clearTimeout(timer);
  return signal === "SIGKILL" ? "killed" : "ended";
}

/**
 * Fails if a file below `root` that has only one name differs from its namesake; files with a second name are old
 * files.
 */
async function assertWhole(root: string, namesakes: string): Promise<void> {
  const script = `
import filecmp, os, stat, sys
root, namesakes = map(os.fsencode, sys.argv[1:])
for directory, directories, files in os.walk(root):
    if b".euler-files-partial" in directories: directories.remove(b".euler-files-partial")
    for name in files:
        path = os.path.join(directory, name)
        state = os.lstat(path)
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1: continue
        if not filecmp.cmp(path, os.path.join(namesakes, os.path.relpath(path, root)), shallow=False): sys.exit(f"half of {path!r}")
`;
  const { success, stderr } = await new Deno.Command("python3", { args: ["-c", script, root, namesakes] }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
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

/**
 * Gives every file of the receiving side a second name, and every file of the sending side (the working directory) new
 * content.
 */
const CHANGE_ALL = (receiver: string, second: string) =>
  `rm -rf ${second}; cp -al ${receiver} ${second}; stamp=$RANDOM$RANDOM; for i in $(seq 3000); do echo $stamp $i >many/$i; done; ` +
  "head -c $((60 + RANDOM % 60))M /dev/zero >large";

testTrees("killed at random moments while it makes a new tree, one clean run makes both sides equal", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await makeTree(from);
  for (let turn = 0; turn < KILLS; turn++) {
    const end = await runAndKill(requestFor(from, to), 120 + Math.random() * 500);
    // A tree that is complete cannot be killed half-way: start with an empty one.
    if (end === "ended") await shell(`chmod -R u+rwx ${to}; rm -rf ${to}`);
  }
  const outcome = await transferTree(requestFor(from, to), testSystem());
  assert.equal(outcome.status, "complete");
  assert.equal(await differences(from, to, ...IGNORED), "");
});

testTrees("killed in place, each file is the old or the new one, and one clean run completes it", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await makeTree(from);
  await transferTree(requestFor(from, to), testSystem());
  const changeAll = async () => await shell(CHANGE_ALL(to, `${temporary.path}/old`), from);
  await changeAll();
  const request = requestFor(from, to, { intent: "stage-update" });
  for (let turn = 0; turn < KILLS; turn++) {
    const end = await runAndKill(request, 120 + Math.random() * 300);
    // A name has the old file (the same inode as before), or the complete new content.
    await assertWhole(to, from);
    if (end === "ended") await changeAll();
  }
  const outcome = await transferTree(request, testSystem());
  assert.equal(outcome.status, "complete");
  assert.equal(await differences(from, to, ...IGNORED), "");
});

testTrees(
  "killed while it pushes, each file at the source is the old or the new one, and one clean push completes it",
  async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await makeTree(home);
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    const changeAll = async () =>
      await shell(`${CHANGE_ALL(home, `${temporary.path}/old`)}; echo new $RANDOM >brought`, scratch);
    await changeAll();
    const request = requestFor(scratch, home, {
      intent: "push",
      intentLog: `${temporary.path}/log`,
    });
    for (let turn = 0; turn < KILLS; turn++) {
      const end = await runAndKill(request, 120 + Math.random() * 600);
      await assertWhole(home, scratch);
      if (end === "ended") await changeAll();
    }
    const outcome = await transferTree({ ...request, record: manifest }, testSystem());
    assert.equal(outcome.status, "complete");
    const open = `rsync -rlptHn --specials --omit-dir-times --checksum --itemize-changes '${scratch}/' '${home}/'`;
    assert.equal(await shell(open), "");
  },
);
