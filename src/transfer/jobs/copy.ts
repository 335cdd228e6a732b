// The job that copies files, links and special files to private names: below the temporary directory, or in a private tree.
// Each is read to its end without an error, and the file on the sending side is checked again afterwards: it has
// arrived only if that is still the same. publish.ts gives files their names in directories that others use.
import { CliError } from "../../errors/errors.ts";
import type { Calls } from "../../posix/calls.ts";
import { ENOENT, isFullDiskErrno, succeeded, SystemCallError } from "../../posix/errno.ts";
import { splitLast } from "../../posix/file_names.ts";
import { cString, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { DatabaseFound } from "../database_files.ts";
import { fieldsOf, labelOf } from "../entry_text.ts";
import { causeOf, Changed, type MissingCause } from "../missing.ts";
import { entryAt } from "../publish.ts";
import { reasonOf } from "../refusals.ts";
import { isSparse } from "../entry.ts";
import { type CopyItem, itemIn } from "../item.ts";
import { SMALL_BYTES, SmallFileCopier } from "./copy_small.ts";
import type { CopySettings } from "./copy_settings.ts";
import type { JobContext } from "./job.ts";
import { linkFile } from "./link_file.ts";
import { hasVanished } from "./list.ts";
import { type Attempt, EntryWriter, type Member, type TemporaryFile } from "./write_entry.ts";

/** What to copy. Items of one link group are names of one file and arrive as one; items of one directory go into one. */
export interface CopyRequest {
  readonly settings: CopySettings;
  readonly items: readonly CopyItem[];
  /** The contents of the files, if they were read already, and where that of each item begins. */
  readonly packed?: { readonly bytes: Uint8Array<ArrayBuffer>; readonly starts: readonly number[] };
}

/** The result of an item that did not arrive as planned. */
export type CopyResult =
  /** It changed since the plan: `text` describes what arrived. */
  | { readonly kind: "arrived"; readonly text: string }
  /** It arrived in an earlier transfer, as it was planned now. */
  | { readonly kind: "resumed" }
  /** `database`: not copied, since a database is copied together with its logs. */
  | { readonly kind: "vanished" | "left out" | "database" }
  /** `touched`: the previous entry of the name was removed. */
  | {
    readonly kind: "failed";
    readonly reason: string;
    readonly cause: MissingCause;
    readonly errno?: number | undefined;
    readonly receiver: "as it was" | "touched";
  };

/** Results in the order of the items; undefined for an item that arrived as planned. */
export interface CopyAnswer {
  readonly results: readonly (CopyResult | undefined)[];
  /** The kernel's message if the disk or a quota is full; the other items were not tried then. */
  readonly full?: string;
}

/** Files at a time in one directory: the kernel makes the names of a directory one after the other. */
const DIRECTORY_WIDTH = 6;

/** Copies items. Failures of single items are in the answer. */
export async function runCopy(request: CopyRequest, context: JobContext): Promise<CopyAnswer> {
  const copying = new Copying(request, context);
  try {
    await context.runAll(copying.works());
    return { results: copying.results };
  } catch (error) {
    if (error instanceof DiskFull) return { results: copying.results, full: error.message };
    throw error;
  } finally {
    context.tell();
  }
}

class DiskFull extends Error {}

class Copying {
  readonly results: (CopyResult | undefined)[];
  readonly #settings: CopySettings;
  readonly #calls: Calls;
  readonly #from: Tree;
  readonly #to: Tree;
  /** The tree that is written to. */
  readonly #temporaryTree: Tree;
  readonly #writer: EntryWriter;

  constructor(readonly request: CopyRequest, readonly context: JobContext) {
    this.results = new Array(request.items.length);
    this.#settings = request.settings;
    this.#calls = context.calls;
    this.#from = context.readTree(request.settings.from);
    this.#to = context.tree(request.settings.to);
    const { temporary } = request.settings;
    this.#temporaryTree = temporary === "directly" ? this.#to : context.tree(temporary);
    this.#writer = new EntryWriter(request.settings, context);
  }

  /** The work in pieces, so that where calls wait only a few of one directory run at a time. */
  works(): Work<void>[] {
    const groups = groupItems(this.request.items);
    if (this.#calls.form === "plain") return [...this.#byDirectory(groups).values()].map(this.#copyPlainly.bind(this));
    const lanes = new Map<string, Member[][][]>();
    const works: Work<void>[] = [];
    for (const group of groups) {
      const { directory } = group[0]!;
      const known = lanes.get(directory) ?? Array.from({ length: DIRECTORY_WIDTH }, () => []);
      lanes.set(directory, known);
      known.toSorted((one, other) => one.length - other.length)[0]!.push(group);
    }
    const copyAll = this.#copyGroups.bind(this);
    for (const lane of [...lanes.values()].flat()) if (lane.length > 0) works.push(copyAll(lane));
    return works;
  }

  #byDirectory(groups: readonly Member[][]): Map<string, Member[][]> {
    return Map.groupBy(groups, (group) => group[0]!.directory);
  }

  /** Copies the files of one directory: small ones with SmallFileCopier, all that this leaves with EntryWriter. */
  *#copyPlainly(groups: readonly Member[][]): Work<void> {
    const { keep, durability } = this.#settings;
    const isQuick = keep === "copy" && durability === "fast";
    const left = isQuick ? yield* this.#copySmall(groups) : groups;
    yield* this.#copyGroups(left);
  }

  *#copySmall(groups: readonly Member[][]): Work<readonly Member[][]> {
    const isQuick = ([member, ...others]: Member[]) =>
      others.length === 0 && member!.entry.type === "file" && member!.entry.sizeBytes <= SMALL_BYTES &&
      member!.entry.linkGroup === "" && !member!.isInPlace && !isSparse(member!.entry);
    const quick = groups.filter(isQuick);
    if (quick.length === 0) return groups;
    const copier = new SmallFileCopier(this.#settings, this.#calls, this.context.attributes);
    // All items of one directory are written into one directory.
    const { directory, temporaryFile } = groups[0]![0]!;
    const done = new Set<Member[]>();
    const { packed } = this.request;
    const copyAll = (from: number | undefined, to: number) => {
      for (const group of quick) {
        this.context.checkStopped();
        const { index, entry, temporaryFile: { name } } = group[0]!;
        const isCopied = from === undefined
          ? copier.copyContent(entry, contentIn(packed!, index, entry), to, name)
          : copier.copy(entry, from, to, name);
        if (!isCopied) continue;
        this.context.done(1, entry.sizeBytes);
        done.add(group);
      }
    };
    try {
      // Where the contents were read already, the source is not asked.
      if (packed === undefined) yield* this.#withBoth(directory, temporaryFile.directory, copyAll);
      else yield* this.#withWritten(temporaryFile.directory, (to) => copyAll(undefined, to));
    } catch (error) {
      // The directory vanished or cannot be opened: EntryWriter then reports that for each name.
      if (!(error instanceof SystemCallError)) throw error;
    }
    return groups.filter((group) => !done.has(group));
  }

  /** Calls `use` with the handles of a source directory and of one that is written to. Throws a SystemCallError. */
  *#withBoth(directory: string, written: string, use: (from: number, to: number) => void): Work<void> {
    const from = yield* this.#from.open(directory);
    try {
      yield* this.#withWritten(written, (to) => use(from, to));
    } finally {
      this.#from.release(directory);
    }
  }

  *#withWritten(written: string, use: (to: number) => void): Work<void> {
    const to = yield* this.#temporaryTree.open(written);
    try {
      use(to);
    } finally {
      this.#temporaryTree.release(written);
    }
  }

  *#copyGroups(groups: readonly Member[][]): Work<void> {
    for (const group of groups) {
      this.context.checkStopped();
      yield* this.#copyGroup(group);
    }
  }

  /** Copies the names of one file: the first is copied, the others are linked to it. */
  *#copyGroup(group: readonly Member[]): Work<void> {
    let first: Member | undefined;
    let firstText: string | undefined;
    for (const member of group) {
      const result = yield* this.#attempt(member, first);
      const isHere = hasArrived(result);
      // Names linked to a file that changed since the plan are the changed file, too.
      this.results[member.index] = result === undefined && firstText !== undefined
        ? { kind: "arrived", text: withName(member.entry.name, firstText) }
        : result;
      if (first === undefined && isHere) {
        first = member;
        firstText = result?.kind === "arrived" ? result.text : undefined;
      }
      this.context.done(isHere ? 1 : 0, 0);
    }
  }

  *#attempt(member: Member, linkTo?: Member): Work<CopyResult | undefined> {
    const attempt: Attempt = { touched: false, doneBytes: 0 };
    try {
      const result = yield* this.#tryTwice(member, attempt, linkTo);
      // Bytes of an item that did not arrive do not count.
      if (!hasArrived(result)) this.context.done(0, -attempt.doneBytes);
      return result;
    } catch (error) {
      this.context.done(0, -attempt.doneBytes);
      if (error instanceof DatabaseFound) return { kind: "database" };
      if (error instanceof SystemCallError && isFullDiskErrno(error.errno)) throw new DiskFull(error.message);
      if (!(error instanceof SystemCallError || error instanceof Changed || error instanceof CliError)) throw error;
      const { directory, entry } = member;
      if (yield* hasVanished(this.#from, directory, entry.name, error)) return { kind: "vanished" };
      const receiver = attempt.touched ? "touched" : "as it was";
      const errno = error instanceof SystemCallError ? error.errno : undefined;
      return { kind: "failed", reason: reasonOf(error), cause: causeOf(error, this.#settings.from), errno, receiver };
    }
  }

  /** If a source changes, copies it a second time, in its present state; if it changes again, it counts as always being written. */
  *#tryTwice(member: Member, attempt: Attempt, linkTo?: Member): Work<CopyResult | undefined> {
    try {
      return yield* this.#copy(member, attempt, linkTo);
    } catch (error) {
      if (!(error instanceof Changed)) throw error;
    }
    this.context.done(0, -attempt.doneBytes);
    attempt.doneBytes = 0;
    const now = yield* entryAt(this.#from, member.directory, member.entry.name);
    if (now === undefined) return { kind: "vanished" };
    if (now.type === "directory") throw new Changed("it became a directory while it was copied");
    const result = yield* this.#copy({ ...member, entry: now }, attempt, linkTo);
    return result ?? { kind: "arrived", text: fieldsOf(now) };
  }

  *#copy(member: Member, attempt: Attempt, linkTo?: Member): Work<CopyResult | undefined> {
    const { directory } = member;
    if (this.request.packed !== undefined) return yield* this.#copyPacked(member, attempt, linkTo);
    const from = yield* this.#from.open(directory);
    try {
      const temporaryFile = yield* this.#openTemporary(member, attempt);
      return yield* this.#orRemove(temporaryFile, this.#copyTo(temporaryFile, member, from, attempt, linkTo));
    } finally {
      this.#from.release(directory);
    }
  }

  *#copyTo(
    temporaryFile: TemporaryFile,
    member: Member,
    from: number,
    attempt: Attempt,
    linkTo: Member | undefined,
  ): Work<CopyResult | undefined> {
    const isLinked = linkTo === undefined
      ? yield* this.#linkSource(member, from, temporaryFile)
      : yield* this.#writer.link(temporaryFile, linkTo);
    const written = isLinked ? "written" : yield* this.#writer.write(member, from, temporaryFile, attempt);
    return written === "written" ? undefined : { kind: written };
  }

  /** Does work on an opened temporary file. If it fails, the file is removed: its name is private, so this attempt made it. */
  *#orRemove<Result>({ tree, directory, handle, name }: TemporaryFile, work: Work<Result>): Work<Result> {
    try {
      return yield* work;
    } catch (error) {
      yield this.#calls.unlinkat(handle, name, 0);
      throw error;
    } finally {
      tree.release(directory);
    }
  }

  /** Links the file of the source where the settings say so; false if it has to be copied. */
  *#linkSource({ directory, entry, replaces }: Member, from: number, temporaryFile: TemporaryFile): Work<boolean> {
    const { linkFiles, durability } = this.#settings;
    if (linkFiles === undefined) return false;
    const path = this.#from.pathOf(directory, entry.name);
    const link = { from, entry, replaces, to: temporaryFile.handle, name: temporaryFile.name, path };
    if (!(yield* linkFile(link, durability, this.#calls))) return false;
    this.context.done(0, entry.sizeBytes);
    return true;
  }

  /** The same for a link, or for a file whose content was read already: the source is not asked. */
  *#copyPacked(member: Member, attempt: Attempt, linkTo?: Member): Work<CopyResult | undefined> {
    const temporaryFile = yield* this.#openTemporary(member, attempt);
    return yield* this.#orRemove(temporaryFile, this.#writePacked(temporaryFile, member, attempt, linkTo));
  }

  *#writePacked(
    temporaryFile: TemporaryFile,
    member: Member,
    attempt: Attempt,
    linkTo: Member | undefined,
  ): Work<CopyResult | undefined> {
    const { entry, index } = member;
    if (linkTo !== undefined && (yield* this.#writer.link(temporaryFile, linkTo))) return undefined;
    const content = contentIn(this.request.packed!, index, entry);
    const written = yield* this.#writer.writeContent(member, temporaryFile, content, attempt);
    return written === "written" ? undefined : { kind: written };
  }

  /** Opens the directory where an item is written. In a private tree, an old entry under its name is removed first. */
  *#openTemporary({ entry, isInPlace, temporaryFile }: Member, attempt: Attempt): Work<TemporaryFile> {
    const handle = yield* this.#temporaryTree.open(temporaryFile.directory);
    const name = cString(temporaryFile.name);
    if (isInPlace) {
      attempt.touched = true;
      const answer = yield this.#calls.unlinkat(handle, name, 0);
      if (answer !== -ENOENT) succeeded(answer, "unlink", this.#to.pathOf(temporaryFile.directory, entry.name));
    }
    return { tree: this.#temporaryTree, directory: temporaryFile.directory, handle, name };
  }
}

function contentIn(
  { bytes, starts }: NonNullable<CopyRequest["packed"]>,
  index: number,
  { sizeBytes }: Pick<Member["entry"], "sizeBytes">,
): Uint8Array<ArrayBuffer> {
  return bytes.subarray(starts[index]!, starts[index]! + sizeBytes);
}

function hasArrived(result: CopyResult | undefined): boolean {
  return result === undefined || result.kind === "arrived" || result.kind === "resumed";
}

function groupItems(items: readonly CopyItem[]): Member[][] {
  const groups: Member[][] = [];
  const byLink = new Map<string, Member[]>();
  for (const [index, item] of items.entries()) {
    const member = memberOf(index, item);
    const { linkGroup } = member.entry;
    const known = linkGroup === "" ? undefined : byLink.get(linkGroup);
    if (known !== undefined) known.push(member);
    else {
      const group = [member];
      groups.push(group);
      if (linkGroup !== "") byLink.set(linkGroup, group);
    }
  }
  return groups;
}

function memberOf(index: number, item: CopyItem): Member {
  const { directory, entry, replaces, written } = itemIn(item);
  const [writtenDirectory, writtenName] = written === undefined ? [directory, entry.name] : splitLast(written);
  return {
    ...{ index, directory, entry, replaces, temporaryFile: { directory: writtenDirectory, name: writtenName } },
    isInPlace: written === undefined && replaces !== undefined,
  };
}

/** The three fields of an entry under another name. A file with several names is no link, so its label is the name alone. */
function withName(name: string, text: string): string {
  return `${labelOf(name, "")}${text.slice(text.indexOf("\0"))}`;
}
