// Files with several names. If one name has to move, all names of the file do, or they arrive as several files. A name that was
// changed on the receiving side no longer belongs to the group.
import { type Entry, sameContent } from "./entry.ts";
import type { LinkedFile, TransferPolicy } from "./decide.ts";
import { joinName } from "../posix/file_names.ts";
import { lookAtPaths } from "./listing.ts";
import type { KeptPath } from "./request.ts";
import type { Item } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { FileSystemTraits } from "./traits.ts";

type Member = LinkedFile & { readonly directory: string };

/** The rules that decide about names in directories that were skipped as unchanged. */
export interface LinkRules {
  readonly policy: TransferPolicy;
  readonly traits: FileSystemTraits;
}

/** Gathers files with several names during the walk. */
export class LinkGroups {
  readonly #to: string;
  readonly #runner: JobRunner;
  readonly #rules: LinkRules;
  #members: Member[] = [];

  /** `to` is the receiving root. */
  constructor(to: string, runner: JobRunner, rules: LinkRules) {
    this.#to = to;
    this.#runner = runner;
    this.#rules = rules;
  }

  add(directory: string, files: readonly LinkedFile[]): void {
    for (const file of files) this.#members.push({ ...file, directory });
  }

  /**
   * Looks at skipped names of files that are transferred: those of `alsoMoving`, and those already decided. Names that were
   * changed on the receiving side leave their group, and are returned.
   */
  async settle(alsoMoving: readonly Entry[]): Promise<readonly KeptPath[]> {
    const moving = new Set(alsoMoving.map(({ linkGroup }) => linkGroup));
    for (const { from, state } of this.#members) if (state === "to transfer") moving.add(from.linkGroup);
    const isOpen = ({ state, from }: Member) => state === "recorded" && moving.has(from.linkGroup);
    const paths = this.#members.filter(isOpen).map(pathOf);
    if (paths.length === 0) return [];
    const there = await lookAtPaths(this.#to, paths, this.#runner);
    const kept: KeptPath[] = [];
    this.#members = this.#members.flatMap((member): Member[] => {
      if (!isOpen(member)) return [member];
      const path = pathOf(member);
      const state = decideRecorded(member.from, there.get(path), this.#rules);
      if (state === "changed there") kept.push({ path, reason: state });
      return state === "same" || state === "to transfer" ? [{ ...member, state, to: there.get(path) }] : [];
    });
    return kept;
  }

  /** The names to transfer, a group for each file. */
  toTransfer(): Item[][] {
    return planLinkGroups(this.#members, this.#rules.traits.hardLinks).map((group) => group.map(itemOf));
  }

  /** The other names of a file at the sending side. */
  otherNames({ linkGroup }: Entry): Item[] {
    if (linkGroup === "") return [];
    return this.#members.filter(({ from }) => from.linkGroup === linkGroup).map(itemOf);
  }
}

function decideRecorded(
  from: Entry,
  to: Entry | undefined,
  { policy, traits }: LinkRules,
): "same" | "to transfer" | "changed there" | "not transferred" {
  if (to !== undefined && sameContent(from, to, traits.timeStep)) return "same";
  // Unchanged on scratch since the record: a push does not transfer it.
  if (policy === "push") return "not transferred";
  return to === undefined ? "to transfer" : "changed there";
}

function itemOf({ directory, from, to }: Member): Item {
  return { directory, entry: from, replaces: to };
}

function pathOf({ directory, from }: Member): string {
  return joinName(directory, from.name);
}

/**
 * Which files with several names to transfer. A file that must be transferred is transferred with all its names; so is a file
 * whose names are one file at the source and several files at the receiving side: only together do they arrive as one. Where
 * the receiving side has no hard links, its names always stay several files.
 */
export function planLinkGroups(
  members: readonly Member[],
  hardLinks: FileSystemTraits["hardLinks"] = "kept",
): Member[][] {
  const groups = new Map<string, Member[]>();
  for (const member of members) {
    const group = groups.get(member.from.linkGroup);
    if (group === undefined) groups.set(member.from.linkGroup, [member]);
    else group.push(member);
  }
  return [...groups.values()].filter((group) => {
    if (group.some((member) => member.state === "to transfer")) return true;
    if (hardLinks === "copied") return false;
    const known = group.filter((member) => member.state !== "recorded");
    const there = new Set(known.map((member) => member.to?.linkGroup || member.directory + "/" + member.from.name));
    return there.size > 1;
  });
}
