// Reads the facts about one variable: source, target, marker. Decides nothing, changes nothing.
import { messageOf } from "../errors.ts";
import { layoutOf } from "./layout.ts";
import { type Marker, type MarkerAbsence, readMarker } from "./marker.ts";

/** A source that is there, as far as freshness looks at it: the directory and its direct children. */
export interface SourceDirectory {
  readonly state: "directory";
  /** Changes when a direct child comes, goes, is replaced or gets another modification time or size. */
  readonly fingerprint: string;
  /** The newest modification time of its direct children. */
  readonly newestMtimeSeconds: number;
  readonly names: readonly string[];
  /** For each name a text that changes with what stands for it. */
  readonly children: ReadonlyMap<string, string>;
}

/** The source as it was found. */
export type SourceFacts =
  | SourceDirectory
  | { readonly state: "missing" }
  | { readonly state: "unusable"; readonly reason: string };

/** The target: which directory it is and what lies at its top level. */
export type TargetFacts =
  | {
    readonly state: "directory";
    readonly device: number;
    readonly inode: number;
    readonly names: ReadonlySet<string>;
  }
  | { readonly state: "missing" }
  | { readonly state: "unusable"; readonly reason: string };

/** All that is known about a variable at one moment. */
export interface VariableFacts {
  readonly source: SourceFacts;
  readonly target: TargetFacts;
  readonly marker: Marker | MarkerAbsence;
  /** Files of the marker's sample that aren't in the target any more. */
  readonly purgedSample: readonly string[];
}

/** How many files of the sample are looked for at each use. */
const PROBED_FILES = 1;

/** Where a variable's files are, and whose marker counts. */
export interface ObserveRequest {
  readonly name: string;
  readonly source: string;
  readonly cacheRoot: string;
  readonly userId: number;
}

/** Reads the facts of one variable, all parts at the same time: each operation waits for a server. */
export async function observeVariable(request: ObserveRequest): Promise<VariableFacts> {
  const layout = layoutOf(request.cacheRoot, request.name);
  const [source, target, [marker, purgedSample]] = await Promise.all([
    observeSource(request.source),
    observeTarget(layout.target, request.userId),
    readMarker(layout.marker, request.userId).then(async (marker) =>
      [marker, typeof marker === "string" ? [] : await probeSample(layout.target, marker.sample)] as const
    ),
  ]);
  return { source, target, marker, purgedSample };
}

/**
 * Reads the source at depth 0 and 1. Whatever changes the directory's own time shows in the names and inodes of its children,
 * so it is not asked for: on a network file system that would be one more wait for each variable of each job.
 */
export async function observeSource(path: string): Promise<SourceFacts> {
  try {
    const names: string[] = [];
    for await (const entry of Deno.readDir(path)) names.push(entry.name);
    names.sort();
    const children = new Map<string, string>();
    let newest = 0;
    const infos = await Promise.all(names.map((name) => Deno.lstat(`${path}/${name}`)));
    infos.forEach((info, place) => {
      const mtime = info.mtime?.getTime() ?? 0;
      newest = Math.max(newest, mtime);
      children.set(names[place]!, `${info.ino}\0${mtime}\0${info.isFile ? info.size : ""}`);
    });
    const lines = [...children].map(([name, text]) => `${name}\0${text}`);
    return {
      state: "directory",
      fingerprint: await shortHash(lines.join("\n")),
      newestMtimeSeconds: newest / 1000,
      names,
      children,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { state: "missing" };
    const file = error instanceof Deno.errors.NotADirectory;
    return { state: "unusable", reason: file ? "it is not a directory" : messageOf(error).toLowerCase() };
  }
}

/** The newest modification time of a source and its direct children, in seconds: `source_mtime` of older versions. */
export async function newestMtimeOf(
  path: string,
  facts: SourceDirectory,
): Promise<number> {
  const { mtime } = await Deno.stat(path);
  return Math.max(facts.newestMtimeSeconds, (mtime?.getTime() ?? 0) / 1000);
}

async function observeTarget(path: string, userId: number): Promise<TargetFacts> {
  try {
    // A link or somebody else's directory under our name is never used: what jobs read there would not be ours.
    const info = await Deno.lstat(path);
    if (info.isSymlink) return { state: "unusable", reason: "it is a symbolic link" };
    if (!info.isDirectory) return { state: "unusable", reason: "it is not a directory" };
    if (info.uid !== null && info.uid !== userId) return { state: "unusable", reason: "it belongs to another user" };
    const names = new Set<string>();
    for await (const entry of Deno.readDir(path)) names.add(entry.name);
    return { state: "directory", device: info.dev, inode: info.ino ?? 0, names };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { state: "missing" };
    return { state: "unusable", reason: messageOf(error) };
  }
}

async function probeSample(target: string, sample: readonly string[]): Promise<readonly string[]> {
  const probed = [...sample].sort(() => Math.random() - 0.5).slice(0, PROBED_FILES);
  const found = await Promise.all(
    probed.map((path) => Deno.lstat(`${target}/${path}`).then(() => true, (e) => !(e instanceof Deno.errors.NotFound))),
  );
  return probed.filter((_, place) => !found[place]);
}

async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest, 0, 12)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
