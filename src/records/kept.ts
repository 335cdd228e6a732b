// Files on scratch that a transfer kept although they differ from the source. The marker names them, so that a target is not
// called fresh without a warning. Every job reads the marker, so it names only a few; a file beside it has the longer list.
import * as v from "valibot";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { waitingCalls } from "../posix/calls.ts";
import { splitLast } from "../posix/file_names.ts";
import { isMissing, statusBehind, statusOf } from "../posix/list.ts";
import type { FileStatus } from "../posix/status.ts";
import { cString, isNoDirectory, Tree } from "../posix/tree.ts";
import { run, type Work } from "../posix/work.ts";
import { sameTime } from "../transfer/entry.ts";
import { readOwnText } from "../system/own_file.ts";
import type { KeptPath } from "../transfer/transfer.ts";
import type { VariableLayout } from "../variables/layout.ts";
import { MARKED_KEPT_SCHEMA, type Marker, type MarkerAbsence } from "./marker.ts";
import type { Variable } from "../variables/variable.ts";
import { removeIfExists } from "../system/existence.ts";

/** The kept files as a marker or the file beside it records them: their number and the first of them. */
export type MarkedKept = NonNullable<Marker["kept"]>;

/** Kept files: those that are known by name, and the number of the others. */
export interface KeptFiles {
  readonly paths: readonly KeptPath[];
  readonly others: number;
}

/** How many kept files are named in a marker, and in the file beside it. */
const NAMED_IN_MARKER = 16;
const NAMED_BESIDE = 1000;

const NOTHING: KeptFiles = { paths: [], others: 0 };

/** The marker's entry for kept files; empty if no file was kept. */
export function markedKept(kept: KeptFiles): { readonly kept?: MarkedKept } {
  return kept.paths.length + kept.others === 0 ? {} : { kept: firstOf(kept, NAMED_IN_MARKER) };
}

function firstOf({ paths, others }: KeptFiles, count: number): MarkedKept {
  const named = paths.slice(0, count).map(({ path, reason }) => ({ path, reason }));
  return { files: paths.length + others, named };
}

/** Writes the file beside the marker, or removes it if no file was kept. */
export async function recordKept(layout: VariableLayout, kept: KeptFiles): Promise<void> {
  if (kept.paths.length + kept.others === 0) return await removeIfExists(layout.kept);
  const content = JSON.stringify(firstOf(kept, NAMED_BESIDE));
  await writeFileAtomically({ path: layout.kept, content, mode: 0o600, durability: "fast" });
}

async function readMarked(layout: VariableLayout, marker: Marker | MarkerAbsence): Promise<MarkedKept | undefined> {
  if (typeof marker === "string") return await readBeside(layout);
  if (marker.kept === undefined || marker.kept.files === marker.kept.named.length) return marker.kept;
  const beside = await readBeside(layout);
  return beside?.files === marker.kept.files ? beside : marker.kept;
}

async function readBeside(layout: VariableLayout): Promise<MarkedKept | undefined> {
  try {
    const parsed = v.safeParse(MARKED_KEPT_SCHEMA, JSON.parse(await readOwnText(layout.kept) ?? "null"));
    return parsed.success ? parsed.output : undefined;
  } catch {
    // The file is damaged or unreadable: the next transfer finds the differing files again.
    return undefined;
  }
}

/** The known kept files, without those that were settled in the meantime: removed on scratch, or the same on both sides. */
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

/** The files that an update kept, and those kept before in directories that the update skipped. */
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
    others: othersAfter(kept, before),
  };
}

/** How many files are kept without a known name: as many as before, less those whose names became known since. */
export function othersAfter(kept: readonly KeptPath[], before: KeptFiles): number {
  const named = new Set(before.paths.map(({ path }) => path));
  return Math.max(0, before.others - kept.filter(({ path }) => !named.has(path)).length);
}

/** Reasons that a later comparison cannot find again, because it only sees that a file differs. */
const LASTING: readonly KeptPath["reason"][] = ["truncated", "not compared", "a link at the source"];

/** The same files, each with the reason that an earlier transfer found if that is a lasting one. */
export function withKnownReasons(kept: readonly KeptPath[], before: KeptFiles): readonly KeptPath[] {
  const known = new Map(before.paths.filter(({ reason }) => LASTING.includes(reason)).map((one) => [one.path, one]));
  return kept.map((one) => known.get(one.path) ?? one);
}

/**
 * What a push kept, with the reasons that a later sync gives. A file that another program changed at the source during the push
 * is in conflict. A file that was deleted there during the push counts as changed on scratch, so the next push transfers it.
 */
export async function keptByPush(
  { source }: Pick<Variable, "source">,
  kept: readonly KeptPath[],
): Promise<readonly KeptPath[]> {
  if (!kept.some(({ reason }) => reason === "changed there")) return kept;
  const tree = new Tree(source, waitingCalls(), { own: [source], shown: source, follow: "all" });
  try {
    return await Promise.all(kept.map(async (one): Promise<KeptPath> => {
      if (one.reason !== "changed there") return one;
      const isGone = await run(statusIn(tree, ...splitLast(one.path))).then(
        (status) => status === undefined,
        () => false,
      );
      return { path: one.path, reason: isGone ? "gone at the source, changed there" : "changed on both sides" };
    }));
  } finally {
    tree.close();
  }
}

/** The files that differ between the two sides now. A file that cannot be looked at counts as different. */
export async function unsettled(
  { source, target }: Pick<Variable, "source" | "target">,
  kept: readonly KeptPath[],
): Promise<readonly KeptPath[]> {
  if (kept.length === 0) return kept;
  const calls = waitingCalls();
  const onTarget = new Tree(target, calls);
  const atSource = new Tree(source, calls, { own: [source], shown: source, follow: "all" });
  try {
    const differs = await Promise.all(
      kept.map(({ path }) => run(isUnsettled(onTarget, atSource, path)).catch(() => true)),
    );
    return kept.filter((_, index) => differs[index]);
  } finally {
    for (const tree of [onTarget, atSource]) tree.close();
  }
}

function* isUnsettled(target: Tree, source: Tree, path: string): Work<boolean> {
  const [directory, name] = splitLast(path);
  const onTarget = yield* statusIn(target, directory, name);
  if (onTarget === undefined) return false;
  const link = yield* statusIn(source, directory, name);
  // If the link was followed, the target has the linked file itself: compare with that.
  const isFollowed = link?.kind === "l" && onTarget.kind !== "l";
  const atSource = isFollowed ? yield* statusBehind(source, directory, cString(name)) : link;
  return atSource === undefined || atSource.kind !== onTarget.kind || atSource.sizeBytes !== onTarget.sizeBytes ||
    !sameTime(atSource, onTarget);
}

function* statusIn(tree: Tree, directory: string, name: string): Work<FileStatus | undefined> {
  try {
    return yield* statusOf(tree, directory, cString(name));
  } catch (error) {
    if (isMissing(error) || isNoDirectory(error)) return undefined;
    throw error;
  }
}
