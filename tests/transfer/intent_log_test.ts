// After an in-place transfer that was killed before it was recorded, the intent log tells the next one which files the
// transfer had written and which ones the user changed.
import assert from "node:assert/strict";
import { plainCalls } from "../../src/posix/calls.ts";
import { type TransferRequest } from "../../src/transfer/request.ts";
import {
  IntentLog,
  lastReceivingSide,
  openedIn,
  readIntentLog,
  removeIntentLog,
} from "../../src/transfer/intent_log.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testUnless } from "../support/needs.ts";
import { waitUntil } from "../support/wait.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

/** The source and scratch with the same files, the record of that, and a request in either direction. */
async function staged(root: string) {
  const [home, scratch] = [`${root}/home`, `${root}/scratch`];
  await shell(`mkdir home; cd home; for name in one two $'odd\\xff'; do echo 0 >"$name"; done; ln -s one link`, root);
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  const common = { intent: "stage-update", record: manifest, intentLog: `${root}/log` } as const;
  const stageOut: Partial<TransferRequest> = { ...common, intent: "push" };
  return {
    stageIn: (engine: TransferRequest["engine"]) => requestFor(home, scratch, { ...common, engine }),
    stageOut: (engine: TransferRequest["engine"]) => requestFor(scratch, home, { ...stageOut, engine }),
  };
}

for (const engine of ["native", "rsync"] as const) {
  testTrees(`${engine}: files that a killed stage had copied are replaced by what the source has now`, async () => {
    await using temporary = await temporaryDirectory();
    const { stageIn } = await staged(temporary.path);
    await shell(`for f in *; do [ -L "$f" ] || echo first >"$f"; done; ln -sf two link`, `${temporary.path}/home`);
    await transferTree(stageIn(engine), testSystem());
    // Killed here: the record is still the old one.
    await shell(`for f in *; do [ -L "$f" ] || echo second >"$f"; done; ln -sf one link`, `${temporary.path}/home`);
    await shell("echo work >two", `${temporary.path}/scratch`);
    const { kept } = await transferTree(stageIn(engine), testSystem());
    assert.deepEqual(kept, [{ path: "two", reason: "changed on both sides" }]);
    assert.equal(
      await shell("cat one two $'odd\\xff' link", `${temporary.path}/scratch`),
      "second\nwork\nsecond\nsecond\n",
    );
  });

  testTrees(`${engine}: files that a killed push had copied are not a change at the source`, async () => {
    await using temporary = await temporaryDirectory();
    const { stageIn, stageOut } = await staged(temporary.path);
    await shell("echo first >one; echo first >two", `${temporary.path}/scratch`);
    await transferTree(stageOut(engine), testSystem());
    await shell("echo second >one", `${temporary.path}/scratch`);
    const { kept } = await transferTree(stageIn(engine), testSystem());
    assert.deepEqual(kept, [{ path: "one", reason: "changed there" }], "work that was not pushed stays");
    const pushed = await transferTree(stageOut(engine), testSystem());
    assert.deepEqual(pushed.kept, []);
    assert.equal(await shell("cat one two", `${temporary.path}/home`), "second\nfirst\n");
  });
}

testTrees("a line of the intent log that a full disk truncated affects no later line", async () => {
  await using temporary = await temporaryDirectory();
  const { stageIn } = await staged(temporary.path);
  await Deno.writeTextFile(`${temporary.path}/log`, '["scratch","one",{"type":"fi');
  await shell("echo first >one; echo first >two", `${temporary.path}/home`);
  await transferTree(stageIn("native"), testSystem());
  // Killed here: the record is still the old one.
  await shell("echo second >one; echo second >two", `${temporary.path}/home`);
  const { kept } = await transferTree(stageIn("native"), testSystem());
  assert.deepEqual(kept, []);
  assert.equal(await shell("cat one two", `${temporary.path}/scratch`), "second\nsecond\n");
});

for (
  const [what, plant, fault] of [
    ["link", "ln -s ../victim log", "it is a symbolic link"],
    ["dangling link", "ln -s made log", "it is a symbolic link"],
    ["FIFO", "mkfifo log", "it is not a file"],
    [
      "FIFO that is read",
      "mkfifo log; cat <>log >/dev/null 2>&1 & echo $! >../reader",
      "it is not a file",
    ],
    ["hard link", "ln ../victim log", "it has another name besides"],
    ["directory", "mkdir log", "it is not a file"],
  ] as const
) {
  testTrees(`nothing is written into a ${what} at the name of the intent log`, async () => {
    await using temporary = await temporaryDirectory();
    await shell(`echo precious >victim; mkdir root; cd root; ${plant}`, temporary.path);
    const log = new IntentLog(`${temporary.path}/root/log`, "target", plainCalls());
    const self = { type: "directory", mode: 0o700, sizeBytes: 0, mtimeSeconds: 1, mtimeNanoseconds: 0, linkTarget: "" };
    await assert.rejects(log.addOpened("d", { ...self, type: "directory" }), new RegExp(`Cannot use ".*": ${fault}`));
    await log.close();
    const left = await shell("cat victim; ls; [ ! -e reader ] || kill $(cat reader)", temporary.path);
    assert.match(left, /^precious\n(reader\n)?root\nvictim\n$/);
    assert.equal(await shell("ls root", temporary.path), "log\n");
  });
}

testUnless(
  Deno.uid() === 0 ? undefined : "not root",
  "another user's file at the name of the intent log is not written",
  async () => {
    await using temporary = await temporaryDirectory();
    await shell("echo foreign >log; chown 65534 log; chmod 666 log", temporary.path);
    const log = new IntentLog(`${temporary.path}/log`, "target", plainCalls());
    await assert.rejects(log.add([]), /it belongs to another user/);
    assert.equal(await shell("cat log", temporary.path), "foreign\n");
  },
);

testTrees("a directory's mode is known although the line before it was truncated", async () => {
  await using temporary = await temporaryDirectory();
  const path = `${temporary.path}/log`;
  await Deno.writeTextFile(path, '["home","one",{"type":"fi');
  const self = { type: "directory", mode: 0o500, sizeBytes: 0, mtimeSeconds: 1, mtimeNanoseconds: 0, linkTarget: "" };
  const log = new IntentLog(path, "source", plainCalls());
  await log.addOpened("d", { ...self, type: "directory" });
  await log.close();
  assert.deepEqual([...openedIn(await readIntentLog(path), "source")], [["d", 0o500]]);
});

testTrees(
  "rsync writes its partial files beside the target: after a kill no push takes one for a new file",
  async () => {
    await using temporary = await temporaryDirectory();
    const { stageIn } = await staged(temporary.path);
    await shell("head -c 4M /dev/urandom >large", `${temporary.path}/home`);
    const killing = new AbortController();
    const request = { ...stageIn("rsync"), extraArgs: ["--bwlimit=200"] };
    const running = transferTree(request, testSystem(killing.signal));
    const half = () => shell(`find . -name '*large.*' -size +0 -printf '%h\\n'`, temporary.path);
    await waitUntil("half a file is written", async () => await half() !== "");
    assert.match(await half(), /^\.\/scratch\.incoming\./);
    killing.abort(new Error("stopped"));
    await assert.rejects(running, /stopped/);
  },
);

testTrees(
  "at the source no sync takes a partial file of rsync for a file, and the next push removes it",
  async () => {
    await using temporary = await temporaryDirectory();
    const { stageIn, stageOut } = await staged(temporary.path);
    await shell(
      "head -c 4M /dev/urandom >large; mkdir sub; head -c 4M /dev/urandom >sub/large",
      `${temporary.path}/scratch`,
    );
    const killing = new AbortController();
    const request = { ...stageOut("rsync"), extraArgs: ["--bwlimit=200"] };
    const running = transferTree(request, testSystem(killing.signal));
    const half = () => shell(`find . -name '*large.*' -size +0 -printf '%h\\n'`, temporary.path);
    await waitUntil("half a file is written", async () => await half() !== "");
    assert.match(await half(), /^\.\/home\/\.euler-files-partial/);
    // Keep a copy of the state that kill -9 would leave: the signal below allows euler-files to tidy up.
    await shell("cp -a .euler-files-partial ../left", `${temporary.path}/home`);
    killing.abort(new Error("stopped"));
    await assert.rejects(running, /stopped/);
    // No process has such a number (proc(5), pid_max).
    await shell(
      `rm -rf .euler-files-partial large sub; mv ../left .euler-files-partial; cd .euler-files-partial
       name=$(ls -d .euler-files-incoming.*); mv $name $(sed -E 's/\\.[0-9]+(-[0-9]+\\.[0-9a-f]{8})$/.4194305\\1/' <<<$name)`,
      `${temporary.path}/home`,
    );
    await shell("rm -rf large sub", `${temporary.path}/scratch`);

    await transferTree(stageIn("native"), testSystem());
    assert.doesNotMatch(await shell("ls -A", `${temporary.path}/scratch`), /partial|large/);
    await shell("echo new >new", `${temporary.path}/scratch`);
    await transferTree(stageOut("rsync"), testSystem());
    assert.doesNotMatch(await shell("ls -A", `${temporary.path}/home`), /partial/);
    assert.equal(await shell("cat new", `${temporary.path}/home`), "new\n");
  },
);

Deno.test("lines of the intent log that are not entries are skipped", async () => {
  await using temporary = await temporaryDirectory();
  const path = `${temporary.path}/log`;
  const state = { type: "file", mode: 0o644, sizeBytes: 1, mtimeSeconds: 2, mtimeNanoseconds: 3, linkTarget: "" };
  const odd = [null, 1, "scratch", {}, [], [null], ["scratch", "a"], ["scratch", "a", null], ["other", "a", state]];
  const wrong = [...odd, ["home", 1, state], ["home", "a", { ...state, mode: "0" }], ["home", "a", {
    ...state,
    type: "x",
  }]];
  const lines = [...wrong, ["source", "a", state], ["home", "a", state]].map((entry) => JSON.stringify(entry));
  await Deno.writeTextFile(path, `${lines.join("\n")}\n["home","a",{"type":"fi`, { mode: 0o600 });
  assert.deepEqual([...await readIntentLog(path)], [["a", [{ side: "source", state }, { side: "source", state }]]]);
});

Deno.test("the log that a killed process of an earlier version left is read, and removed with the new one", async () => {
  await using directory = await temporaryDirectory();
  const [path, earlier] = [`${directory.path}/.NAME.intent-log`, `${directory.path}/.NAME.notes`];
  const state = { type: "file", mode: 0o644, sizeBytes: 1, mtimeSeconds: 2, mtimeNanoseconds: 3, linkTarget: "" };
  const newer = { ...state, sizeBytes: 9 };
  await Deno.writeTextFile(earlier, JSON.stringify(["scratch", "a", state]) + "\n", { mode: 0o600 });
  assert.equal(await lastReceivingSide(path), "target");
  await Deno.writeTextFile(path, JSON.stringify(["source", "a", newer]) + "\n", { mode: 0o600 });
  assert.deepEqual([...await readIntentLog(path)], [
    ["a", [{ side: "target", state }, { side: "source", state: newer }]],
  ]);
  assert.equal(await lastReceivingSide(path), "source");
  await removeIntentLog(path);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(directory.path)), []);
});
