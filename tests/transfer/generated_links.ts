// Trees of files and links that fast-check makes: a source and directories outside of it. Links lead only to
// directories later in a list, so no directory contains a link to itself: real rsync would follow such a link until it
// fails.
import fc from "../support/fast_check.ts";
import { shell } from "./trees.ts";

/** Directories relative to the parent of the source, each before those that its links may lead to. */
const DIRECTORIES = [
  "source",
  "source/s1",
  "source/s1/deep",
  "source/s2",
  "outside/o1",
  "outside/o1/deep",
  "outside/o2",
];

/** This name is never a link, so that links to it make no circle. */
const FILE = "file";

/** A file or a link to make. */
export interface MadeName {
  readonly directory: number;
  readonly name: string;
  readonly kind: "file" | "link to file" | "link to directory" | "dangling" | "other name" | "nothing";
  readonly to: number;
  readonly toName: string;
  readonly style: "relative" | "absolute";
  readonly sizeBytes: number;
  readonly mode: number;
  readonly mtimeSeconds: number;
}

const made: fc.Arbitrary<MadeName> = fc.record({
  directory: fc.nat(DIRECTORIES.length - 1),
  name: fc.constantFrom("a", "b", "c", "d e", "ü", "link", "x\ny", FILE),
  kind: fc.constantFrom(
    ...["file", "file", "link to file", "link to file", "link to directory", "dangling", "other name"] as const,
  ),
  to: fc.nat(DIRECTORIES.length - 1),
  toName: fc.constantFrom("a", "b", "c", "d e"),
  style: fc.constantFrom("relative", "absolute"),
  sizeBytes: fc.constantFrom(0, 1, 4096, 300_000),
  mode: fc.constantFrom(0o644, 0o600, 0o755, 0o444),
  mtimeSeconds: fc.constantFrom(0.001, 1_000_000_000.5, 1_700_000_000.25, 4_000_000_000.125),
});

/** What to make first, and what to make or remove afterwards. */
export const names: fc.Arbitrary<readonly MadeName[]> = fc.array(made, { minLength: 5, maxLength: 40 });
export const laterNames: fc.Arbitrary<readonly MadeName[]> = fc.array(
  fc.oneof(made, made.map((one) => ({ ...one, kind: "nothing" as const }))),
  { maxLength: 12 },
);

/** Makes the empty directories. */
export async function makeDirectories(root: string): Promise<void> {
  await shell(`rm -rf source outside target oracle; mkdir -p ${DIRECTORIES.join(" ")}`, root);
}

/**
 * Makes or removes names. With `by text`, rsync's rule for what is outside, links behind followed ones are only those
 * about which rsync and euler-files agree, and no link leads into the source by an absolute path.
 */
export async function makeNames(
  root: string,
  all: readonly MadeName[],
  judged: "by text" | "not at all",
): Promise<void> {
  for (const one of all) {
    const directory = DIRECTORIES[one.directory]!;
    const path = `${root}/${directory}/${one.name}`;
    await Deno.remove(path).catch(() => {});
    if (one.kind === "file" || one.name === FILE) {
      await Deno.writeFile(path, new Uint8Array(one.sizeBytes).fill(one.mtimeSeconds % 251));
      await Deno.utime(path, one.mtimeSeconds, one.mtimeSeconds);
      await Deno.chmod(path, one.mode);
    } else if (one.kind === "other name") {
      const other = `${root}/${DIRECTORIES[one.to]}/${one.toName}`;
      if ((await Deno.lstat(other).catch(() => undefined))?.isFile) await Deno.link(other, path);
    } else if (one.kind !== "nothing") await Deno.symlink(targetOf(root, one, judged), path);
  }
}

function targetOf(root: string, one: MadeName, judged: "by text" | "not at all"): string {
  const directory = DIRECTORIES[one.directory]!;
  if (one.kind === "dangling") return one.style === "absolute" ? "/nowhere/at all" : "nothing";
  const isLater = one.to > one.directory;
  // If there is no later directory, the link leads to a file beside it.
  if (!isLater) return FILE;
  const to = DIRECTORIES[one.to]!;
  const end = one.kind === "link to file" ? `${to}/${one.toName}` : to;
  const isAbsolute = judged === "not at all"
    ? one.style === "absolute"
    : directory.startsWith("outside") || (one.style === "absolute" && to.startsWith("outside"));
  if (isAbsolute) return `${root}/${end}`;
  return relative(directory, end);
}

/** A relative path that never goes further up than necessary. */
function relative(from: string, to: string): string {
  const [here, there] = [from.split("/"), to.split("/")];
  while (here.length > 0 && here[0] === there[0]) {
    here.shift();
    there.shift();
  }
  return [...here.map(() => ".."), ...there].join("/");
}

/**
 * What rsync makes of the source. rsync leaves out dangling links; they are added as a transfer to `target` makes them.
 */
export async function makeOracle(root: string, option: string): Promise<void> {
  await shell(
    `rm -rf oracle
     rsync -aH --modify-window=-1 ${option} source/ oracle/ 2>/dev/null || [ $? = 23 ]
     find -L source -type l -printf '%P\\0' | while IFS= read -r -d '' p; do
       [[ $p != */* || -d oracle/\${p%/*} ]] || continue
       t=$(readlink "source/$p")
       rm -f "oracle/$p"
       ln -s "\${t/#$PWD\\/source\\//$PWD/target/}" "oracle/$p"
       touch -h -r "source/$p" "oracle/$p"
     done`,
    root,
  );
}
