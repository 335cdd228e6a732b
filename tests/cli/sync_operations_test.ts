// How many file system calls a start with everything fresh makes, counted by strace: on a cluster each call is a wait.
import assert from "node:assert/strict";
import { withoutEarlierValues } from "../support/framed.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const VARIABLES = 8;
const ALLOWED_PER_VARIABLE = 8;
const LAST_WEEK = Math.floor(Date.now() / 1000) - 7 * 24 * 3600 + 0.5;

async function stagedWorld(filesPerVariable: number): Promise<World> {
  const world = await makeWorld();
  const vars: Record<string, unknown> = {};
  for (let number = 0; number < VARIABLES; number++) {
    const tree: Record<string, string> = { "datasets/one": "1" };
    for (let file = 0; file < filesPerVariable; file++) tree[`hub/d${file % 20}/f${file}`] = "x";
    await world.writeTree(`home/s${number}`, tree);
    // A directory that was changed just now, or whose time is a whole second, is listed again at the next start.
    await Deno.utime(world.path(`home/s${number}`), LAST_WEEK, LAST_WEEK);
    vars[`V${number}_HOME`] = { source: world.path(`home/s${number}`) };
  }
  await world.writeConfig({ vars });
  const run = await world.run(["sync", "--quiet"]);
  assert.equal(run.code, 0, run.stderr);
  return world;
}

/** The calls that name or list a path of each variable, and how many operations they are. */
async function countOperations(world: World): Promise<{ readonly count: number; readonly calls: string[] }[]> {
  const trace = world.path("tmp/trace");
  const run = await world.exec("strace", [
    ...["-f", "-y", "-o", trace, "-e", "trace=%file,read", "-e", "signal=none"],
    ...[world.executable, "sync", "--quiet"],
  ]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(withoutEarlierValues(run.stdout).match(/^export /gm)?.length, VARIABLES);
  const operations = Array.from({ length: VARIABLES }, () => ({ count: 0, calls: [] as string[] }));
  for (const line of (await Deno.readTextFile(trace)).split("\n")) {
    // These don't ask a server: Deno's readlink(2) on each part of a path that it opens, which the kernel answers from
    // the lookup itself, and the attributes of a file that was just opened. A directory that is opened is listed, so it
    // counts twice, and its getdents64(2) calls are not counted again (the last one only learns that there is no more).
    if (/\breadlink(at)?\(|>, "", |getdents64/.test(line)) continue;
    const weight = line.includes("O_DIRECTORY") ? 2 : 1;
    const match = /\/home\/s(\d)\b|\/\.?V(\d)_HOME\b/.exec(line);
    const number = match?.[1] ?? match?.[2];
    if (number === undefined || /resumed>/.test(line)) continue;
    const operation = operations[Number(number)]!;
    operation.count += weight;
    operation.calls.push(line.replace(/AT_FDCWD<[^>]*>/, "").slice(0, 200));
  }
  return operations;
}

for (const files of [20, 600]) {
  testNeeding(
    ["strace"],
    `a fresh variable of ${files} files costs at most ${ALLOWED_PER_VARIABLE} operations`,
    async () => {
      await using world = await stagedWorld(files);
      for (const { count, calls } of await countOperations(world)) {
        assert.ok(count > 0 && count <= ALLOWED_PER_VARIABLE, `${count} operations:\n${calls.join("\n")}`);
      }
    },
  );
}
