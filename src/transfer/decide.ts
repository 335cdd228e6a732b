// What has to happen in one directory, from what stands on both sides and what the last complete transfer recorded. Pure.
import {
  type Entry,
  type EntryState,
  isDamaged,
  isNewer,
  sameContent,
  sameMode,
  sameTime,
  type TimePrecision,
} from "./entry.ts";

/** How a transfer treats what it finds; intent.ts says what each promises. */
export type TransferPolicy = "stage-in" | "stage-out" | "mirror";

/** One directory as it was found. A side that is absent has no such directory. */
export interface DirectoryFacts {
  /** Relative to the roots; the roots themselves are the empty string. */
  readonly directory: string;
  readonly from: readonly Entry[];
  readonly to: readonly Entry[];
  /** What was recorded for a name. Asked only where the sides differ: most directories needn't be decoded. */
  readonly baseline: (name: string) => EntryState | undefined;
  /** Directories that are made only where something below them is selected. */
  readonly isEntered?: (name: string) => boolean;
  /** What the receiving side has that a filter excludes, where such names are deleted. */
  readonly excluded?: readonly Entry[];
  /** The directory itself on both sides. */
  readonly fromSelf: Entry | undefined;
  readonly toSelf: Entry | undefined;
}

/** Rules for all directories of a transfer. */
export interface DecisionRules {
  readonly policy: TransferPolicy;
  readonly precision: TimePrecision;
  /** `baseline`: only what was recorded and is gone at the source goes; `all`: whatever the source doesn't have. */
  readonly removals: "baseline" | "all";
  /**
   * What a name is that the receiving side has and no record: `foreign`, where everything that was transferred is recorded;
   * `unknown`, where there is no record at all, and then the newer side wins.
   */
  readonly unrecorded: "foreign" | "unknown";
  /** Nobody reads or changes the receiving side yet: what differs there is half of an earlier attempt, however new it looks. */
  readonly publish: "unpublished" | "in-place";
}

/** A name on the receiving side that is left alone. */
export interface Kept {
  readonly name: string;
  readonly reason:
    | "changed there"
    | "newer there"
    | "deleted there"
    | "gone at the source, changed there"
    | "damaged"
    /** Found by staging, which reads content: only the beginning of what the other side has, and no record. */
    | "truncated"
    /** Perhaps the same: the comparison failed, and no record. */
    | "not compared"
    | "in the way"
    /** Staging followed a link of the source, and a push does not write through it. */
    | "a link at the source";
}

/** One name of a file that has several. */
export interface LinkedFile {
  readonly from: Entry;
  readonly to: Entry | undefined;
  /** `recorded`: the same when it was last looked at, and `to` isn't known now. */
  readonly state: "to transfer" | "same" | "recorded";
}

/** What to do in one directory. Names are relative to it. */
export interface DirectoryPlan {
  readonly directory: string;
  readonly fromSelf: Entry | undefined;
  readonly toSelf: Entry | undefined;
  readonly transfers: readonly Entry[];
  /** What stands where one of them comes: it must still be that when its turn comes. */
  readonly replaces: readonly Entry[];
  /** Files with several names; what happens to one depends on all of them ({@linkcode planLinkGroups}). */
  readonly linked: readonly LinkedFile[];
  /** Files with the right content and other permissions. */
  readonly modes: readonly Entry[];
  /** Directories to make. */
  readonly makes: readonly Entry[];
  /** What to remove first: it stands where something of another type comes. */
  readonly clears: readonly Entry[];
  /** What to remove at the end. Directories only if they are empty then. */
  readonly removals: readonly Entry[];
  /** `nothing`: the source does not have this directory, and all names that were found in it go. */
  readonly leaves: "nothing" | "something";
  /** What takes the place of a directory among the removals, if that is gone then. */
  readonly successors: readonly Entry[];
  readonly kept: readonly Kept[];
  /** What only the receiving side has, where that is an exact copy (mirror). */
  readonly extras: readonly Entry[];
  /** Whether permissions and time of the directory itself have to be set at the end. */
  readonly finish: "as source" | "as it is";
  /** What both sides have once this is done, for the next baseline. */
  readonly records: readonly [name: string, state: EntryState][];
  /** Directories to go on with, and where they are. */
  readonly descend: readonly { readonly name: string; readonly from?: Entry; readonly to?: Entry }[];
}

type Draft = {
  -readonly [K in keyof DirectoryPlan]: DirectoryPlan[K] extends readonly (infer T)[] ? T[] : DirectoryPlan[K];
};

/** Decides for one directory. */
export function decideDirectory(facts: DirectoryFacts, rules: DecisionRules): DirectoryPlan {
  const { directory, fromSelf, toSelf } = facts;
  const draft: Draft = {
    ...{ directory, fromSelf, toSelf, finish: "as it is", leaves: "something" },
    ...{
      transfers: [],
      replaces: [],
      linked: [],
      modes: [],
      makes: [],
      clears: [],
      removals: [],
      successors: [],
      kept: [],
      extras: [],
      records: [],
      descend: [],
    },
  };
  const received = new Map(facts.to.map((entry) => [entry.name, entry]));
  for (const from of facts.from) {
    const to = received.get(from.name);
    const base = facts.baseline;
    if (from.type === "directory" && to === undefined && facts.isEntered?.(from.name) === true) {
      // Made together with the first name below it.
      draft.descend.push({ name: from.name, from });
      draft.records.push([from.name, from]);
    } else if (from.type === "directory") decideSourceDirectory(draft, from, to, base, rules);
    else decideFile(draft, from, to, base, rules);
    received.delete(from.name);
  }
  for (const to of received.values()) decideExtra(draft, to, facts.baseline(to.name), rules);
  for (const to of facts.excluded ?? []) removeExtra(draft, to);
  const names = facts.to.length + (facts.excluded?.length ?? 0);
  if (fromSelf === undefined && draft.removals.length === names) draft.leaves = "nothing";
  draft.finish = mustFinish(draft, rules) ? "as source" : "as it is";
  return draft;
}

function decideSourceDirectory(
  draft: Draft,
  from: Entry,
  to: Entry | undefined,
  baseline: DirectoryFacts["baseline"],
  rules: DecisionRules,
): void {
  if (to?.type === "directory") {
    draft.descend.push({ name: from.name, from, to });
    draft.records.push([from.name, from]);
    return;
  }
  const base = baseline(from.name);
  if (to !== undefined) {
    // A file or link stands where the directory belongs.
    const mayGo = isOurs(rules) ||
      (rules.policy === "stage-in" &&
        (base === undefined
          ? rules.unrecorded === "unknown" && !isNewer(to, from)
          : sameContent(to, base, rules.precision)));
    if (!mayGo) return keep(draft, from.name, "in the way", base);
    draft.clears.push(to);
  } else if (rules.policy === "stage-out" && base?.type === "directory") {
    // Deleted at home: it comes back only for what changed in it.
    draft.descend.push({ name: from.name, from });
    draft.records.push([from.name, base]);
    return;
  }
  draft.makes.push(from);
  draft.records.push([from.name, from]);
  draft.descend.push({ name: from.name, from });
}

function decideFile(
  draft: Draft,
  from: Entry,
  to: Entry | undefined,
  baseline: DirectoryFacts["baseline"],
  rules: DecisionRules,
): void {
  const same = (one: EntryState, other: EntryState) => sameContent(one, other, rules.precision);
  if (to !== undefined && same(from, to) && !isHalfMade(from, to, rules)) {
    if (from.linkGroup !== "") draft.linked.push({ from, to, state: "same" });
    if (rules.policy !== "stage-out" && !sameMode(from, to)) draft.modes.push(from);
    draft.records.push([from.name, from]);
    return;
  }
  const base = baseline(from.name);
  if (rules.policy === "stage-out" && base !== undefined && isDamaged(from, base)) {
    return keep(draft, from.name, "damaged", base);
  }
  if (to === undefined) {
    const deletedThere = rules.policy === "stage-out" && base !== undefined && same(from, base);
    if (deletedThere) keep(draft, from.name, "deleted there", base);
    else bring(draft, from);
    return;
  }
  if (to.type === "directory") return replaceDirectory(draft, from, to, base, rules);
  if (isOurs(rules)) return bring(draft, from, to);
  if (base === undefined) {
    if (rules.unrecorded === "foreign") return keep(draft, from.name, "changed there", base);
    if (!isNewer(to, from, rules.precision)) return bring(draft, from, to);
    // The newer file counts as a change of what the source has now: that is recorded, so that a push brings the change.
    return keep(draft, from.name, "newer there", rules.policy === "stage-in" ? from : undefined);
  }
  if (rules.policy === "stage-out" && same(from, base)) {
    // Only home changed: the next stage-in brings that.
    draft.records.push([from.name, base]);
    return;
  }
  if (same(to, base)) return bring(draft, from, to);
  if (rules.policy === "stage-in" && isDamaged(to, base)) return keep(draft, from.name, "damaged", base);
  keep(draft, from.name, "changed there", base);
}

/** Whether a link was made by a transfer that was killed before it gave the link its time. */
function isHalfMade(from: Entry, to: Entry, { publish, precision }: DecisionRules): boolean {
  return publish === "unpublished" && from.type === "link" && !sameTime(from, to, precision);
}

/** Whether what stands on the receiving side is nobody else's work. */
function isOurs(rules: DecisionRules): boolean {
  return rules.policy === "mirror" || rules.publish === "unpublished";
}

function bring(draft: Draft, from: Entry, to?: Entry): void {
  if (from.linkGroup === "") {
    draft.transfers.push(from);
    if (to !== undefined) draft.replaces.push(to);
  } else draft.linked.push({ from, to, state: "to transfer" });
  draft.records.push([from.name, from]);
}

/** A directory that we brought goes name by name, each only if nobody changed it; any other one is worth keeping. */
function replaceDirectory(
  draft: Draft,
  from: Entry,
  to: Entry,
  base: EntryState | undefined,
  rules: DecisionRules,
): void {
  const mayGo = rules.policy === "stage-in" && (rules.removals === "all" || base?.type === "directory");
  if (!mayGo) return keep(draft, from.name, "in the way", base);
  removeExtra(draft, to);
  draft.successors.push(from);
  draft.records.push([from.name, from]);
}

function keep(draft: Draft, name: string, reason: Kept["reason"], base: EntryState | undefined): void {
  draft.kept.push({ name, reason });
  if (base !== undefined) draft.records.push([name, base]);
}

function decideExtra(draft: Draft, to: Entry, base: EntryState | undefined, rules: DecisionRules): void {
  if (rules.policy !== "stage-in") {
    // Gone on scratch is no deletion, a purge did it: the record stays.
    if (rules.policy === "stage-out" && base !== undefined) draft.records.push([to.name, base]);
    if (rules.policy === "mirror" && rules.removals === "all") removeExtra(draft, to);
    else if (rules.policy === "mirror") draft.extras.push(to);
    return;
  }
  const recorded = base !== undefined && base.type === to.type;
  if (!recorded && rules.removals === "baseline") {
    // Something else was made of what we brought.
    if (base !== undefined) keep(draft, to.name, "gone at the source, changed there", base);
    return;
  }
  if (to.type === "directory") {
    removeExtra(draft, to);
  } else if (rules.removals === "all" || (base !== undefined && sameContent(to, base, rules.precision))) {
    draft.removals.push(to);
  } else {
    keep(draft, to.name, "gone at the source, changed there", base);
  }
}

function removeExtra(draft: Draft, to: Entry): void {
  if (to.type === "directory") draft.descend.push({ name: to.name, to });
  draft.removals.push(to);
}

function mustFinish(draft: Draft, rules: DecisionRules): boolean {
  const { fromSelf, toSelf } = draft;
  if (fromSelf === undefined || rules.policy === "stage-out") return false;
  if (toSelf === undefined || !sameMode(fromSelf, toSelf) || !sameTime(fromSelf, toSelf, rules.precision)) return true;
  return draft.transfers.length + draft.linked.filter((file) => file.state === "to transfer").length +
      draft.makes.length + draft.clears.length + draft.removals.length > 0;
}

/**
 * Which of the files with several names to transfer. One that must be is transferred with all its names, and so is one whose
 * names are one file at the source and several where they go: only together do they arrive as one.
 */
export function planLinkGroups(
  members: readonly (LinkedFile & { readonly directory: string })[],
): (LinkedFile & { readonly directory: string })[][] {
  const groups = new Map<string, (LinkedFile & { readonly directory: string })[]>();
  for (const member of members) {
    const group = groups.get(member.from.linkGroup);
    if (group === undefined) groups.set(member.from.linkGroup, [member]);
    else group.push(member);
  }
  return [...groups.values()].filter((group) => {
    if (group.some((member) => member.state === "to transfer")) return true;
    const known = group.filter((member) => member.state !== "recorded");
    const there = new Set(known.map((member) => member.to?.linkGroup || member.directory + "/" + member.from.name));
    return there.size > 1;
  });
}
