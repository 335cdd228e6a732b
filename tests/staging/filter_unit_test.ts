// The filter of a variable: which rules it consists of, and in which order they apply.
import { deepEqual, equal, match, rejects } from "node:assert/strict";
import type { AbsolutePath } from "../../src/config/paths.ts";
import type { VariableFilter as Lists } from "../../src/config/resolve.ts";
import type { RuleSource } from "../../src/config/rsync_extra_args.ts";
import { CliError } from "../../src/errors/errors.ts";
import type { FilterRule } from "../../src/filter/selection.ts";
import { filterOf, hasSameFilter } from "../../src/records/filter.ts";

const minus = (pattern: string): FilterRule => ({ action: "exclude", pattern });
const plus = (pattern: string): FilterRule => ({ action: "include", pattern });

function filterWith(
  { once = [], always = [], deleteExcluded = false, ...lists }: Partial<Lists> & {
    once?: readonly FilterRule[];
    always?: readonly RuleSource[];
    deleteExcluded?: boolean;
  },
) {
  const paths = { name: "A", source: "/a" as AbsolutePath, target: "/b" as AbsolutePath };
  const filter = {
    include: [],
    exclude: undefined,
    presetExclude: [],
    presetExcludeEmpty: [],
    presetExcludeSecrets: [],
    ...lists,
  };
  return filterOf({ ...paths, filter }, { filter: { once, always, deleteExcluded } });
}

async function taken(lists: Parameters<typeof filterWith>[0], ...names: readonly string[]): Promise<string[]> {
  const { selection } = await filterWith(lists);
  return names.filter((name) => selection?.includes(name, "other") ?? true);
}

Deno.test("rules of the command line apply first, then include, exclude, rsync_extra_args and the preset", async () => {
  const lists = {
    once: [minus("1"), plus("2")],
    include: ["1", "3"],
    exclude: ["2", "3", "4"],
    always: [plus("4"), minus("5"), plus("6")],
    presetExclude: ["5", "6", "7"],
  };
  deepEqual(await taken(lists, "1", "2", "3", "4", "5", "6", "7", "8"), ["2", "3", "6", "8"]);
});

Deno.test("inclusions alone exclude everything else; an empty list of exclusions means that they do not", async () => {
  deepEqual(await taken({ include: ["1"] }, "1", "2"), ["1"]);
  deepEqual(await taken({ include: ["1"], exclude: [] }, "1", "2"), ["1", "2"]);
  deepEqual(await taken({ include: ["1"], once: [minus("3")] }, "1", "2", "3"), ["1"]);
  deepEqual(await taken({ exclude: ["3"], once: [plus("1")] }, "1", "2", "3"), ["1"]);
  deepEqual(await taken({ include: ["1"], once: [plus("2")] }, "1", "2", "3"), ["1", "2"]);
  deepEqual(await taken({ once: [plus("1"), minus("3")] }, "1", "2", "3"), ["1", "2"]);
  deepEqual(await taken({ always: [plus("1")] }, "1", "2"), ["1", "2"]);
});

Deno.test("a file of patterns takes its position in the order, and a reset in it removes the rules before it", async () => {
  const file = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(file, "# notes\n!\n*.tmp\n+ a.log\n");
    const always = [minus("b"), { action: "exclude", file } as const, minus("*.log")];
    deepEqual(await taken({ always, exclude: ["c"] }, "a.log", "b.log", "b", "c", "x.tmp"), ["a.log", "b"]);
  } finally {
    await Deno.remove(file);
  }
});

Deno.test("a missing file of patterns is named", async () => {
  const always = [{ action: "include", file: "/no/such/file" } as const];
  await rejects(filterWith({ always }), (error) => {
    match(String(error), /--include-from in rsync_extra_args: "\/no\/such\/file" does not exist/);
    return error instanceof CliError && error.kind === "not-found";
  });
});

Deno.test("a target made without rules stays valid if only a preset has rules", async () => {
  const preset = await filterWith({ presetExclude: [".locks/"] });
  equal(hasSameFilter({ filter: undefined }, preset), true);
  equal(hasSameFilter({ filter: preset.selection!.id }, preset), true);
  equal(hasSameFilter({ filter: undefined }, await filterWith({ exclude: [".locks/"] })), false);
  equal(hasSameFilter({ filter: preset.selection!.id }, await filterWith({})), false);
  equal(hasSameFilter({ filter: undefined }, await filterWith({ presetExclude: ["x"], deleteExcluded: true })), false);
});
