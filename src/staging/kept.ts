// Files on scratch that a transfer left as they are although the source has other ones. The marker names them, so that a
// target is never called fresh without a word about them. Each job reads the marker, so a file beside it has the longer list.
import * as v from "valibot";
import { readTextFileIfThere, writeFileAtomically } from "../system/atomic_file.ts";
import { isUtf8Name } from "../posix/file_names.ts";
import type { KeptPath } from "../transfer/transfer.ts";
import type { VariableLayout } from "./layout.ts";
import { MARKED_KEPT_SCHEMA, type Marker, type MarkerAbsence } from "./marker.ts";
import type { Variable } from "./variable.ts";

/** What a marker or the file beside it holds of them: their number and the first of them. */
export type MarkedKept = NonNullable<Marker["kept"]>;

/** Files that are kept: `others` is how many more there are than `paths`. */
export interface KeptFiles {
  readonly paths: readonly KeptPath[];
  readonly others: number;
}

/** How many are named in a marker, and in the file beside it. */
const NAMED_IN_MARKER = 16;
const NAMED_BESIDE = 1000;

const NOTHING: KeptFiles = { paths: [], others: 0 };

/** What is written into a marker; nothing where no file was kept. */
export function markedKept(kept: KeptFiles): { readonly kept?: MarkedKept } {
  return kept.paths.length + kept.others === 0 ? {} : { kept: firstOf(kept, NAMED_IN_MARKER) };
}

function firstOf({ paths, others }: KeptFiles, count: number): MarkedKept {
  const named = paths.slice(0, count).map(({ path, reason }) => ({ path, reason }));
  return { files: paths.length + others, named };
}

/** Writes the file beside the marker, or removes it where nothing was kept. */
export async function recordKept(layout: VariableLayout, kept: KeptFiles): Promise<void> {
  if (kept.paths.length + kept.others === 0) return await removeIfThere(layout.kept);
  const content = JSON.stringify(firstOf(kept, NAMED_BESIDE));
  await writeFileAtomically({ path: layout.kept, content, mode: 0o600, durability: "fast" });
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function readMarked(layout: VariableLayout, marker: Marker | MarkerAbsence): Promise<MarkedKept | undefined> {
  if (typeof marker === "string") return await readBeside(layout);
  if (marker.kept === undefined || marker.kept.files === marker.kept.named.length) return marker.kept;
  const beside = await readBeside(layout);
  return beside?.files === marker.kept.files ? beside : marker.kept;
}

async function readBeside(layout: VariableLayout): Promise<MarkedKept | undefined> {
  try {
    const parsed = v.safeParse(MARKED_KEPT_SCHEMA, JSON.parse(await readTextFileIfThere(layout.kept) ?? "null"));
    return parsed.success ? parsed.output : undefined;
  } catch {
    // Damaged, or not to be read: the next transfer finds again what differs.
    return undefined;
  }
}

/** What is known of them, without those that were settled meanwhile: removed on scratch, or made the same. */
export async function readKept(
  variable: Variable,
  layout: VariableLayout,
  marker: Marker | MarkerAbsence,
): Promise<KeptFiles> {
  const marked = await readMarked(layout, marker);
  if (marked === undefined) return NOTHING;
  const { files, named } = marked;
  const paths = await unsettled(variable, named as readonly KeptPath[]);
  return { paths, others: Math.max(0, files - named.length) };
}

/** What an update kept, and what was kept before in directories it did not look into. */
export async function keptAfter(
  variable: Variable,
  layout: VariableLayout,
  marker: Marker | MarkerAbsence,
  kept: readonly KeptPath[],
): Promise<KeptFiles> {
  const before = await readKept(variable, layout, marker);
  const told = new Set(kept.map(({ path }) => path));
  return {
    paths: [...withKnownReasons(kept, before), ...before.paths.filter(({ path }) => !told.has(path))],
    others: before.others,
  };
}

/** Reasons that a later comparison does not find again: it sees only that a file differs. */
const LASTING: readonly KeptPath["reason"][] = ["truncated", "a link at the source"];

/** The same files, with the reasons that are known from before. */
export function withKnownReasons(kept: readonly KeptPath[], before: KeptFiles): readonly KeptPath[] {
  const known = new Map(before.paths.filter(({ reason }) => LASTING.includes(reason)).map((one) => [one.path, one]));
  return kept.map((one) => known.get(one.path) ?? one);
}

async function unsettled({ source, target }: Variable, kept: readonly KeptPath[]): Promise<readonly KeptPath[]> {
  const differs = await Promise.all(kept.map(async ({ path }) => {
    if (!isUtf8Name(path)) return true;
    const [there, link] = await Promise.all(
      [target, source].map((root) => Deno.lstat(`${root}/${path}`).catch(() => undefined)),
    );
    if (there === undefined) return false;
    // A link that was followed stands for what it leads to.
    const isFollowed = link?.isSymlink === true && !there.isSymlink;
    const here = isFollowed ? await Deno.stat(`${source}/${path}`).catch(() => undefined) : link;
    return here === undefined || here.isFile !== there.isFile || here.size !== there.size ||
      here.mtime?.getTime() !== there.mtime?.getTime();
  }));
  return kept.filter((_, index) => differs[index]);
}
