// Links that are followed: the target has what they lead to, and a push never writes through one.
import assert from "node:assert/strict";
import { planTransfer, type TransferOutcome, type TransferRequest, transferTree } from "../../src/transfer/transfer.ts";
import { makeSelection } from "../../src/filter/selection.ts";
import { EACCES } from "../../src/posix/errno.ts";
import { differences, requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

interface Scene {
  readonly root: string;
  readonly source: string;
  readonly target: string;
  readonly request: (changes?: Partial<TransferRequest>) => TransferRequest;
  readonly update: (changes: Partial<TransferRequest>) => TransferRequest;
  readonly push: (changes: Partial<TransferRequest>) => TransferRequest;
}

const MAKE = `mkdir -p source/d other/dir/sub; cd source; echo inner >d/inner; ln -s d/inner in; ln -s d indir
  echo one >../other/file; echo two >../other/dir/two; echo three >../other/dir/sub/three; chmod 700 ../other/dir/sub
  ln -s two ../other/dir/near; ln -s ../file ../other/dir/far; ln -s sub ../other/dir/subway
  touch -d '2001-02-03 04:05:06.123456789' ../other/dir/two ../other/dir/sub ../other/dir
  ln -s ../other/file out; ln -s ../../other/dir d/outdir; ln -s /nowhere gone; ln -s nothing missing`;

function testLinks(name: string, make: string, run: (scene: Scene) => Promise<void>): void {
  for (const engine of ["native", "rsync"] as const) {
    testTrees(`${engine}: ${name}`, async () => {
      await using directory = await temporaryDirectory();
      const root = await Deno.realPath(directory.path);
      const [source, target] = [`${root}/source`, `${root}/target`];
      await shell(make, root);
      const common: Partial<TransferRequest> = { engine, linkRoots: { source, target }, intentLog: `${root}/log` };
      await run({
        ...{ root, source, target },
        request: (changes = {}) => requestFor(source, target, { ...common, intentLog: undefined!, ...changes }),
        update: (changes) => requestFor(source, target, { ...common, intent: "stage-update", ...changes }),
        push: (changes) => requestFor(target, source, { ...common, intent: "push", ...changes }),
      });
    });
  }
}

/** What rsync makes of the tree with these options; rsync cannot copy dangling links, so those are made by hand. */
async function oracle(root: string, options: string): Promise<void> {
  await shell(
    `rsync -aH --modify-window=-1 ${options} source/ oracle/ 2>/dev/null || [ $? = 23 ]
     find source -xtype l -printf '%P\\0' | while IFS= read -r -d '' p; do cp -Pp "source/$p" "oracle/$p"; done
     touch -r source oracle`,
    root,
  );
}

testLinks(
  "follow-outside: a link that leads out of the source becomes what it leads to",
  MAKE,
  async ({ root, target, request, update }) => {
    const links = "follow-outside";
    const plan = await planTransfer(request({ links }), testSystem());
    const first = await transferTree(request({ links }), testSystem());
    assert.deepEqual([first.status, first.missing, first.filesTransferred], ["complete", [], plan.filesToTransfer]);
    assert.equal(first.bytesTotal, plan.bytesTotal);
    assert.equal(await shell("cat out d/outdir/two d/outdir/sub/three d/outdir/far", target), "one\ntwo\nthree\none\n");
    assert.equal(
      await shell("readlink in indir d/outdir/near d/outdir/subway gone missing", target),
      "d/inner\nd\ntwo\nsub\n/nowhere\nnothing\n",
    );
    assert.equal(await shell("[ -L out ] || [ -L d/outdir ] || [ -L d/outdir/far ] || echo none", target), "none\n");
    assert.equal(
      await shell("stat -c '%a %y' d/outdir/sub", target),
      await shell("stat -c '%a %y' sub", `${root}/other/dir`),
    );
    assert.deepEqual(first.outsideLinks.links.map(({ path }) => path), ["gone"]);

    for (const depth of ["trust-record", "look-at-all"] as const) {
      const again = await transferTree(update({ links, depth, record: first.manifest }), testSystem());
      assert.deepEqual([again.status, again.filesTransferred, again.kept, again.deleted], ["complete", 0, [], []]);
    }
    await shell("echo changed >dir/two; echo new >dir/sub/new; rm dir/sub/three", `${root}/other`);
    const second = await transferTree(update({ links, record: first.manifest, names: "collect" }), testSystem());
    assert.deepEqual([second.transferred?.toSorted(), second.deleted], [
      ["d/outdir/sub/new", "d/outdir/two"],
      ["d/outdir/sub/three"],
    ]);
    assert.equal(await shell("cat d/outdir/two d/outdir/sub/new", target), "changed\nnew\n");
  },
);

testLinks("follow: every link becomes what it leads to, as with rsync -L", MAKE, async (scene) => {
  const { root, target, request } = scene;
  const first = await transferTree(request({ links: "follow" }), testSystem());
  assert.deepEqual([first.status, first.missing], ["complete", []]);
  await oracle(root, "-L");
  assert.equal(await differences(`${root}/oracle`, target), "");
});

testLinks("follow-outside equals rsync --copy-unsafe-links", MAKE, async ({ root, target, request }) => {
  // rsync judges a link behind a followed one by its location in the copy.
  await shell("rm other/dir/far", root);
  const first = await transferTree(request({ links: "follow-outside" }), testSystem());
  assert.equal(first.status, "complete");
  await oracle(root, "--copy-unsafe-links");
  assert.equal(await differences(`${root}/oracle`, target), "");
});

testLinks("a change of the setting turns links into files and files into links", MAKE, async (scene) => {
  const { target, request, update } = scene;
  const kept = await transferTree(request(), testSystem());
  assert.equal(await shell("readlink out d/outdir", target), "../other/file\n../../other/dir\n");
  const followed = await transferTree(update({ links: "follow", record: kept.manifest }), testSystem());
  assert.deepEqual([followed.status, followed.kept], ["complete", []]);
  assert.equal(await shell("cat out d/outdir/two indir/inner", target), "one\ntwo\ninner\n");
  const back = await transferTree(update({ links: "keep", record: followed.manifest }), testSystem());
  assert.deepEqual([back.status, back.kept], ["complete", []]);
  assert.equal(await shell("readlink out d/outdir indir", target), "../other/file\n../../other/dir\nd\n");
});

testLinks("a push writes through no link and names what it leaves out", MAKE, async (scene) => {
  const { root, source, target, request, push } = scene;
  const links = "follow-outside";
  const first = await transferTree(request({ links }), testSystem());
  const before = await shell("find . -printf '%p %y %s %t %l\\n' | sort", `${root}/other`);
  const untouched = await transferTree(push({ links, record: first.manifest }), testSystem());
  assert.deepEqual([untouched.status, untouched.filesTransferred, untouched.kept], ["complete", 0, []]);

  await shell(
    `echo changed >out; echo changed >d/outdir/two; echo new >d/outdir/sub/new; mkdir d/outdir/made
     echo x >d/outdir/made/x; rm d/outdir/sub/three; echo pushed >d/inner`,
    target,
  );
  const changes = { links, record: first.manifest, names: "collect" } as const;
  const plan = await planTransfer(push(changes), testSystem());
  const pushed = await transferTree(push(changes), testSystem());
  assert.deepEqual([pushed.status, pushed.transferred, plan.transfers], ["complete", ["d/inner"], ["d/inner"]]);
  const expected = ["d/outdir/made", "d/outdir/sub/new", "d/outdir/two", "out"];
  for (const { kept } of [plan, pushed]) {
    assert.deepEqual(kept.map(({ path }) => path).toSorted(), expected);
    assert.ok(kept.every(({ reason }) => reason === "a link at the source"));
  }
  assert.equal(await shell("find . -printf '%p %y %s %t %l\\n' | sort", `${root}/other`), before);
  assert.equal(await shell("readlink out d/outdir", source), "../other/file\n../../other/dir\n");
  const again = await transferTree(push({ links, record: pushed.manifest }), testSystem());
  assert.deepEqual(again.kept.map(({ path }) => path).toSorted(), expected, "it is named until it is settled");
});

testLinks(
  "a link to a directory around it stays a link, and the walk ends",
  `mkdir -p source/a/b other/x; cd source; ln -s .. a/up; ln -s ../.. a/b/top; ln -s . self; ln -s a/b b2
   ln -s ../../other a/out; ln -s ../x ../other/x/loop; ln -s ../../source ../other/x/home; ln -s / root
   ln -s circle circle; ln -s ../other/x/home/a deep; echo f >a/b/f; mkdir ../target`,
  async ({ target, request }) => {
    for (const links of ["follow-outside", "follow"] as const) {
      const outcome = await transferTree(request({ links }), testSystem());
      assert.deepEqual([outcome.status, outcome.missing], ["complete", []]);
      assert.equal(
        await shell(
          "for l in a/up a/b/top self root circle a/out/x/loop a/out/x/home; do [ -L $l ] || echo $l; done",
          target,
        ),
        "",
      );
      assert.equal(await shell("cat deep/b/f", target), "f\n");
      await shell(`rm -rf ${target}`);
    }
  },
);

testLinks(
  "hard links, large files and unusual modes behind links arrive unchanged",
  `mkdir -p source other/d; cd other; echo a >a; ln a b; ln a d/c; head -c 40000000 /dev/urandom >large
   truncate -s 50000000 holes; echo s >setuid; chmod 4755 setuid; mkdir closed; echo x >closed/x; chmod 500 closed
   cd ../source; for n in a b d large holes setuid closed; do ln -s ../other/$n $n; done`,
  async ({ root, target, request }) => {
    const outcome = await transferTree(request({ links: "follow-outside" }), testSystem());
    assert.deepEqual([outcome.status, outcome.missing], ["complete", []]);
    await oracle(root, "--copy-unsafe-links");
    assert.equal(await differences(`${root}/oracle`, target), "");
    assert.equal(await shell("stat -c %h a b d/c", target), "3\n3\n3\n");
  },
);

testLinks(
  "Workers copy many files behind links, too",
  `mkdir -p source other; python3 -c '
import os
for d in range(40):
    os.makedirs(f"other/d{d}/e")
    for n in range(400): open(f"other/d{d}/e/{n}", "w").write("x" * n)
    os.symlink(f"../other/d{d}", f"source/d{d}")
    os.symlink("e/1", f"other/d{d}/near")'`,
  async ({ root, target, request, update }) => {
    const links = "follow-outside";
    const outcome = await transferTree(request({ links }), testSystem());
    assert.deepEqual([outcome.status, outcome.missing, outcome.filesTransferred], ["complete", [], 16_040]);
    await oracle(root, "--copy-unsafe-links");
    assert.equal(await differences(`${root}/oracle`, target), "");
    const again = await transferTree(update({ links, record: outcome.manifest }), testSystem());
    assert.deepEqual([again.filesTransferred, again.recordChanged], [0, false]);
  },
);

testLinks(
  "excluded links are not followed, and unreadable files behind a link are named",
  `mkdir -p source/d other/closed other/fine; echo x >other/closed/x; echo y >other/fine/y; cd source
   ln -s ../other/fine not; ln -s ../other/fine fine; ln -s ../other/closed closed; ln -s /dev/null special
   ln -s /proc/self/fd d/odd`,
  async ({ target, request }) => {
    const selection = makeSelection({
      rules: [{ action: "exclude", pattern: "/not" }, { action: "exclude", pattern: "odd" }],
      others: "selected",
      deleteExcluded: false,
    })!;
    let lookedBehind = 0;
    const { system } = systemCalling(({ name, names, args, path }) => {
      // statx(2) without AT_SYMLINK_NOFOLLOW.
      if (name === "statx" && /^(not|odd)$/.test(names[0]!) && args[2] === 0) lookedBehind++;
      if (name === "openat" && path.endsWith("/source/closed/.")) return { errno: EACCES };
    });
    const outcome = await transferTree(request({ links: "follow-outside", selection }), system);
    assert.deepEqual([outcome.status, outcome.missing.map(({ path }) => path)], ["partial", ["closed"]]);
    assert.match(outcome.missing[0]!.reason, /Permission denied/);
    assert.equal(lookedBehind, 0);
    assert.equal(
      await shell("find . -printf '%P %y %l\\n' | grep -v closed | sort", target),
      " d \nd d \nfine d \nfine/y f \nspecial l /dev/null\n",
    );
  },
);

testLinks(
  "a followed file that can no longer be reached stays as it was staged, and is named",
  `mkdir -p source mount/dir/sub; echo a >mount/file; echo b >mount/dir/b; echo c >mount/dir/sub/c; echo i >source/i
   cd source; ln -s ../mount/file file; ln -s ../mount/dir dir; ln -s ../mount all; ln -s i inner`,
  async ({ root, source, target, request, update }) => {
    const links = "follow-outside";
    const first = await transferTree(request({ links }), testSystem());
    const list = () => shell("find . -printf '%P %y %s\\n' | sort", target);
    const before = await list();
    const paths = (outcome: TransferOutcome) => [...new Set(outcome.missing.map(({ path }) => path))].toSorted();
    await shell("mv mount elsewhere", root);
    for (const depth of ["trust-record", "look-at-all"] as const) {
      const gone = await transferTree(update({ links, depth, record: first.manifest }), testSystem());
      assert.deepEqual([gone.status, paths(gone), gone.deleted], ["partial", ["all", "dir", "file"], []]);
      assert.match(gone.missing[0]!.reason, /what the link leads to does not exist/);
      assert.equal(await list(), before);
      assert.equal(gone.manifest.files, first.manifest.files);
    }
    await shell("mkdir -p mount/dir; echo a >mount/file; touch -r elsewhere/file mount/file", root);
    const emptied = await transferTree(update({ links, record: first.manifest }), testSystem());
    assert.deepEqual(paths(emptied), ["dir"], "all is a directory with something in it");
    await shell("rm -r mount; mv elsewhere mount", root);
    const back = await transferTree(update({ links, record: emptied.manifest }), testSystem());
    assert.deepEqual([back.status, back.kept], ["complete", []]);
    assert.equal(await list(), before);

    await shell("rm -r mount/dir/*", root);
    const forced = { links, depth: "look-at-all", record: back.manifest } as const;
    const emptyOnPurpose = await transferTree(update(forced), testSystem());
    assert.equal(emptyOnPurpose.status, "complete");
    await shell("rm file dir all", source);
    const removed = await transferTree(update({ links, record: emptyOnPurpose.manifest }), testSystem());
    assert.equal(removed.status, "complete");
    assert.equal(await shell("ls", target), "i\ninner\n");
  },
);
