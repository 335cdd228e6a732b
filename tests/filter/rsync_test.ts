// A selection selects the same names as rsync, over a fixed tree and generated rules.
import { deepEqual } from "node:assert/strict";
import fc from "../support/fast_check.ts";
import {
  parseFilterRule,
  parseOldRule,
  parseRuleFile,
  type RuleOrClear,
  withoutCleared,
} from "../../src/filter/rule_text.ts";
import { makeSelection, type Selection } from "../../src/filter/selection.ts";
import { testNeeding } from "../support/needs.ts";

const NAMES = ["a", "b", "ab", "a.c", "é", "b-1", "[", "*"];

/** Directories three levels deep, each with a file and a directory of the same kinds of names. */
async function makeTree(root: string): Promise<string[]> {
  const paths: string[] = [];
  const fill = async (directory: string, depth: number) => {
    await Deno.mkdir(`${root}/${directory}`, { recursive: true });
    for (const [index, name] of NAMES.entries()) {
      const path = directory === "" ? name : `${directory}/${name}`;
      // Files and directories in each directory; at each depth other names are the directories.
      if (depth < 3 && (index + depth) % 2 === 0) {
        paths.push(`${path}/`);
        await fill(path, depth + 1);
      } else {
        paths.push(path);
        await Deno.writeTextFile(`${root}/${path}`, "");
      }
    }
  };
  await fill("", 0);
  return paths;
}

function selectedPaths(paths: readonly string[], selection: Selection | undefined): string[] {
  if (selection === undefined) return [...paths];
  const excluded: string[] = [];
  return paths.filter((path) => {
    if (excluded.some((directory) => path.startsWith(directory))) return false;
    const isDirectory = path.endsWith("/");
    const takes = selection.includes(isDirectory ? path.slice(0, -1) : path, isDirectory ? "directory" : "other");
    if (!takes && isDirectory) excluded.push(path);
    return takes;
  });
}

async function rsyncPaths(root: string, args: readonly string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command("rsync", {
    args: ["-a", "-n", "-8", "--out-format=%n", ...args, `${root}/`, `${root}-none/`],
    env: { LC_ALL: "C" },
  }).output();
  if (code !== 0) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout).split("\n").filter((line) =>
    line !== "" && line !== "./" && !/^created /.test(line)
  );
}

const PIECES = [
  ...["a", "b", "c", ".", "-", "é", " ", "1"],
  ...["*", "**", "***", "?", "/", "/", "\\", "[ab]", "[!a]", "[a-c]", "[^b.]", "[[:alpha:]]", "[]*]", "[[]", "[", "]"],
];
const PATTERN = fc.array(fc.constantFrom(...PIECES), { minLength: 1, maxLength: 5 }).map((pieces) => pieces.join(""));
const RULE = fc.tuple(fc.constantFrom("--exclude", "--include", "+", "-"), PATTERN);

interface Case {
  readonly args: readonly string[];
  readonly rules: readonly RuleOrClear[];
}

function caseOf(written: readonly (readonly [string, string])[]): Case {
  const rules: RuleOrClear[] = [];
  const args: string[] = [];
  for (const [how, pattern] of written) {
    try {
      if (how.startsWith("--")) rules.push(parseOldRule(how === "--exclude" ? "exclude" : "include", pattern));
      else rules.push(parseFilterRule(`${how} ${pattern}`));
    } catch {
      continue;
    }
    args.push(how.startsWith("--") ? `${how}=${pattern}` : `--filter=${how} ${pattern}`);
  }
  return { args, rules };
}

testNeeding(["rsync"], "property: a selection selects what rsync selects", async () => {
  const root = await Deno.makeTempDir();
  try {
    const paths = await makeTree(root);
    await fc.assert(
      fc.asyncProperty(fc.array(RULE, { minLength: 1, maxLength: 5 }), async (written) => {
        const { args, rules } = caseOf(written);
        const selection = makeSelection({ rules: withoutCleared(rules), others: "selected", deleteExcluded: false });
        deepEqual(selectedPaths(paths, selection).sort(), (await rsyncPaths(root, args)).sort());
      }),
      { numRuns: Number(Deno.env.get("EULER_FILES_TEST_RUNS") ?? 80) },
    );
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

testNeeding(["rsync"], "a file of patterns means the same to rsync", async () => {
  const root = await Deno.makeTempDir();
  const file = await Deno.makeTempFile();
  try {
    const paths = await makeTree(root);
    for (
      const text of [
        "# all of a\n\n; no rule\n+ /a/ab\n- ab\n/b-1\r\n*.c\n",
        "é\n!\na\n",
        "b\r[ab]",
        " a\na \n",
      ]
    ) {
      await Deno.writeTextFile(file, text);
      for (const action of ["exclude", "include"] as const) {
        const rules = withoutCleared([...parseRuleFile(action, text), { action: "exclude", pattern: "[*]" }]);
        const selection = makeSelection({ rules, others: "selected", deleteExcluded: false });
        const expected = await rsyncPaths(root, [`--${action}-from=${file}`, "--exclude=[*]"]);
        deepEqual(selectedPaths(paths, selection).sort(), expected.sort(), `${action}-from ${JSON.stringify(text)}`);
      }
    }
  } finally {
    await Deno.remove(root, { recursive: true });
    await Deno.remove(file);
  }
});
