// An rsync that cannot set a file's permissions, because the server answers EIO to fchmod(2), reports that, leaves the
// file with its own mode, and goes on. Such a file counts as failed.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { makeScene } from "./intents.ts";
import { differences, shell, systemWith, testSystem } from "./trees.ts";

/** An rsync that reports this for one file: in each of its runs, or in the first. */
const refusing = (state: string, which: "each" | "first") =>
  `case "$*" in *--version*) exec $REAL "$@";; esac
  ${which === "first" ? `[ ! -e ${state} ] || exec $REAL "$@"; touch ${state}` : ""}
  $REAL "$@"; file=\${@: -1}d/file; [ ! -e $file ] || chmod 600 $file
  echo "rsync: [receiver] failed to set permissions on \"$(dirname $file)/.file.Ab12Cd\": Input/output error (5)" >&2
  exit 23`;

/** An rsync that ends with the exit code for files that failed. */
const FAILING = `case "$*" in *--version*) exec $REAL "$@";; esac\n$REAL "$@"; exit 23`;

for (const intent of ["stage-new", "stage-update"] as const) {
  const scripts = {
    old: "mkdir d; echo old >d/same; touch -d 2020-01-01 d/same",
    changes: "echo new >d/file; chmod 751 d/file; echo too >d/other",
  };
  testNeeding(["rsync"], `${intent} by rsync: a file whose mode cannot be set has failed`, async () => {
    await using scene = await makeScene(intent, scripts);
    const system = await systemWith(`${scene.root}/bin`, { rsync: refusing(`${scene.root}/state`, "each") });
    const request = { ...scene.request, engine: "rsync" } as const;
    const outcome = await transferTree(request, system);
    assert.equal(outcome.status, "partial");
    assert.deepEqual(outcome.missing.map(({ path }) => path), ["d/file"]);
    assert.match(outcome.missing[0]!.reason, /permissions.*Input\/output error/);
    const next = await transferTree({ ...request, record: outcome.manifest }, testSystem());
    assert.equal(next.status, "complete");
    assert.equal(await differences(scene.from, scene.to), "");
  });

  testNeeding(["rsync"], `${intent} by rsync: a mode that cannot be set at first is set in the end`, async () => {
    await using scene = await makeScene(intent, scripts);
    const system = await systemWith(`${scene.root}/bin`, { rsync: refusing(`${scene.root}/state`, "first") });
    const outcome = await transferTree({ ...scene.request, engine: "rsync" }, system);
    assert.deepEqual([outcome.status, outcome.missing], ["complete", []]);
    assert.equal(await differences(scene.from, scene.to), "");
  });

  testNeeding(["rsync"], `${intent} by rsync: a mode that --chmod sets is not a failure`, async () => {
    await using scene = await makeScene(intent, scripts);
    const system = await systemWith(`${scene.root}/bin`, { rsync: FAILING });
    const request = { ...scene.request, engine: "rsync", extraArgs: ["--chmod=F600"] } as const;
    const outcome = await transferTree(request, system);
    assert.deepEqual(outcome.missing, []);
    assert.equal((await shell("stat -c %a d/file", scene.to)).trim(), "600");
  });
}
