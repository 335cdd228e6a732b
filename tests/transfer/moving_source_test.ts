// A program goes on writing at the sending side while a transfer runs: before one of its calls a new revision is added as a careful
// client does it, contents first, and in half of the runs the old ones are removed. The copy keeps a revision that is complete.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { makeScene } from "./intents.ts";
import { systemCalling, testTrees } from "./trees.ts";

const HUB = {
  old: `mkdir -p m/blobs m/snapshots/r1 m/refs m/trees; echo 1 >m/blobs/b1; ln -s ../../blobs/b1 m/snapshots/r1/model
    echo {} >m/trees/r1.json; echo r1 >m/refs/main; find . | xargs touch -h -d 2024-01-01`,
  changes:
    `echo 2 >m/blobs/b2; mkdir m/snapshots/r2; ln -s ../../blobs/b2 m/snapshots/r2/model; echo {} >m/trees/r2.json
    echo r2 >m/refs/main; find . | xargs touch -h -d 2024-01-02`,
};

/** The same revisions, of which the receiving side has nothing. */
const NEW_HUB = { old: "echo other >other", changes: `${HUB.old}; ${HUB.changes}` };

/** After everything that was written before a transfer, and before what is written while it runs. */
const START_SECONDS = Date.parse("2024-06-01") / 1000;

/** Each of these calls in turn, counted from the first one. */
const STEP = 32;

const SCENES = [
  ["stage-update", "known", HUB],
  ["stage-update", "new", NEW_HUB],
  ["push", "known", HUB],
  ["push", "new", NEW_HUB],
  ["stage-new", "new", HUB],
] as const;

for (const [intent, what, scripts] of SCENES) {
  testTrees(`${intent}, ${what} repository: the copy is complete while another revision is written`, async () => {
    const found: string[] = [];
    let isOver = false;
    for (let turn = 0; !isOver; turn++) {
      await using scene = await makeScene(intent, scripts);
      isOver = true;
      const { system } = systemCalling(({ index }) => {
        if (index !== turn * STEP + 1) return;
        isOver = false;
        addRevision(`${scene.from}/m`);
        if (turn % 2 === 1) removeOlder(`${scene.from}/m`);
      });
      const request = { ...scene.request, walkStartSeconds: START_SECONDS };
      const { movedOnly, status, missing, manifest } = await transferTree(request, system);
      // A first copy keeps nothing back, since nobody reads it; it is not complete. A new repository may have no reference yet.
      const isTold = movedOnly &&
        (intent === "stage-new" || (what === "new" && !await exists(`${scene.to}/m/refs/main`)));
      const lack = lackOf(`${scene.to}/m`);
      if (lack !== undefined && !isTold) found.push(`call ${turn * STEP + 1}: ${status}, ${lack}`);
      if (status !== "complete" && !movedOnly) found.push(`call ${turn * STEP + 1}: ${JSON.stringify(missing)}`);
      if (status === "complete") continue;
      // What fill.ts and push.ts do then.
      const next = intent === "stage-new" ? {} : { baseline: manifest };
      const again = await transferTree({ ...request, ...next, walkStartSeconds: Date.now() / 1000 }, system);
      if (again.status !== "complete") found.push(`again: ${JSON.stringify(again.missing)}`);
      const left = lackOf(`${scene.to}/m`) ?? await Deno.readTextFile(`${scene.to}/m/refs/main`);
      if (left !== "r3\n") found.push(`again: ${left}`);
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
