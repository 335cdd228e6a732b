// Reads the facts about one variable: source, target, marker. Decides nothing, changes nothing.
import { messageOf } from "../errors.ts";
import type { System } from "../system/system.ts";
import { UNFINISHED } from "../transfer/own_names.ts";
import { type AbsentSourceRequest, lookAbove } from "./absent_source.ts";
import { layoutOf } from "./layout.ts";
import { type Marker, type MarkerAbsence, readMarker } from "./marker.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** A source that is there, as far as freshness looks at it: the directory and its direct children. */
export interface SourceDirectory {
  readonly state: "directory";
  /** Changes when a direct child comes, goes, is replaced or gets another modification time or size. */
  readonly fingerprint: string;
  /** The newest modification time of itself and its direct children: `source_mtime` of older versions. */
  readonly newestMtimeSeconds: number;
  /** Its own: the only sign of a child whose name is not UTF-8, since `names` can't have it. */
  readonly mtimeMilliseconds: number;
  readonly names: readonly string[];
  /** For each name a text that changes with what stands for it. */
  readonly children: ReadonlyMap<string, string>;
}

/** The source as it was found. */
export type SourceFacts =
  | SourceDirectory
  /** `parent`: whether the directory it belongs into exists or can be made. Where that is missing as well, it is most likely not mounted. */
  | { readonly state: "missing"; readonly parent: "exists" | "missing" }
  | { readonly state: "unusable"; readonly reason: string };

/** A target that is there: which directory it is and what lies at its top level. */
export interface TargetDirectory {
  readonly state: "directory";
  readonly device: number;
  readonly inode: number;
  /** Changes when a name comes or goes. */
  readonly mtimeMilliseconds: number;
  /** `as marked`: none came or went since the marker was written, so they were not listed again. */
  readonly names: ReadonlySet<string> | "as marked";
}

/** The target as it was found. */
export type TargetFacts =
  | TargetDirectory
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

/** Reads the facts of one variable, what can be at the same time: each operation waits for a server. */
export async function observeVariable(
  { name, source: path }: Pick<Variable, "name" | "source">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  { userId, env }: Pick<System, "userId" | "env">,
): Promise<VariableFacts> {
  const layout = layoutOf(cacheRoot, name);
  const reading = readMarker(layout.marker, userId);
  const [source, [marker, purgedSample, target]] = await Promise.all([
    observeSource({ name, source: path, env }, reading),
    Promise.all([reading, lookAtTarget(layout.target, userId)])
      .then(async ([marker, look]) => {
        const sample = typeof marker === "string" ? [] : marker.sample;
        const found = await Promise.all([
          probeSample(layout.target, sample),
          observeTarget(layout.target, look, marker),
        ]);
        return [marker, ...found] as const;
      }),
  ]);
  return { source, target, marker, purgedSample };
}

/** Reads the source at depth 0 and 1. A marker that knows its names saves listing them while the directory has the same time. */
export async function observeSource(
  request: AbsentSourceRequest,
  marker?: Promise<Marker | MarkerAbsence>,
): Promise<SourceFacts> {
  const { source: path } = request;
  try {
    const [self, known] = await Promise.all([Deno.stat(path), marker]);
    const mtimeMilliseconds = self.mtime?.getTime() ?? 0;
    // Listed after the look at its time: what comes later changes that.
    const names = namesAsMarked(path, mtimeMilliseconds, known) ?? await namesIn(path);
    names.sort();
    const children = new Map<string, string>();
    let newest = mtimeMilliseconds;
    const infos = await Promise.all(names.map((name) => lstatIfThere(`${path}/${name}`)));
    infos.forEach((info, place) => {
      // A temporary file of somebody, say.
      if (info === undefined) return;
      const mtime = info.mtime?.getTime() ?? 0;
      newest = Math.max(newest, mtime);
      children.set(names[place]!, `${info.ino}\0${mtime}\0${info.isFile ? info.size : ""}`);
    });
    const lines = [...children].map(([name, text]) => `${name}\0${text}`);
    return {
      state: "directory",
      fingerprint: await shortHash([mtimeMilliseconds, ...lines].join("\n")),
      newestMtimeSeconds: newest / 1000,
      mtimeMilliseconds,
      names: [...children.keys()],
      children,
    };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return await absentSource(request);
    const file = error instanceof Deno.errors.NotADirectory;
    return { state: "unusable", reason: file ? "it is not a directory" : messageOf(error).toLowerCase() };
  }
}

/** More names are not kept in a marker. */
const MOST_NAMES = 64;

/** A change within so long after another one may leave the same time; file systems of whole seconds show no fraction. */
const SAME_TIME_MILLISECONDS = { fine: 100, seconds: 3000 };

/** The names of a source for a marker, if its time was settled at that moment, by which the source was not looked at yet. */
export function markedListing(
  { mtimeMilliseconds, names }: SourceDirectory,
  beforeMilliseconds: number,
): Pick<Marker, "source_listing"> {
  const window = SAME_TIME_MILLISECONDS[mtimeMilliseconds % 1000 === 0 ? "seconds" : "fine"];
  if (names.length > MOST_NAMES || beforeMilliseconds - mtimeMilliseconds < window) return {};
  return { source_listing: { mtime: mtimeMilliseconds, names: [...names] } };
}

function namesAsMarked(
  path: string,
  mtimeMilliseconds: number,
  marker: Marker | MarkerAbsence | undefined,
): string[] | undefined {
  if (typeof marker !== "object" || marker.source !== path) return undefined;
  const { source_listing: listing } = marker;
  return listing?.mtime === mtimeMilliseconds ? [...listing.names] : undefined;
}

async function absentSource(request: AbsentSourceRequest): Promise<SourceFacts> {
  const parent = await lookAbove(request);
  if (parent === "dangling") return { state: "unusable", reason: "it is a symbolic link that leads nowhere" };
  return { state: "missing", parent };
}

/** Names at the source's top level that the target lacks. */
export function namesLacking(source: SourceDirectory, target: TargetDirectory): readonly string[] {
  const { names } = target;
  return names === "as marked" ? [] : source.names.filter((name) => !names.has(name));
}

async function namesIn(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(path)) if (entry.name !== UNFINISHED) names.push(entry.name);
  return names;
}

async function lstatIfThere(path: string): Promise<Deno.FileInfo | undefined> {
  return await Deno.lstat(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  });
}

type TargetLook = Deno.FileInfo | Exclude<TargetFacts, TargetDirectory>;

async function lookAtTarget(path: string, userId: number): Promise<TargetLook> {
  try {
    // A link or somebody else's directory under our name is never used: what jobs read there would not be ours.
    const info = await Deno.lstat(path);
    if (info.isSymlink) return { state: "unusable", reason: "it is a symbolic link" };
    if (!info.isDirectory) return { state: "unusable", reason: "it is not a directory" };
    if (info.uid !== null && info.uid !== userId) return { state: "unusable", reason: "it belongs to another user" };
    return info;
  } catch (error) {
    return absentTarget(error);
  }
}

/** Where the directory has the time of the marker, no name in it has come or gone: a list would only cost two operations more. */
async function observeTarget(path: string, look: TargetLook, marker: Marker | MarkerAbsence): Promise<TargetFacts> {
  if ("state" in look) return look;
  const inode = look.ino ?? 0;
  const mtimeMilliseconds = look.mtime?.getTime() ?? 0;
  const isAsMarked = typeof marker !== "string" && marker.target_inode === inode &&
    marker.target_mtime === mtimeMilliseconds;
  try {
    const names = isAsMarked ? "as marked" : new Set(await namesIn(path));
    return { state: "directory", device: look.dev, inode, mtimeMilliseconds, names };
  } catch (error) {
    return absentTarget(error);
  }
}

function absentTarget(error: unknown): Exclude<TargetFacts, TargetDirectory> {
  if (error instanceof Deno.errors.NotFound) return { state: "missing" };
  return { state: "unusable", reason: messageOf(error) };
}

/** What is looked for at each use: the oldest file, which a purge by age takes first, and one of the others at random. */
function probesOf([oldest, ...others]: readonly string[]): readonly string[] {
  const other = others[Math.floor(Math.random() * others.length)];
  return [oldest, other].filter((path) => path !== undefined);
}

async function probeSample(target: string, sample: readonly string[]): Promise<readonly string[]> {
  const probed = probesOf(sample);
  const found = await Promise.all(
    probed.map((path) => Deno.lstat(`${target}/${path}`).then(() => true, (e) => !(e instanceof Deno.errors.NotFound))),
  );
  return probed.filter((_, place) => !found[place]);
}

async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return [...new Uint8Array(digest, 0, 12)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
