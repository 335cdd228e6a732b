// The two ways to copy files: by our own system calls, or by rsync. Both copy to private names; phases.ts and publishing.ts
// then publish the files of both in the same way.
import type { System } from "../system/system.ts";
import { describeRsyncCode, type Rsync, runRsync, setsModes } from "../tools/rsync.ts";
import { isPlainFile, mayBeDatabase } from "./database_files.ts";
import { isSparse, sameContent, sameMode } from "./entry.ts";
import { entriesIn } from "./entry_text.ts";
import { lookAtPaths } from "./listing.ts";
import { copyItemOf, GONE, type Item, type MissingItem, type MoveOutcome, pathOf } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import { CHANGING_REASON } from "./missing.ts";
import type { CopyResult } from "./jobs/copy.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { splitAbsolute, splitLast } from "../posix/file_names.ts";
import type { CheckRequest, CheckResult } from "./jobs/check_copied.ts";
import type { ListFiles } from "./list_files.ts";
import { isFullDisk, keptOf, noSpaceError } from "./free_space.ts";

/** Copies files. */
export interface Mover {
  readonly kind: "native" | "rsync";
  /** Copies items; all names of one file are in one call. Throws a CliError `no-space` where the disk is full. */
  move(items: readonly Item[]): Promise<MoveOutcome>;
}

/** Copies by system calls. */
export class NativeMover implements Mover {
  readonly kind = "native";

  constructor(readonly settings: CopySettings, readonly runner: JobRunner) {}

  async move(items: readonly Item[]): Promise<MoveOutcome> {
    const request = { settings: this.settings, items: items.map(copyItemOf) };
    const answer = await this.runner.run("copy", request, { names: items.length });
    if (answer.full !== undefined) throw noSpaceError(this.settings.to, [answer.full], keptOf(this.settings));
    return sortResults(items, answer.results);
  }
}

/** Sorts the results of the job `copy` by what became of the items. */
export function sortResults(items: readonly Item[], results: readonly (CopyResult | undefined)[]): MoveOutcome {
  const outcome = {
    moved: [] as Item[],
    changed: [] as Item[],
    resumed: [] as Item[],
    missing: [] as MissingItem[],
    leftOut: [] as Item[],
    databases: [] as Item[],
    stderrTail: [],
  };
  for (const [index, item] of items.entries()) {
    const result = results[index];
    switch (result?.kind) {
      case undefined:
        outcome.moved.push(item);
        break;
      case "arrived": {
        const now = { ...item, entry: entriesIn(result.text)[0]! };
        outcome.moved.push(now);
        outcome.changed.push(now);
        break;
      }
      case "resumed":
        outcome.moved.push(item);
        outcome.resumed.push(item);
        break;
      case "left out":
        outcome.leftOut.push(item);
        break;
      case "database":
        outcome.databases.push(item);
        break;
      case "vanished":
        outcome.missing.push({ item, ...GONE });
        break;
      case "failed": {
        const { reason, cause, errno, receiver } = result;
        outcome.missing.push({ item, reason, cause, errno, receiver });
      }
    }
  }
  return outcome;
}

/** What the rsync mover needs. */
export interface RsyncMoverRequest {
  readonly settings: CopySettings;
  readonly rsync: () => Promise<Rsync>;
  readonly extraArgs: readonly string[];
  readonly lists: ListFiles;
  readonly runner: JobRunner;
  readonly system: System;
}

/** Copies by rsync(1). */
export class RsyncMover implements Mover {
  readonly kind = "rsync";
  #batches = 0;

  constructor(readonly request: RsyncMoverRequest) {}

  /** Databases are copied by our own calls, since only those notice changes during the copy. */
  async move(items: readonly Item[]): Promise<MoveOutcome> {
    const databases = await this.#findDatabases(items);
    if (databases.length === 0) return await this.#moveOthers(items);
    const others = items.filter((item) => !databases.includes(item));
    const outcome = others.length === 0 ? EMPTY.outcome : await this.#moveOthers(others);
    return { ...outcome, databases: [...outcome.databases, ...databases] };
  }

  async #findDatabases(items: readonly Item[]): Promise<readonly Item[]> {
    const candidates = items.filter(({ entry }) =>
      entry.type === "file" && isPlainFile(entry) && mayBeDatabase(entry.sizeBytes)
    );
    if (candidates.length === 0) return [];
    const { settings, runner } = this.request;
    const kinds = await runner.run("sniff", { root: settings.from, paths: candidates.map(pathOf) });
    return candidates.filter((_, index) => kinds[index] === "database");
  }

  /**
   * Our own calls make links, because their targets depend on the side, and copy what is behind a followed link, because rsync
   * follows either all links of a run or none.
   */
  async #moveOthers(all: readonly Item[]): Promise<MoveOutcome> {
    const isSpecial = ({ entry }: Item) => entry.type === "link" || entry.isBehindLink === true;
    if (!all.some(isSpecial)) return await this.#copyByRsync(all);
    // All names of a file are copied the same way, or they arrive as several files.
    const groups = new Set(all.filter(isSpecial).map(({ entry }) => entry.linkGroup));
    groups.delete("");
    const isOwn = (item: Item) => isSpecial(item) || groups.has(item.entry.linkGroup);
    const links = all.filter(isOwn);
    const own = await new NativeMover(this.request.settings, this.request.runner).move(links);
    const others = all.filter((item) => !isOwn(item));
    return others.length === 0 ? own : joinOutcomes([own, await this.#copyByRsync(others)]);
  }

  async #copyByRsync(items: readonly Item[]): Promise<MoveOutcome> {
    const first = await this.#try(items);
    if (first.again.length === 0) return first.outcome;
    // A file that changed while it was read is tried once more, in its present state.
    const now = await lookAtPaths(this.request.settings.from, first.again.map(pathOf), this.request.runner);
    const gone: MissingItem[] = [];
    const there: Item[] = [];
    for (const item of first.again) {
      const entry = now.get(pathOf(item));
      if (entry === undefined) gone.push({ item, ...GONE });
      else if (entry.type !== "directory") there.push({ ...item, entry });
      else gone.push({ item, reason: CHANGING_REASON, cause: "changing", receiver: "as it was" });
    }
    const second = there.length === 0 ? EMPTY : await this.#try(there);
    const stderrTail = [...new Set([...first.outcome.stderrTail, ...second.outcome.stderrTail])];
    // Where rsync copied nothing and reported no error, the user's arguments made it leave the file out.
    const leavesOut = this.request.extraArgs.length > 0 && second.code === 0 && first.code === 0;
    const leftOut = leavesOut ? second.again.filter((item) => second.absent.has(item)) : [];
    const missing = second.again.filter((item) => !leftOut.includes(item)).map((item): MissingItem => ({
      ...{ item, receiver: "as it was" },
      ...whyMissing(item, { ...second, outcome: { ...second.outcome, stderrTail } }),
    }));
    return {
      moved: [...first.outcome.moved, ...second.outcome.moved],
      changed: second.outcome.moved,
      resumed: [],
      missing: [...first.outcome.missing, ...second.outcome.missing, ...gone, ...missing],
      leftOut: [...first.outcome.leftOut, ...leftOut],
      databases: [],
      stderrTail,
    };
  }

  async #try(items: readonly Item[]): Promise<Attempt> {
    const { settings, runner, system, lists, extraArgs } = this.request;
    const isDirect = settings.temporary === "directly";
    const rsyncDirectory = `rsync-${this.#batches++}`;
    const to = isDirect ? settings.to : `${settings.temporary}/${rsyncDirectory}`;
    if (!isDirect) await makeParents(to, items, settings, runner);
    let told = 0;
    const listFile = await lists.write(items.map((item) => `./${pathOf(item)}`));
    const { code, stderrTail } = await runRsync(
      {
        ...{ from: settings.from, to, listFile, keep: settings.keep, extraArgs },
        durability: settings.durability,
        sparse: items.some(({ entry }) => isSparse(entry)) ? "holes" : "none",
      },
      await this.request.rsync(),
      (_files, sizeBytes) => {
        told += sizeBytes;
        runner.onDone(0, sizeBytes);
      },
      system,
    );
    await lists.remove(listFile);
    if (stderrTail.some(isFullDisk)) throw noSpaceError(settings.to, stderrTail, keptOf(settings));
    // rsync ends with code 0 only if it could set all permissions as its arguments say.
    const modes = code === 0 || settings.keep === "content" || settings.traits.modes === "ignored" ||
        setsModes(extraArgs)
      ? "any"
      : "of the source";
    const attempt = isDirect
      ? await this.#checkDirect(items, modes, stderrTail)
      : await this.#checkCopied(items, { rsyncDirectory, modes }, stderrTail);
    // rsync reports what it tried; only what arrived counts.
    const { moved } = attempt.outcome;
    const sizeBytes = moved.reduce((sum, { entry }) => sum + entry.sizeBytes, 0);
    runner.onDone(moved.length, sizeBytes - told);
    return { ...attempt, code };
  }

  async #checkCopied(
    items: readonly Item[],
    where: Pick<CheckRequest, "rsyncDirectory" | "modes">,
    stderrTail: readonly string[],
  ): Promise<Omit<Attempt, "code">> {
    const { settings, runner } = this.request;
    const request = { ...where, settings, temporary: settings.temporary, items: items.map(copyItemOf) };
    const results = await runner.run("checkCopied", request, { names: items.length });
    const isNotCopied = (result: CheckResult | undefined): result is NotCopied =>
      result?.kind === "absent" || result?.kind === "torn" || result?.kind === "changed";
    const others = items.filter((_, index) => !isNotCopied(results[index]));
    const known = results.filter((result) => !isNotCopied(result)) as (CopyResult | undefined)[];
    return {
      outcome: { ...sortResults(others, known), stderrTail },
      again: items.filter((_, index) => isNotCopied(results[index])),
      absent: new Set(items.filter((_, index) => results[index]?.kind === "absent")),
      changed: new Set(items.filter((_, index) => results[index]?.kind === "changed")),
    };
  }

  /** In a private tree files are written at their own paths: those with the content that the source still has have arrived. */
  async #checkDirect(
    items: readonly Item[],
    modes: CheckRequest["modes"],
    stderrTail: readonly string[],
  ): Promise<Omit<Attempt, "code">> {
    const { settings, runner } = this.request;
    const paths = items.map(pathOf);
    const [there, here] = await Promise.all([
      lookAtPaths(settings.to, paths, runner),
      lookAtPaths(settings.from, paths, runner),
    ]);
    const hasArrived = (item: Item) => {
      const arrived = there.get(pathOf(item));
      return arrived !== undefined && sameContent(item.entry, arrived, settings.traits.timeStep) &&
        (modes === "any" || sameMode(item.entry, arrived));
    };
    const hasChanged = (item: Item) => {
      const now = here.get(pathOf(item));
      return now === undefined || !sameContent(item.entry, now);
    };
    const again = items.filter((item) => !hasArrived(item) || hasChanged(item));
    const changed = new Set(again.filter(hasChanged));
    const absent = new Set(again.filter((item) => !there.has(pathOf(item))));
    const left = new Set(again);
    const moved = items.filter((item) => !left.has(item));
    return {
      outcome: { moved, changed: [], resumed: [], missing: [], leftOut: [], databases: [], stderrTail },
      again,
      absent,
      changed,
    };
  }
}

type NotCopied = Extract<CheckResult, { readonly kind: "absent" | "torn" | "changed" }>;

/** The outcomes of several calls as one. */
export function joinOutcomes(outcomes: readonly MoveOutcome[]): MoveOutcome {
  return {
    moved: outcomes.flatMap(({ moved }) => moved),
    changed: outcomes.flatMap(({ changed }) => changed),
    resumed: outcomes.flatMap(({ resumed }) => resumed),
    missing: outcomes.flatMap(({ missing }) => missing),
    leftOut: outcomes.flatMap(({ leftOut }) => leftOut),
    databases: outcomes.flatMap(({ databases }) => databases),
    stderrTail: outcomes.flatMap(({ stderrTail }) => stderrTail),
  };
}

interface Attempt {
  readonly outcome: MoveOutcome;
  /** Not copied, or the source changed meanwhile. */
  readonly again: readonly Item[];
  /** Those of `again` of which nothing was copied. */
  readonly absent: ReadonlySet<Item>;
  /** Those of `again` that changed or were deleted at the source. */
  readonly changed: ReadonlySet<Item>;
  readonly code: number;
}

const EMPTY: Attempt = {
  outcome: { moved: [], changed: [], resumed: [], missing: [], leftOut: [], databases: [], stderrTail: [] },
  again: [],
  absent: new Set(),
  changed: new Set(),
  code: 0,
};

/** Makes the directories that rsync writes into, because rsync is told not to make any. */
async function makeParents(
  root: string,
  items: readonly Item[],
  settings: CopySettings,
  runner: JobRunner,
): Promise<void> {
  if (settings.temporary === "directly") return;
  const parents = new Set<string>();
  for (const { directory } of items) {
    for (let path = directory; path !== "" && !parents.has(path); path = splitLast(path)[0]) parents.add(path);
  }
  const [parent, name] = splitAbsolute(root);
  await runner.run("make", { root: parent, directories: [[name, 0o700]] });
  const byDepth = [...parents].toSorted((one, other) => one.length - other.length);
  // A path is longer than its parent's, so parents come first; waiting calls overlap, so each level must end before the next.
  const levels = Map.groupBy(byDepth, (path) => path.split("/").length);
  for (const level of [...levels.keys()].toSorted((one, other) => one - other)) {
    await runner.run("make", { root, directories: levels.get(level)!.map((path) => [path, 0o700] as const) });
  }
}

/** Why an item did not arrive: it changed, rsync reported an error for it, or rsync ended early. */
function whyMissing(
  item: Item,
  { absent, changed, code, outcome: { stderrTail } }: Attempt,
): Pick<MissingItem, "reason" | "cause"> {
  // rsync reports such a file as failed verification, as existing or as vanished, or does not report it.
  if (changed.has(item)) return { reason: CHANGING_REASON, cause: "changing" };
  const { name } = item.entry;
  // rsync writes to a temporary file, `.name.XXXXXX`, and reports that name where it cannot set permissions.
  const line = stderrTail.findLast((line) =>
    line.includes(`/${name}"`) || line.includes(`"${name}"`) || line.includes(`/.${name}.`)
  );
  if (line !== undefined) return { reason: line, cause: isRefusal(line) ? "refused" : "failed" };
  if (!absent.has(item)) {
    return { reason: "rsync left another content, time or mode than the source has", cause: "failed" };
  }
  // Files that rsync did not reach failed because rsync ended. Its last line is only a summary, and the process that lost its
  // peer does not know the cause.
  const words = stderrTail.findLast((line) => !/^rsync error:|Broken pipe|connection unexpectedly closed/.test(line));
  const isEnded = code > 128 || words === undefined;
  const reason = code === 0 ? "rsync did not copy it" : isEnded ? describeRsyncCode(code) : words;
  return { reason, cause: "failed" };
}

/** Whether a line of rsync says that permissions of the source forbid reading. */
function isRefusal(line: string): boolean {
  return /\[sender\]|send_files failed to open|opendir|link_stat/.test(line) &&
    /(Permission denied|Operation not permitted) \(\d+\)/.test(line);
}
