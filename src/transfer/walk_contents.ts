// What a walk learns from contents, where names and statuses are inconclusive: which files look the same and differ, and which
// are those of a database.
import { joinName } from "../posix/file_names.ts";
import { findDifferent } from "./compare_contents.ts";
import { INDEX, namesOfDatabase } from "./database_files.ts";
import { type DatabaseFacts, findDatabaseNames, withDatabases } from "./databases.ts";
import { type DecisionRules, type DirectoryFacts, type DirectoryPlan, isOurs, sendingSide } from "./decide.ts";
import { type Entry, type EntryState, isDamaged, isNewer, sameContent } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import { namesWithoutProof } from "./racy_contents.ts";

/** Two trees, and how closely they are compared. */
export interface ContentsRequest {
  readonly from: string;
  readonly to: string | undefined;
  readonly rules: DecisionRules;
  /** Contents of files modified from then on are compared, in seconds since 1970; undefined: only those of racy files. */
  readonly contentsSinceSeconds?: number | undefined;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/** Which files of a directory are not what size and time suggest: {@linkcode DirectoryFacts} describes the four sets. */
export async function lookAtContents(
  facts: DirectoryFacts,
  request: ContentsRequest,
  runner: JobRunner,
): Promise<Required<Pick<DirectoryFacts, "differs" | "doubtful" | "unproven" | "equal" | "cut">>> {
  return {
    equal: await equalNames(facts, request, runner),
    cut: await cutNames(facts, request, runner),
    differs: await namesWithOtherContents(facts, request, runner),
    doubtful: await doubtfulNames(facts, request, runner),
    unproven: await unprovenNames(facts, request, runner),
  };
}

/**
 * Receiving files that would be replaced or removed because they look as recorded, and that may have been written since without
 * a new time: their content is not the one that was copied, or it is unknown.
 */
async function doubtfulNames(
  { directory, from, to, recordOf, hasMarks }: DirectoryFacts,
  { rules, to: root }: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  if (hasMarks !== true || root === undefined || isOurs(rules)) return NO_NAMES;
  const sent = new Map(from.map((entry) => [entry.name, entry]));
  const side = sendingSide(rules);
  const same = (one: EntryState, other: EntryState) => sameContent(one, other, rules.traits.timeStep);
  const files = to.flatMap((entry) => {
    // Nothing is written through a link, whatever is behind it (behind_links.ts).
    if (entry.type !== "file" || entry.isFollowed === true || entry.isBehindLink === true) return [];
    const [other, base] = [sent.get(entry.name), recordOf(entry.name)];
    if (base?.racy === undefined || base.racy === side || !same(entry, base)) return [];
    const mayGo = other === undefined ? rules.policy !== "push" : !same(other, entry) && !same(other, base);
    return mayGo ? [{ name: entry.name, entry, base }] : [];
  });
  return await namesWithoutProof({ root, directory }, files, runner);
}

/**
 * Sending files that look as recorded and differ from the other side, and that may have been written since without a new time:
 * their content is not the one that was copied, or it is unknown. Their last content is only here, so a push brings those that
 * were deleted at the source, and the others are in conflict.
 */
async function unprovenNames(
  { directory, from, to, recordOf, hasMarks }: DirectoryFacts,
  { rules, from: root }: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  if (hasMarks !== true || isOurs(rules)) return NO_NAMES;
  const there = new Map(to.map((entry) => [entry.name, entry]));
  const same = (one: EntryState, other: EntryState) => sameContent(one, other, rules.traits.timeStep);
  const files = from.flatMap((entry) => {
    const [other, base] = [there.get(entry.name), recordOf(entry.name)];
    if (entry.type !== "file" || base?.racy !== sendingSide(rules) || !same(entry, base)) return [];
    const isWanted = other === undefined ? rules.policy === "push" : !same(other, entry);
    return isWanted ? [{ name: entry.name, entry, base }] : [];
  });
  return await namesWithoutProof({ root, directory }, files, runner);
}

/**
 * Where there is no record: files with the same content on both sides, of those that are newer on scratch. Which side changed the
 * others is unknown, so they are in conflict.
 */
async function equalNames(
  { directory, from, to, recordOf }: DirectoryFacts,
  request: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const { rules } = request;
  if (rules.unrecorded !== "unknown" || isOurs(rules)) return NO_NAMES;
  const there = new Map(to.map((entry) => [entry.name, entry]));
  const files = from.filter((entry) => {
    const other = there.get(entry.name);
    if (entry.type !== "file" || other?.type !== "file" || entry.sizeBytes !== other.sizeBytes) return false;
    const [target, source] = rules.policy === "push" ? [entry, other] : [other, entry];
    return isNewer(target, source, rules.traits.timeStep) && recordOf(entry.name) === undefined;
  });
  return await equalOf(directory, files, request, runner);
}

/**
 * Receiving files that a crash may have truncated and that have only bytes of the unchanged source: nothing is lost when they are
 * copied again.
 */
async function cutNames(
  { directory, from, to, recordOf }: DirectoryFacts,
  request: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const { rules } = request;
  if (rules.policy !== "stage" || isOurs(rules)) return NO_NAMES;
  const there = new Map(to.map((entry) => [entry.name, entry]));
  const files = from.flatMap((entry) => {
    const other = there.get(entry.name);
    if (other?.type !== "file" || !isDamaged(other, entry)) return [];
    const base = recordOf(entry.name);
    const isCopy = base !== undefined && isDamaged(other, base) && sameContent(entry, base, rules.traits.timeStep);
    return isCopy ? [{ ...fileOf(entry), sizeBytes: other.sizeBytes }] : [];
  });
  return await equalOf(directory, files, request, runner);
}

/** A file to compare. */
type ComparedName = Pick<Entry, "name" | "sizeBytes" | "isFollowed">;

function fileOf({ name, sizeBytes, isFollowed = false }: Entry): ComparedName {
  return { name, sizeBytes, isFollowed };
}

/** The paths of files of a directory whose contents differ, or cannot be read. */
async function differentOf(
  directory: string,
  files: readonly ComparedName[],
  request: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  if (files.length === 0) return NO_NAMES;
  return await findDifferent(
    { from: request.from, to: request.to! },
    files.map(({ name, sizeBytes, isFollowed = false }) => ({
      path: joinName(directory, name),
      ...{ sizeBytes, isFollowed },
    })),
    runner,
  );
}

/** The names of files of a directory whose contents are the same on both sides. */
async function equalOf(
  directory: string,
  files: readonly ComparedName[],
  request: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const different = await differentOf(directory, files, request, runner);
  return new Set(files.map(({ name }) => name).filter((name) => !different.has(joinName(directory, name))));
}

/** Names of files in a directory that have the same size and time on both sides, and different contents. */
async function namesWithOtherContents(
  { directory, from, to, recordOf, hasMarks }: DirectoryFacts,
  request: ContentsRequest,
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const { rules, contentsSinceSeconds } = request;
  if (contentsSinceSeconds === undefined && hasMarks !== true) return NO_NAMES;
  const there = new Map(to.map((entry) => [entry.name, entry]));
  const side = sendingSide(rules);
  const files = from.filter((entry) => {
    const other = there.get(entry.name);
    const looksSame = entry.type === "file" && entry.sizeBytes > 0 && other !== undefined &&
      sameContent(entry, other, rules.traits.timeStep);
    if (!looksSame) return false;
    const isRecent = contentsSinceSeconds !== undefined && entry.mtimeSeconds >= contentsSinceSeconds;
    return isRecent || recordOf(entry.name)?.racy === side;
  });
  const different = await differentOf(directory, files, request, runner);
  return new Set(files.map(({ name }) => name).filter((name) => different.has(joinName(directory, name))));
}

/**
 * The plan of a directory with the files of each database as a unit. Names tell which files may be a database, and their first
 * bytes whether they are.
 */
export async function planDatabases(
  plan: DirectoryPlan,
  facts: DatabaseFacts,
  request: ContentsRequest,
  runner: JobRunner,
): Promise<DirectoryPlan> {
  const names = findDatabaseNames(facts);
  if (names.length === 0) return plan;
  const sniff = async (side: "from" | "to") => {
    const wanted = names.flatMap((main) => [...namesOfDatabase(main), main + INDEX].map((name) => ({ main, name })));
    const there = new Set(facts[side].map(({ name }) => name));
    const found = wanted.filter(({ name }) => there.has(name));
    const paths = found.map(({ name }) => joinName(plan.directory, name));
    const kinds = paths.length === 0 ? [] : await runner.run("sniff", { root: request[side]!, paths });
    return found.filter((_, index) => kinds[index] !== undefined).map(({ main }) => main);
  };
  const databases = new Set((await Promise.all([sniff("from"), sniff("to")])).flat());
  return withDatabases(plan, [...databases], facts, request.rules);
}
