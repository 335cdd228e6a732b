// The laws of the three-way comparison: nothing newer is lost, nothing deleted comes back, nothing is done twice.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { EMPTY_MANIFEST, type Manifest } from "../../src/transfer/manifest.ts";
import { planTransfer, transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const PATHS = ["a", "b", "d/a", "d/b", "d/e/a", "f/a"] as const;
type Path = typeof PATHS[number];
type Side = "home" | "scratch";

/** The model: a file is its version, a number that grows with every write and is its modification time as well. */
interface Model {
  readonly home: Map<Path, number>;
  readonly scratch: Map<Path, number>;
  readonly record: Map<Path, number>;
}

function stageIn({ home, scratch, record }: Model): void {
  for (const path of PATHS) {
    const [from, to, base] = [home.get(path), scratch.get(path), record.get(path)];
    if (from === undefined) {
      if (to !== undefined && to === base) scratch.delete(path);
      if (to === undefined || to === base) record.delete(path);
      continue;
    }
    // An existing file without a record belongs to the user.
    const mayWrite = to === undefined || to === base;
    if (mayWrite) scratch.set(path, from);
    if (scratch.get(path) === from) record.set(path, from);
  }
}

function stageOut({ home, scratch, record }: Model): void {
  for (const path of PATHS) {
    const [from, to, base] = [scratch.get(path), home.get(path), record.get(path)];
    if (from === undefined || from === base) continue;
    // An existing file without a record belongs to the user.
    const mayWrite = to === undefined || to === base;
    if (mayWrite) home.set(path, from);
    if (home.get(path) === from) record.set(path, from);
  }
}

const step = fc.oneof(
  fc.record({
    do: fc.constantFrom("write", "delete"),
    side: fc.constantFrom<Side>("home", "scratch"),
    path: fc.constantFrom(...PATHS),
  }),
  fc.record({ do: fc.constantFrom("stage", "push") }),
);

testTrees("random writes, deletions, purges, stages and pushes leave what a simple model says", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 14 }), async (steps) => {
      await using directory = await temporaryDirectory();
      const root = (side: Side) => `${directory.path}/${side}`;
      await shell(`mkdir ${root("home")} ${root("scratch")}`);
      const model: Model = { home: new Map(), scratch: new Map(), record: new Map() };
      let record: Manifest = EMPTY_MANIFEST;
      for (const [at, current] of steps.entries()) {
        const version = 1_700_000_000 + at;
        if ("path" in current) {
          const file = `${root(current.side)}/${current.path}`;
          if (current.do === "delete") {
            model[current.side].delete(current.path);
            await Deno.remove(file).catch(() => {});
          } else {
            model[current.side].set(current.path, version);
            await shell(`mkdir -p "$(dirname ${file})"; echo ${version} >${file}; touch -d @${version} ${file}`);
          }
          continue;
        }
        const [from, to]: [Side, Side] = current.do === "stage" ? ["home", "scratch"] : ["scratch", "home"];
        const intent = current.do === "stage" ? "stage-update" as const : "push" as const;
        const request = requestFor(root(from), root(to), { intent, record });
        const outcome = await transferTree(request, testSystem());
        record = outcome.manifest;
        (intent === "stage-update" ? stageIn : stageOut)(model);
        assert.deepEqual(await versions(root("home")), sorted(model.home), `home after ${intent}`);
        assert.deepEqual(await versions(root("scratch")), sorted(model.scratch), `scratch after ${intent}`);
        const next = await planTransfer({ ...request, record }, testSystem());
        assert.deepEqual([next.transfers, next.deletions], [[], []], "a plan after a completed one is empty");
      }
    }),
    { numRuns: 25 },
  );
});

async function versions(root: string): Promise<Record<string, number>> {
  const lines = (await shell(`find ${root} -type f -printf '%P %Ts ' -exec cat {} ';'`)).split("\n").filter(Boolean);
  return Object.fromEntries(
    lines.map((line) => {
      const [path, , content] = line.split(" ");
      return [path, Number(content)] as const;
    }).toSorted(),
  );
}

function sorted(files: ReadonlyMap<string, number>): Record<string, number> {
  return Object.fromEntries([...files].toSorted());
}
