// A table of decisions for names that are missing on one side or have another type there.
import { USUAL_TRAITS } from "../../src/transfer/traits.ts";
import assert from "node:assert/strict";
import { decideDirectory, type DecisionRules, type DirectoryPlan } from "../../src/transfer/decide.ts";
import { planLinkGroups } from "../../src/transfer/link_groups.ts";
import type { Entry, EntryType } from "../../src/transfer/entry.ts";

function entry(type: EntryType, mtimeSeconds = 100, changes: Partial<Entry> = {}): Entry {
  return {
    ...{ name: "n", type, mode: 0o755, sizeBytes: type === "file" ? 10 : 0, mtimeSeconds, mtimeNanoseconds: 5 },
    ...{ linkTarget: "", linkGroup: "", userId: 0, groupId: 0, allocatedBytes: 10, specialKind: "" },
    ...changes,
  };
}

const FILE = entry("file");
const LATER = entry("file", 200);
const DIRECTORY = entry("directory");

type Rules = Partial<DecisionRules>;
type Case = readonly [
  what: string,
  rules: Rules,
  from: Entry | undefined,
  to: Entry | undefined,
  base: Entry | undefined,
  decision: string,
];

const CASES: readonly Case[] = [
  ["new", {}, FILE, undefined, undefined, "transfer"],
  ["purged from scratch", {}, FILE, undefined, FILE, "transfer"],
  ["gone at the source", {}, undefined, FILE, FILE, "remove"],
  ["gone at the source, changed on scratch", {}, undefined, LATER, FILE, "kept: gone at the source, changed there"],
  ["only on scratch", {}, undefined, FILE, undefined, ""],
  ["only on scratch, extras deleted", { removals: "all" }, undefined, FILE, undefined, "remove"],
  ["a directory gone at the source", {}, undefined, DIRECTORY, DIRECTORY, "remove, descend"],
  ["a directory only on scratch", {}, undefined, DIRECTORY, undefined, ""],
  ["push: new on scratch", { policy: "push" }, FILE, undefined, undefined, "transfer"],
  ["push: deleted at home", { policy: "push" }, FILE, undefined, FILE, "kept: deleted there"],
  ["push: deleted at home, changed on scratch", { policy: "push" }, LATER, undefined, FILE, "transfer"],
  ["push: gone from scratch", { policy: "push" }, undefined, FILE, FILE, ""],
  ["push: only at home", { policy: "push" }, undefined, FILE, undefined, ""],
  ["push: a directory deleted at home", { policy: "push" }, DIRECTORY, undefined, DIRECTORY, "descend"],
  ["push: a new directory", { policy: "push" }, DIRECTORY, undefined, undefined, "make, descend"],
  ["mirror: only at the target", { policy: "mirror" }, undefined, FILE, undefined, "extra"],
  ["mirror: changed at the target", { policy: "mirror" }, FILE, LATER, undefined, "transfer"],
  ["a directory where a recorded file was", {}, DIRECTORY, FILE, FILE, "clear, make, descend"],
  ["a directory where a changed file is", {}, DIRECTORY, LATER, FILE, "kept: in the way"],
  ["a file where a recorded directory was", {}, FILE, DIRECTORY, DIRECTORY, "remove, successor, descend"],
  ["a file where a job made a directory", {}, FILE, DIRECTORY, FILE, "kept: in the way"],
  ["push: a file where home has a directory", { policy: "push" }, FILE, DIRECTORY, undefined, "kept: in the way"],
  ["other permissions", {}, FILE, entry("file", 100, { mode: 0o600 }), FILE, "mode"],
  ["push: other permissions", { policy: "push" }, FILE, entry("file", 100, { mode: 0o600 }), FILE, ""],
  ["damaged on scratch", {}, FILE, entry("file", 100, { sizeBytes: 3 }), FILE, "kept: damaged"],
  [
    "push: damaged on scratch",
    { policy: "push" },
    entry("file", 100, { sizeBytes: 3 }),
    FILE,
    FILE,
    "kept: damaged",
  ],
  [
    "private: half of an earlier attempt that looks newer",
    { receivingSide: "private" },
    FILE,
    LATER,
    undefined,
    "transfer",
  ],
  [
    "private: a link without its time",
    { receivingSide: "private" },
    entry("link", 100, { linkTarget: "a" }),
    entry("link", 200, { linkTarget: "a" }),
    undefined,
    "transfer",
  ],
  [
    "in use: a link with another time",
    {},
    entry("link", 100, { linkTarget: "a" }),
    entry("link", 200, { linkTarget: "a" }),
    undefined,
    "",
  ],
];

for (const [what, rules, from, to, base, decision] of CASES) {
  Deno.test(`${what}: ${decision || "nothing"}`, () => {
    const plan = decideDirectory({
      ...{ directory: "", from: from === undefined ? [] : [from], to: to === undefined ? [] : [to] },
      ...{ recordOf: () => base, fromSelf: undefined, toSelf: undefined },
    }, {
      ...{ policy: "stage", traits: USUAL_TRAITS, removals: "recorded" },
      ...{ unrecorded: "foreign", receivingSide: "live", ...rules },
    });
    assert.equal(describe(plan), decision);
  });
}

function describe(plan: DirectoryPlan): string {
  const lists = {
    ...{ transfer: plan.transfers, mode: plan.modes, clear: plan.clears, make: plan.makes, remove: plan.removals },
    ...{ successor: plan.successors, extra: plan.extras, descend: plan.descend },
  };
  const words = Object.entries(lists).filter(([, list]) => list.length > 0).map(([word]) => word);
  return [...words, ...plan.kept.map(({ reason }) => `kept: ${reason}`)].join(", ");
}

Deno.test("names of one file are transferred together, or not at all", () => {
  const member = (name: string, state: "to transfer" | "same" | "recorded", group: string, there = "") => ({
    directory: "d",
    from: entry("file", 100, { name, linkGroup: group }),
    to: there === "" ? undefined : entry("file", 100, { name, linkGroup: there }),
    state,
  });
  const groups = planLinkGroups([
    member("a", "to transfer", "1:1"),
    member("b", "same", "1:1", "2:5"),
    member("c", "same", "1:2", "2:6"),
    member("d", "same", "1:2", "2:6"),
    // One file at the source, two files at the target.
    member("e", "same", "1:3", "2:7"),
    member("f", "same", "1:3", "2:8"),
    member("g", "recorded", "1:4"),
  ]);
  assert.deepEqual(groups.map((group) => group.map(({ from }) => from.name)), [["a", "b"], ["e", "f"]]);
});
