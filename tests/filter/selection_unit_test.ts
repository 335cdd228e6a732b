// Selections as a whole: rules in order, what inclusions alone mean, which files links add.
import { deepEqual, equal, notEqual } from "node:assert/strict";
import {
  type FilterRule,
  linkDestination,
  makeSelection,
  type Selection,
  takesPart,
  withPaths,
} from "../../src/filter/selection.ts";

const HUB = [
  "hub/",
  "hub/.locks/",
  "hub/.locks/models--gpt2/",
  "hub/.locks/models--gpt2/a.lock",
  "hub/models--bert/",
  "hub/models--bert/blobs/",
  "hub/models--bert/blobs/b1",
  "hub/models--gpt2/",
  "hub/models--gpt2/blobs/",
  "hub/models--gpt2/blobs/g1",
  "hub/models--gpt2/blobs/g2.incomplete",
  "hub/models--gpt2/snapshots/",
  "hub/models--gpt2/snapshots/1/",
  "hub/models--gpt2/snapshots/1/config.json",
  "token",
];

const PRESET: readonly FilterRule[] = [
  { action: "exclude", pattern: ".locks/" },
  { action: "exclude", pattern: "*.incomplete" },
];

function only(...patterns: readonly string[]): Selection {
  const rules = [...patterns.map((pattern) => ({ action: "include", pattern }) as const), ...PRESET];
  return makeSelection({ rules, others: "excluded", deleteExcluded: false })!;
}

/**
 * Each path with a mark: `~` for a directory that is only entered. Nothing below an excluded directory is asked for.
 */
function walked(selection: Selection, paths = HUB): string[] {
  const pruned: string[] = [];
  return paths.flatMap((shown) => {
    if (pruned.some((directory) => shown.startsWith(directory))) return [];
    const isDirectory = shown.endsWith("/");
    const role = selection.roleOf(shown.replace(/\/$/, ""), isDirectory ? "directory" : "other");
    if (role === "excluded" && isDirectory) pruned.push(shown);
    return role === "excluded" ? [] : [role === "entered" ? `~${shown}` : shown];
  });
}

const GPT2 = [
  "hub/models--gpt2/",
  "hub/models--gpt2/blobs/",
  "hub/models--gpt2/blobs/g1",
  "hub/models--gpt2/snapshots/",
  "hub/models--gpt2/snapshots/1/",
  "hub/models--gpt2/snapshots/1/config.json",
];

Deno.test("an included directory is selected with everything but what later rules exclude, and its parents are entered", () => {
  const whole = ["~hub/", ...GPT2];
  for (const pattern of ["/hub/models--gpt2/", "/hub/models--gpt2", "/hub/models--gpt2/***", "/hub/models--g*/"]) {
    deepEqual(walked(only(pattern)), whole, pattern);
  }
});

Deno.test("a pattern without an anchor may match anywhere, so every directory is entered", () => {
  const entered = ["~hub/", "~hub/models--bert/", "~hub/models--bert/blobs/", ...GPT2];
  for (const pattern of ["models--gpt2/", "hub/models--gpt2/***", "**/models--gpt2"]) {
    deepEqual(walked(only(pattern)).filter((path) => !path.startsWith("~hub/.locks")), entered, pattern);
  }
  deepEqual(walked(only("*.json")).filter((path) => !path.startsWith("~")), [
    "hub/models--gpt2/snapshots/1/config.json",
  ]);
});

Deno.test("what is excluded first stays out of an included directory", () => {
  const rules: readonly FilterRule[] = [
    { action: "exclude", pattern: "blobs/" },
    { action: "include", pattern: "/hub/models--gpt2/" },
  ];
  const selection = makeSelection({ rules, others: "excluded", deleteExcluded: false })!;
  deepEqual(walked(selection), [
    "~hub/",
    "hub/models--gpt2/",
    "hub/models--gpt2/snapshots/",
    "hub/models--gpt2/snapshots/1/",
    "hub/models--gpt2/snapshots/1/config.json",
  ]);
});

Deno.test("if other names are selected, an inclusion only exempts names from later exclusions", () => {
  const rules: readonly FilterRule[] = [{ action: "include", pattern: "g2.*" }, ...PRESET];
  const selection = makeSelection({ rules, others: "selected", deleteExcluded: false })!;
  deepEqual(walked(selection), HUB.filter((path) => !path.includes(".locks")));
  equal(takesPart(selection, "hub/.locks/models--gpt2/a.lock", "other"), false);
  equal(takesPart(selection, "hub/models--gpt2/blobs/g1", "other"), true);
});

Deno.test("without rules there is no selection; an id stands for rules, their order and the treatment of other names", () => {
  equal(makeSelection({ rules: [], others: "selected", deleteExcluded: true }), undefined);
  const idOf = (rules: readonly FilterRule[], others: "selected" | "excluded" = "selected", deleteExcluded = false) =>
    makeSelection({ rules, others, deleteExcluded })!.id;
  equal(idOf(PRESET), idOf([...PRESET]));
  for (const other of [idOf([...PRESET].reverse()), idOf(PRESET, "excluded"), idOf(PRESET, "selected", true)]) {
    notEqual(other, idOf(PRESET));
  }
});

Deno.test("the target of a link can be selected with the link", () => {
  equal(
    linkDestination("hub/models--gpt2/snapshots/1/x", "../../../models--bert/blobs/b1"),
    "hub/models--bert/blobs/b1",
  );
  equal(linkDestination("a", "../b"), undefined);
  equal(linkDestination("a/b", "/hub"), undefined);
  equal(linkDestination("a/b", ".."), undefined);
  const selection = withPaths(only("/hub/models--gpt2/"), ["hub/models--bert/blobs/b1"]);
  deepEqual(walked(selection), [
    "~hub/",
    "~hub/models--bert/",
    "~hub/models--bert/blobs/",
    "hub/models--bert/blobs/b1",
    ...GPT2,
  ]);
});

Deno.test("a rule may apply to empty files only, or to files only", () => {
  const exclude = { action: "exclude" } as const;
  const selection = makeSelection({
    rules: [{ ...exclude, pattern: "*.lock", only: "empty files" }, { ...exclude, pattern: "/token", only: "files" }],
    others: "selected",
    deleteExcluded: false,
  })!;
  const types = ["directory", "empty file", "other"] as const;
  deepEqual(types.map((type) => selection.includes("a.lock", type)), [true, false, true]);
  deepEqual(types.map((type) => selection.includes("token", type)), [true, false, false]);
  equal(selection.includes("data/token", "other"), true);
});
