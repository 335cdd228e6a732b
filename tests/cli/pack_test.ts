// The pack on scratch, from which all nodes of a job read small files, in jobs of a real Slurm: when it is made, when it is used
// again, and what happens if it or the copy on scratch is damaged before the nodes read it.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { type Cluster, SLURM_PROGRAMS, startCluster } from "../support/slurm.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const PACK = "scratch/.cache/euler-files/.HF_HOME.pack";
const COPY = "scratch/.cache/euler-files/HF_HOME";

/** 600 small files and one that is not packed. */
async function worldWithSmallFiles(): Promise<World> {
  const world = await makeWorld();
  const small = Array.from(
    { length: 600 },
    (_, index) => [`hub/${index % 20}/${index}`, `content ${index}\n`] as const,
  );
  await world.writeTree("home/hf", { ...Object.fromEntries(small), "hub/deep/large": "l".repeat(9_000_000) });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  return world;
}

/** Each part begins with an empty directory on each node, stages, and compares the copies with the source. */
function script(world: World, parts: Readonly<Record<string, string>>): string {
  const lines = Object.entries(parts).map(([name, before]) =>
    `echo "## ${name}"; ${before || ":"}
    unset HF_HOME; eval "$(euler-files sync --to node -v || echo false)" &&
      srun diff -r --no-dereference ${world.path("home/hf")} "$HF_HOME" && echo "same on all nodes"`
  );
  // A first copy is written into a directory with the number of the process in its name.
  const functions = `COPY="$TMPDIR/euler-files-*/.HF_HOME.partial.*"
sees_copy() { for _ in $(seq 1000); do ls -d $COPY >/dev/null 2>&1 && break; sleep 0.02; done; }
`;
  return `#!/bin/bash\n${functions}WIPE='srun sh -c "rm -rf $TMPDIR/euler-files-*"'\n${lines.join("\n")}\n`;
}

/** Runs the parts in a job on two nodes, and returns what each of them wrote. */
async function runParts<Name extends string>(
  world: World,
  cluster: Cluster,
  parts: Readonly<Record<Name, string>>,
): Promise<Record<Name, string>> {
  const job = await cluster.submit(script(world, parts), ["-N2", "--ntasks-per-node=1"]);
  await cluster.ended(job);
  const pieces = (await cluster.output(job)).split(/^## /m).slice(1);
  return Object.fromEntries(pieces.map((piece) => [piece.slice(0, piece.indexOf("\n")), piece])) as Record<
    Name,
    string
  >;
}

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: nodes read small files from a pack, and whatever happens to it their copies are complete",
  async () => {
    await using world = await worldWithSmallFiles();
    await using cluster = await startCluster(world, 2);
    const pack = world.path(PACK);
    const large = world.path(`${COPY}/hub/deep/large`);
    const push = `srun -N1 -n1 -w n2 sh -c 'echo new > "$HF_HOME/hub/0/new"; euler-files push --from node'`;
    // srun is started after the copy on scratch was looked at.
    const purging = `#!/bin/bash\n[ -e ~/purge ] && rm -f ~/purge ${large}\nexec /usr/bin/srun "$@"\n`;
    await world.fakeProgram("srun", purging);
    const told = await runParts(world, cluster, {
      first: "",
      again: "",
      "next job": "eval $WIPE",
      damaged: `eval $WIPE; printf XXXX | dd of=${pack} conv=notrunc status=none`,
      truncated: `eval $WIPE; truncate -s -100 ${pack}`,
      "leader killed": `eval $WIPE; euler-files sync --to node & leader=$!; sees_copy; kill -9 $leader; wait`,
      "worker killed":
        `eval $WIPE; { sees_copy; kill -9 $(ls -d $COPY | sed -E 's/.*\\.([0-9]+)-[0-9]+\\.[0-9a-f]+$/\\1/'); } &
      euler-files sync --to node; wait`,
      pushed: `${push}; eval $WIPE`,
      "purged before": `eval $WIPE; rm ${world.path(`${COPY}/hub/7/7`)} ${large}`,
      "purged meanwhile": "eval $WIPE; touch ~/purge",
      afterwards: "",
    });
    const isPacked = /packed for the nodes/;
    const isSame = /same on all nodes\n$/;
    assert.match(told.first, /packed for the nodes: 600 files[^]*on 2 nodes: 1,202 files/);
    assert.match(told.again, /on 2 nodes: up to date/);
    for (const name of ["again", "next job", "damaged"] as const) assert.doesNotMatch(told[name], isPacked);
    assert.match(told.damaged, /HF_HOME.*n1, n2: the pack on scratch cannot be used \(a checksum in it is wrong\)/);
    for (const name of ["truncated", "pushed"] as const) assert.match(told[name], isPacked);
    for (const name of ["first", "again", "next job", "damaged", "truncated", "pushed", "afterwards"] as const) {
      assert.match(told[name], isSame, name);
    }
    for (const name of ["leader killed", "worker killed", "purged before"] as const) assert.match(told[name], isSame);
    assert.match(
      told["purged meanwhile"],
      /Cannot stage "HF_HOME" on 2 of 2 nodes\n {2}n1: .*1 of 602 files[^]*hint: /,
    );
    assert.doesNotMatch(told["purged meanwhile"], isSame);
    assert.equal((await Deno.stat(pack)).mode! & 0o777, 0o600);
    const clean = await world.run(["clean", "HF_HOME", "--yes"]);
    assert.equal(clean.code, 0, clean.stderr);
    assert.deepEqual(Object.keys(await readTree(world.scratch)), [".cache/euler-files/.HF_HOME.lock"]);
  },
);
