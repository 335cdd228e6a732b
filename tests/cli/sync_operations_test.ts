// How many file system calls a start with everything fresh makes, counted by strace: on a cluster each call is a wait.
import assert from "node:assert/strict";
import { withoutEarlierValues } from "../support/framed.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const VARIABLES = 8;
const ALLOWED_PER_VARIABLE = 10;

async function stagedWorld(filesPerVariable: number): Promise<World> {
  const world = await makeWorld();
  const vars: Record<string, unknown> = {};
  for (let number = 0; number < VARIABLES; number++) {
    const tree: Record<string, string> = { "datasets/one": "1" };
    for (let file = 0; file < filesPerVariable; file++) tree[`hub/d${file % 20}/f${file}`] = "x";
    await world.writeTree(`home/s${number}`, tree);
    vars[`V${number}_HOME`] = { source: world.path(`home/s${number}`) };
  }
  await world.writeConfig({ vars });
  const run = await world.run(["sync", "--quiet"]);
  assert.equal(run.code, 0, run.stderr);
  return world;
}

/** The number of calls that name or list a path of each variable. */
async function countOperations(world: World): Promise<number[]> {
  const trace = world.path("tmp/trace");
  const run = await world.exec("strace", [
    ...["-f", "-y", "-o", trace, "-e", "trace=%file,read", "-e", "signal=none"],
    ...[world.executable, "sync", "--quiet"],
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(withoutEarlierValues(run.stdout).match(/^export /gm)?.length, VARIABLES);
  const counts = new Array<number>(VARIABLES).fill(0);
  for (const line of (await Deno.readTextFile(trace)).split("\n")) {
    // These don't ask a server: Deno's readlink(2) on each part of a path that it opens, which the kernel answers from
    // the lookup itself, and the attributes of a file that was just opened. A directory that is opened is listed, so it
    // counts twice, and its getdents64(2) calls are not counted again (the last one only learns that there is no more).
    if (/\breadlink(at)?\(|>, "", |getdents64/.test(line)) continue;
    const weight = line.includes("O_DIRECTORY") ? 2 : 1;
    const place = /\/home\/s(\d)\b|\/\.?V(\d)_HOME\b/.exec(line);
    const number = place?.[1] ?? place?.[2];
    if (number !== undefined && !/resumed>/.test(line)) counts[Number(number)]! += weight;
  }
  return counts;
}

for (const files of [20, 600]) {
  testNeeding(
    ["strace"],
    `a fresh variable of ${files} files costs at most ${ALLOWED_PER_VARIABLE} operations`,
    async () => {
      await using world = await stagedWorld(files);
      for (const count of await countOperations(world)) {
        assert.ok(count > 0 && count <= ALLOWED_PER_VARIABLE, `${count} operations`);
      }
    },
  );
}
