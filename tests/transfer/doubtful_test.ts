// What may look as if it had arrived: written badly, torn while it was read, or said to be empty by the file system.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import {
  differences,
  requestFor,
  shell,
  systemWith,
  systemWithOnly,
  temporaryDirectory,
  testSystem,
  testTrees,
} from "./trees.ts";

async function homeWith(script: string) {
  const place = await temporaryDirectory();
  const [home, scratch] = [`${place.path}/home`, `${place.path}/scratch`];
  await shell(`mkdir -p ${home}/d; cd ${home}; ${script}`);
  return { ...place, home, scratch, [Symbol.asyncDispose]: () => place[Symbol.asyncDispose]() };
}

testTrees("a file that tar could not close is not there for the next run, which brings it", async () => {
  await using place = await homeWith("for i in 1 2 3; do head -c 5000 /dev/urandom >d/f$i; done");
  const { home, scratch } = place;
  // A quota is often told at close only; what was lost then has the right size and time.
  const system = await systemWith(`${place.path}/bin`, {
    tar: `"$REAL" "$@"; code=$?
case "$*" in *--extract*)
  if [ -f ${scratch}/d/f2 ]; then
    touch -r ${scratch}/d/f2 ${place.path}/time; head -c 5000 /dev/zero >${scratch}/d/f2; touch -r ${place.path}/time ${scratch}/d/f2
  fi
  echo "tar: ./d/f2: Cannot close: Input/output error" >&2; exit 2;;
esac
exit $code`,
  });
  const failed = await transferTree(requestFor(home, scratch, { engine: "native" }), system);
  assert.notEqual(failed.status, "complete");
  const next = await transferTree(
    requestFor(home, scratch, { engine: "native", baseline: failed.manifest }),
    testSystem(),
  );
  assert.equal(next.status, "complete");
  assert.equal(await differences(home, scratch), "");
});

testTrees("one name that scratch refuses keeps none of the others back", async () => {
  await using place = await homeWith("for i in $(seq 50); do echo $i >d/f$i; done; echo bad >d/bad");
  const { home, scratch } = place;
  const system = await systemWith(`${place.path}/bin`, {
    tar: `case "$*" in *--extract*) ;; *) exec "$REAL" "$@";; esac
"$REAL" "$@"; code=$?
[ -e "$(find ${scratch} -name bad)" ] || exit $code
rm "$(find ${scratch} -name bad)"; echo "tar: ./d/bad: Cannot open: Invalid argument" >&2; exit 2`,
  });
  const outcome = await transferTree(requestFor(home, scratch, { engine: "native" }), system);
  assert.equal(outcome.status, "partial");
  assert.deepEqual(outcome.missing, [{ path: "d/bad", reason: "tar: ./d/bad: Cannot open: Invalid argument" }]);
  assert.equal(await shell("ls | wc -l", `${scratch}/d`), "50\n");
});

for (const policy of ["stage-in", "stage-out"] as const) {
  testTrees(`${policy}: a file that changed while rsync read it is brought again`, async () => {
    await using place = await homeWith("echo old >d/f; echo x >d/g");
    const { home: from, scratch: to } = place;
    const system = await systemWith(`${place.path}/bin`, {
      rsync:
        `"$REAL" "$@"; code=$?; [ -e ${place.path}/once ] || { echo new >${from}/d/f; touch ${place.path}/once; }; exit $code`,
    });
    const outcome = await transferTree(requestFor(from, to, { engine: "rsync", policy, publish: "in-place" }), system);
    assert.equal(outcome.status, "complete");
    assert.equal(await shell("cat d/f d/g", to), "new\nx\n");
  });
}

testTrees("a file of which the file system says that nothing is stored is read", async () => {
  await using place = await homeWith("head -c 20000 /dev/urandom >d/f; truncate -s 300000 d/hole; echo x >>d/hole");
  const { home, scratch } = place;
  const system = await systemWith(`${place.path}/bin`, {
    find: 'args=("${@//%b/0}"); exec "$REAL" "${args[@]}"',
    // GNU tar takes the file system at its word and reads nothing, once it looks for holes.
    tar: `case "$*" in *--sparse*) echo "tar: looks for holes" >&2; exit 2;; esac; exec "$REAL" "$@"`,
  });
  const outcome = await transferTree(requestFor(home, scratch, { engine: "native" }), system);
  assert.deepEqual([outcome.status, outcome.missing], ["complete", []]);
  assert.equal(await differences(home, scratch), "");
});

testTrees("without rsync a socket stays where it is, and is no fault", async () => {
  await using place = await homeWith(
    "echo x >d/f; python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"d/s\")'",
  );
  const { home, scratch } = place;
  const system = await systemWithOnly(`${place.path}/bin`, ["find", "tar", "xargs", "sh"]);
  const first = await transferTree(requestFor(home, scratch), system);
  assert.deepEqual([first.status, first.missing], ["complete", []]);
  const second = await transferTree(
    requestFor(home, scratch, { publish: "in-place", baseline: first.manifest }),
    system,
  );
  assert.deepEqual([second.status, second.filesTransferred], ["complete", 0]);
  assert.equal(await shell("ls d", scratch), "f\n");
});
