// The rules of the code that a program can check: which rooms import which, which ones use the machine, names and
// sizes.
import { deepEqual, ok } from "node:assert/strict";
import { dirname, join } from "node:path";
import { PROJECT_DIRECTORY } from "../scripts/bundle.ts";

/**
 * The layers, from the process down to what every room may use. A room (a file or directory of src/) imports only from
 * lines below its own.
 */
const LAYERS: readonly (readonly string[])[] = [
  ["main.ts"],
  ["cli"],
  ["commands"],
  ["schema", "wizard", "completion", "doctor"],
  ["runs"],
  ["status"],
  ["conflicts"],
  ["pushing"],
  ["apptainer", "migration"],
  ["staging", "venv", "shell", "slurm"],
  ["nodes"],
  ["records"],
  ["variables"],
  ["transfer"],
  ["config", "tools"],
  ["filter"],
  ["contract"],
  ["system"],
  ["posix"],
  ["errors"],
  ["text"],
];

/** Features do not import each other, except as FEATURE_IMPORTS lists. */
const FEATURES = ["apptainer", "migration", "staging", "venv", "shell", "slurm"];
const FEATURE_IMPORTS = ["apptainer → staging", "apptainer → venv", "migration → staging", "migration → venv"];

/** Uses of the process or the machine, and the rooms that may have them. */
const EDGES: readonly { readonly what: string; readonly pattern: RegExp; readonly rooms: readonly string[] }[] = [
  { what: "Deno.exit, Deno.args", pattern: /\bDeno\.(exit|args)\b/, rooms: ["main.ts", "system"] },
  { what: "Deno.env", pattern: /\bDeno\.env\b/, rooms: ["system"] },
  { what: "Deno.Command, Deno.kill", pattern: /\bDeno\.(Command|kill|run)\b/, rooms: ["system"] },
  { what: "the streams of Deno", pattern: /\bDeno\.(stdin|stdout|stderr)\b/, rooms: ["system"] },
  { what: "the streams of node", pattern: /\bprocess\.\w/, rooms: ["system", "cli"] },
  { what: "the clock", pattern: /\bDate\.now\b|\bnew Date\(\)/, rooms: ["system"] },
  { what: "signals", pattern: /\bDeno\.\w+SignalListener\b/, rooms: ["system"] },
  { what: "console", pattern: /\bconsole\.\w/, rooms: [] },
  { what: "starting programs", pattern: /\b(spawn|findProgram)\(/, rooms: ["system", "tools"] },
  { what: "node's ways to the same", pattern: /"node:(child_process|net|http|https)"/, rooms: [] },
  { what: "node's Workers", pattern: /"node:worker_threads"/, rooms: ["system"] },
];

/** These list at each start of a job, where our own calls take time to load; each says why a short list does no harm. */
const LISTED_BY_DENO = ["src/records/observe.ts", "src/staging/secrets_in_copies.ts", "src/variables/cache_root.ts"];

interface SourceFile {
  /** Relative to the project's directory: `src/cli/run.ts`. */
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly string[];
}

const FILES = await sourceFiles();

Deno.test("every room is listed in the layers", () => {
  const known = LAYERS.flat();
  deepEqual([...new Set(FILES.map(({ room }) => room).filter((room) => !known.includes(room)))], []);
});

Deno.test("imports lead down the layers, and from no command to another", () => {
  const wrong = edges().filter(({ from, to }) => {
    if (from.room === to.room) return from.room === "commands";
    if (FEATURES.includes(from.room) && FEATURES.includes(to.room)) {
      return !FEATURE_IMPORTS.includes(`${from.room} → ${to.room}`);
    }
    return layerOf(from) >= layerOf(to);
  });
  deepEqual(wrong.map(({ from, to }) => `${from.path} → ${to.path}`), []);
});

Deno.test("no imports form a circle", () => {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: readonly string[]) => {
    if (trail.includes(path)) return void cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (done.has(path)) return;
    for (const next of FILES.find((file) => file.path === path)?.imports ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const { path } of FILES) visit(path, []);
  deepEqual(cycles, []);
});

Deno.test("directories are listed by our own calls: Deno.readDir ends a list at an error as if it were complete", () => {
  const listing = FILES.filter(({ text }) => /Deno\.readDir\(/.test(text)).map(({ path }) => path);
  deepEqual(listing.toSorted(), LISTED_BY_DENO);
});

Deno.test("every file is reached from main.ts", () => {
  // Each Worker is a file of its own in the executable.
  const reached = new Set(["main.ts", "src/transfer/worker.ts", "src/system/watchdog_worker.ts"]);
  // The loop over a set also visits what is added to it meanwhile.
  for (const path of reached) {
    for (const next of FILES.find((file) => file.path === path)?.imports ?? []) reached.add(next);
  }
  deepEqual(FILES.map(({ path }) => path).filter((path) => !reached.has(path)), []);
});

for (const { what, pattern, rooms } of EDGES) {
  Deno.test(`${what}: ${rooms.length === 0 ? "nowhere" : `only in ${rooms.join(", ")}`}`, () => {
    const wrong = FILES.filter(({ room, text }) => !rooms.includes(room) && pattern.test(withoutComments(text)));
    deepEqual(wrong.map(({ path }) => path), []);
  });
}

Deno.test("no file or directory has a meaningless name", () => {
  const empty = FILES.filter(({ path }) =>
    /(^|[/_])(utils?|helpers?|common|managers?|types|misc)(_|\/|\.ts$)/.test(path)
  );
  deepEqual(empty.map(({ path }) => path), []);
});

Deno.test("every file begins with a comment that says what it is for", () => {
  deepEqual(FILES.filter(({ text }) => !/^\/\/ \S/.test(text)).map(({ path }) => path), []);
});

Deno.test("files have at most 400 lines, and half of them at most 120", () => {
  const sizes = FILES.map(({ path, text }) => ({ path, lines: text.split("\n").length - 1 }));
  deepEqual(sizes.filter(({ lines }) => lines > 400), []);
  const median = sizes.map(({ lines }) => lines).sort((a, b) => a - b)[Math.floor(sizes.length / 2)] ?? 0;
  ok(median <= 120, `the median is ${median} lines`);
});

function edges(): { from: SourceFile; to: SourceFile }[] {
  return FILES.flatMap((from) => FILES.filter(({ path }) => from.imports.includes(path)).map((to) => ({ from, to })));
}

function layerOf({ room }: SourceFile): number {
  return LAYERS.findIndex((rooms) => rooms.includes(room));
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "");
}

async function sourceFiles(): Promise<SourceFile[]> {
  const paths = ["main.ts", ...await modulesBelow("src")];
  return await Promise.all(paths.map(async (path) => {
    const text = await Deno.readTextFile(`${PROJECT_DIRECTORY}/${path}`);
    const specifiers = [...withoutComments(text).matchAll(/(?:\bfrom|\bimport\(?)\s*"(\.[^"]+)"/g)];
    return {
      path,
      room: path.replace(/^src\//, "").replace(/\/.*/, ""),
      text,
      imports: specifiers.map((match) => join(dirname(path), match[1] ?? "")),
    };
  }));
}

async function modulesBelow(directory: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${PROJECT_DIRECTORY}/${directory}`)) {
    if (isDirectory) found.push(...await modulesBelow(`${directory}/${name}`));
    else if (name.endsWith(".ts")) found.push(`${directory}/${name}`);
  }
  return found.sort();
}
