// What both sides must have in the end: each edit is a file of its own, or a new version of a file that only one side
// changes, so the order of syncs and pushes does not matter. Each file says which version it is, from its first byte to
// its last.
import { dirname } from "node:path";

/** The sides on which files are edited. */
export type Side = "home" | "scratch";

/** Files that get new versions, on each side. */
const VERSIONED = 8;

const LINE = "0123456789abcdef".repeat(4);

/** The content of a version of a file: a text whose length and end show whether it is complete. */
function contentOf(path: string, version: number): string {
  // Some bytes or some hundred kilobytes, so that a kill can also happen within a file.
  const lines = (version * 37 + path.length * 11) % 6 === 0 ? 8000 : version * 7 % 40;
  return [`${path} ${version} ${lines}`, ...new Array<string>(lines).fill(LINE), `end of ${path} ${version}`, ""].join(
    "\n",
  );
}

/** What is wrong with a file's content; undefined for a complete version. */
export function faultOf(path: string, content: string): string | undefined {
  const version = Number(content.slice(0, content.indexOf("\n")).split(" ").at(-2));
  return content === contentOf(path, version) ? undefined : `${path} is not a whole version of itself`;
}

/** The edits that were made. */
export class Edits {
  readonly #versions = new Map<string, number>();
  #files = 0;

  /** `outside` is a directory on the same file system, in which files are written before they get their names. */
  constructor(readonly roots: Readonly<Record<Side, string>>, readonly outside: string) {}

  get count(): number {
    return this.#files;
  }

  /** The expected content of all files. */
  expected(): ReadonlyMap<string, string> {
    return new Map([...this.#versions].map(([path, version]) => [path, contentOf(path, version)]));
  }

  /** Makes the first files at the source, also those that are changed on scratch later. */
  async begin(files: number): Promise<void> {
    for (let file = 0; file < files; file++) await this.#write("home", `first/${file % 9}/${file}`);
    for (let file = 0; file < VERSIONED; file++) {
      for (const side of ["home", "scratch"]) await this.#write("home", `changed-at-${side}/${file}`);
    }
  }

  /** Makes a new file, or a new version of one. On scratch nothing is made before the target exists. */
  async edit(side: Side, random: () => number): Promise<void> {
    if (await Deno.stat(this.roots[side]).then(() => false, () => true)) return;
    const path = random() < 0.5
      ? `changed-at-${side}/${Math.floor(random() * VERSIONED)}`
      : `made-at-${side}/${Math.floor(random() * 5)}/${this.#files}`;
    await this.#write(side, path);
  }

  async #write(side: Side, path: string): Promise<void> {
    const version = (this.#versions.get(path) ?? 0) + 1;
    const written = `${this.outside}/${crypto.randomUUID()}`;
    await Deno.writeTextFile(written, contentOf(path, version));
    const target = `${this.roots[side]}/${path}`;
    await Deno.mkdir(dirname(target), { recursive: true });
    await Deno.rename(written, target);
    this.#versions.set(path, version);
    this.#files++;
  }
}

/** All files below a root with their contents. A file that vanishes while it is read is left out. */
export async function readFiles(root: string, below = ""): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const directory = below === "" ? root : `${root}/${below}`;
  const entries = await Array.fromAsync(Deno.readDir(directory)).catch(() => []);
  for (const { name, isDirectory } of entries) {
    const path = below === "" ? name : `${below}/${name}`;
    if (isDirectory) { for (const [inner, content] of await readFiles(root, path)) files.set(inner, content); }
    else {
      const content = await Deno.readTextFile(`${root}/${path}`).catch(() => undefined);
      if (content !== undefined) files.set(path, content);
    }
  }
  return files;
}

/** How the files below a root differ from the expected ones. */
export async function differences(root: string, expected: ReadonlyMap<string, string>): Promise<string[]> {
  const found = await readFiles(root);
  const wrong: string[] = [];
  for (const [path, content] of expected) {
    const there = found.get(path);
    if (there === undefined) wrong.push(`${root}: ${path} is missing`);
    else if (there !== content) wrong.push(`${root}: ${path} is ${JSON.stringify(there.slice(0, 60))}`);
  }
  for (const path of found.keys()) if (!expected.has(path)) wrong.push(`${root}: ${path} is more than there should be`);
  return wrong;
}
