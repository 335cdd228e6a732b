// Files on scratch that a transfer left as they are although the source has other ones. The marker names them, so that a
// target is never called fresh without a word about them; a file beside it does where a transfer leaves no marker.
import * as v from "valibot";
import { formatFiles, listSome } from "../format.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import { isUtf8Name } from "../posix/file_names.ts";
import type { KeptPath } from "../transfer/transfer.ts";
import { splitDamaged } from "./damaged.ts";
import type { VariableLayout } from "./layout.ts";
import { MARKED_KEPT_SCHEMA, type Marker, type MarkerAbsence } from "./marker.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "./variable.ts";

/** What a marker holds of them: their number and the first few, since each job reads it. */
export type MarkedKept = NonNullable<Marker["kept"]>;

/** Files that are kept: `others` is how many more there are than `paths`. */
export interface KeptFiles {
  readonly paths: readonly KeptPath[];
  readonly others: number;
}

const NAMED_FILES = 16;

const NOTHING: KeptFiles = { paths: [], others: 0 };

/** What is written into a marker; nothing where no file was kept. */
export function markedKept({ paths, others }: KeptFiles): { readonly kept?: MarkedKept } {
  if (paths.length + others === 0) return {};
  const named = paths.slice(0, NAMED_FILES).map(({ path, reason }) => ({ path, reason }));
  return { kept: { files: paths.length + others, named } };
}

/** Writes the file beside the marker, or removes it where nothing was kept. */
export async function recordKept(layout: VariableLayout, kept: KeptFiles): Promise<void> {
  const { kept: marked } = markedKept(kept);
  if (marked === undefined) return await removeIfThere(layout.kept);
  await writeFileAtomically({ path: layout.kept, content: JSON.stringify(marked), mode: 0o600, durability: "fast" });
}

async function removeIfThere(path: string): Promise<void> {
  await Deno.remove(path).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

async function readMarked(layout: VariableLayout, marker: Marker | MarkerAbsence): Promise<MarkedKept | undefined> {
  if (typeof marker !== "string") return marker.kept;
  try {
    const parsed = v.safeParse(MARKED_KEPT_SCHEMA, JSON.parse(await readOwnText(layout.kept) ?? "null"));
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

/** What people are told of them, each time. */
export function keptWarnings(variable: Variable, { paths, others }: KeptFiles): StageWarning[] {
  const { warnings, others: changed } = splitDamaged(variable, paths);
  const files = changed.length + others;
  if (files === 0) return warnings;
  const more = others === 0 ? "" : ` and ${others} more`;
  return [{
    text: `${formatFiles(files)} changed on scratch and kept: ${listSome(changed)}${more}`,
    hint: `push them with \`euler-files push --var ${variable.name}\`; what it leaves has changed on both sides: ` +
      `compare with "${variable.source}"`,
  }, ...warnings];
}
