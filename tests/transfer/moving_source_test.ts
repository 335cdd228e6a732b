// A program writes at the sending side while a transfer runs: before one of its calls a new revision is added as a
// careful client does it, contents first, and in half of the runs the old revision is removed. The copy must have a
// complete revision.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { makeScene } from "./intents.ts";
import { systemCalling, testSystem, testTrees } from "./trees.ts";

const HUB = {
  old: `mkdir -p m/blobs m/snapshots/r1 m/refs m/trees; echo 1 >m/blobs/b1; ln -s ../../blobs/b1 m/snapshots/r1/model
    echo {} >m/trees/r1.json; echo r1 >m/refs/main; find . | xargs touch -h -d 2024-01-01`,
  changes:
    `echo 2 >m/blobs/b2; mkdir m/snapshots/r2; ln -s ../../blobs/b2 m/snapshots/r2/model; echo {} >m/trees/r2.json
    echo r2 >m/refs/main; find . | xargs touch -h -d 2024-01-02`,
};

/** The same revisions, none of which the receiving side has. */
const NEW_HUB = { old: "echo other >other", changes: `${HUB.old}; ${HUB.changes}` };

/** Later than everything that was written before the transfer, and earlier than what is written while it runs. */
async function startSeconds(): Promise<number> {
  // The kernel gives files the time of its last tick, which two of them that are written at once may share.
  await new Promise((resolve) => setTimeout(resolve, 20));
  const file = await Deno.makeTempFile();
  const { mtime } = await Deno.stat(file);
  await Deno.remove(file);
  return mtime!.getTime() / 1000;
}

/**
 * In the runs one after the other the revision is added before call 1, 33, 65 and so on, until a run ends before that
 * call.
 */
const STEP = 32;

const SCENES = [
  ["stage-update", "known", HUB],
  ["stage-update", "new", NEW_HUB],
  ["push", "known", HUB],
  ["push", "new", NEW_HUB],
  ["stage-new", "new", HUB],
] as const;

/** How the other program adds the revision: moved in, its files are older than the walk. */
const WAYS = { written: addRevision, "moved in": moveRevisionIn };

const CASES = SCENES.flatMap((scene) => Object.entries(WAYS).map(([way, add]) => [...scene, way, add] as const));

for (const [intent, what, scripts, way, add] of CASES) {
  testTrees(`${intent}, ${what} repository: the copy is complete while another revision is ${way}`, async () => {
    const found: string[] = [];
    let isOver = false;
    for (let turn = 0; !isOver; turn++) {
      await using scene = await makeScene(intent, scripts);
      const walkStartSeconds = await startSeconds();
      isOver = true;
      const { system } = systemCalling(({ index }) => {
        if (index !== turn * STEP + 1) return;
        isOver = false;
        add(`${scene.from}/m`);
        if (turn % 2 === 1) removeOlder(`${scene.from}/m`);
      });
      const request = { ...scene.request, walkStartSeconds };
      const { movedOnly, status, missing, manifest } = await transferTree(request, system);
      // A first copy keeps nothing back, because no program reads it yet; it is not complete. A new repository may have
      // no reference yet.
      const isTold = movedOnly &&
        (intent === "stage-new" || (what === "new" && !await exists(`${scene.to}/m/refs/main`)));
      const lack = lackOf(`${scene.to}/m`);
      if (lack !== undefined && !isTold) found.push(`call ${turn * STEP + 1}: ${status}, ${lack}`);
      if (status !== "complete" && !movedOnly) found.push(`call ${turn * STEP + 1}: ${JSON.stringify(missing)}`);
      if (status === "complete") continue;
      // What stage and push do then.
      const next = intent === "stage-new" ? {} : { record: manifest };
      const again = await transferTree({ ...request, ...next, walkStartSeconds: await startSeconds() }, system);
      if (again.status !== "complete") found.push(`again: ${JSON.stringify(again.missing)}`);
      const left = lackOf(`${scene.to}/m`) ?? await Deno.readTextFile(`${scene.to}/m/refs/main`);
      if (left !== "r3\n") found.push(`again: ${left}`);
    }
    assert.deepEqual(found, []);
  });
}

for (const [intent, what, scripts] of SCENES.filter(([intent, what]) => intent === "stage-new" || what === "known")) {
  testTrees(`${intent}, ${what} repository: the copy is complete though the clock of the node is ahead`, async () => {
    const found: string[] = [];
    let isOver = false;
    for (let turn = 0; !isOver; turn++) {
      await using scene = await makeScene(intent, scripts);
      isOver = true;
      const { system } = systemCalling(({ index }) => {
        if (index !== turn * STEP + 1) return;
        isOver = false;
        addRevision(`${scene.from}/m`);
      });
      // What is written meanwhile seems to be older than the walk.
      const request = { ...scene.request, walkStartSeconds: Date.now() / 1000 + 3600 };
      const { movedOnly, status } = await transferTree(request, system);
      const isTold = movedOnly &&
        (intent === "stage-new" || (what === "new" && !await exists(`${scene.to}/m/refs/main`)));
      const lack = lackOf(`${scene.to}/m`);
      if (lack !== undefined && !isTold) found.push(`call ${turn * STEP + 1}: ${status}, ${lack}`);
    }
    assert.deepEqual(found, []);
  });
}

function exists(path: string): Promise<boolean> {
  return Deno.stat(path).then(() => true, () => false);
}

function addRevision(m: string): void {
  Deno.writeTextFileSync(`${m}/blobs/b3`, "3\n");
  Deno.mkdirSync(`${m}/snapshots/r3`);
  Deno.symlinkSync("../../blobs/b3", `${m}/snapshots/r3/model`);
  Deno.writeTextFileSync(`${m}/trees/r3.json`, "{}\n");
  Deno.writeTextFileSync(`${m}/refs/.new`, "r3\n");
  Deno.renameSync(`${m}/refs/.new`, `${m}/refs/main`);
}

function moveRevisionIn(m: string): void {
  const made = `${m}-made`;
  Deno.mkdirSync(`${made}/snapshots/r3`, { recursive: true });
  for (const [name, content] of [["b3", "3\n"], ["r3.json", "{}\n"], ["main", "r3\n"]] as const) {
    Deno.writeTextFileSync(`${made}/${name}`, content);
    Deno.utimeSync(`${made}/${name}`, new Date("2024-01-03"), new Date("2024-01-03"));
  }
  Deno.symlinkSync("../../blobs/b3", `${made}/snapshots/r3/model`);
  Deno.renameSync(`${made}/b3`, `${m}/blobs/b3`);
  Deno.renameSync(`${made}/snapshots/r3`, `${m}/snapshots/r3`);
  Deno.renameSync(`${made}/r3.json`, `${m}/trees/r3.json`);
  Deno.renameSync(`${made}/main`, `${m}/refs/main`);
  Deno.removeSync(made, { recursive: true });
}

function removeOlder(m: string): void {
  for (const old of ["1", "2"]) {
    for (const path of [`trees/r${old}.json`, `snapshots/r${old}`, `blobs/b${old}`]) {
      Deno.removeSync(`${m}/${path}`, { recursive: true });
    }
  }
}

/** What a reader of the repository misses. */
function lackOf(m: string): string | undefined {
  try {
    const revision = Deno.readTextFileSync(`${m}/refs/main`).trim();
    const content = Deno.readTextFileSync(`${m}/snapshots/${revision}/model`).trim();
    return `r${content}` === revision ? undefined : `${revision} has the content ${content}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

testTrees(
  "stage-update: what is removed at the source during a transfer is removed from scratch by the next one",
  async () => {
    await using scene = await makeScene("stage-update", {
      old: `${HUB.old}; echo other >other`,
      changes: "rm -r m other",
    });
    const request = { ...scene.request, walkStartSeconds: Date.parse("2024-06-01") / 1000 };
    const first = await transferTree(request, testSystem());
    assert.deepEqual(first.missing.map(({ path, cause }) => `${path}: ${cause}`), ["m: newer", "other: newer"]);
    assert.deepEqual([first.movedOnly, first.deleted, lackOf(`${scene.to}/m`)], [true, [], undefined]);
    const next = { record: first.manifest, walkStartSeconds: await startSeconds() };
    const { status } = await transferTree({ ...request, ...next }, testSystem());
    assert.deepEqual([status, await Array.fromAsync(Deno.readDir(scene.to))], ["complete", []]);
  },
);
