// Decides what to do in one directory, from the entries of both sides and the record of the last transfer. Pure.
import { type Entry, type EntryState, isDamaged, isNewer, sameContent, sameMode, sameTime } from "./entry.ts";
import type { Kept } from "./kept_names.ts";
import { markedIfRacy, type RacySide } from "./racy.ts";
import type { FileSystemTraits } from "./traits.ts";

/** How a transfer treats what it finds; intent.ts says what each promises. */
export type TransferPolicy = "stage" | "push" | "mirror";

/** The entries of one directory. A side that lacks the directory has no entries, and its `fromSelf` or `toSelf` is undefined. */
export interface DirectoryFacts {
  /** Relative to the roots; the roots themselves are the empty string. */
  readonly directory: string;
  readonly from: readonly Entry[];
  readonly to: readonly Entry[];
  /** The record of a name. Called only where the sides differ: most directories need not be decoded. */
  readonly recordOf: (name: string) => EntryState | undefined;
  /** Names of files whose content differs although size and time are the same, where contents were compared. */
  readonly differs?: ReadonlySet<string>;
  /** Receiving files that look as recorded and may differ: they were racy, and their content is not known to be the copied one. */
  readonly doubtful?: ReadonlySet<string>;
  /** Sending files that look as recorded and may differ, for the same reason. */
  readonly unproven?: ReadonlySet<string>;
  /** Where there is no record: files that the sides have with the same content and different times. */
  readonly equal?: ReadonlySet<string>;
  /** Receiving files with the recorded time that are only the beginning of the unchanged source's: a crash truncated them. */
  readonly cut?: ReadonlySet<string>;
  /** Whether the record marks files of this directory as racy: then the records of equal files are read, too. */
  readonly hasMarks?: boolean;
  /** Whether a killed transfer may have brought a name; the time of that copy is unknown. */
  readonly isResumed?: (name: string) => boolean;
  /** Directories that are made only where something below them is selected. */
  readonly isEntered?: (name: string) => boolean;
  /** Excluded names of the receiving side, where such names are deleted. */
  readonly excluded?: readonly Entry[];
  /** The directory itself on both sides. */
  readonly fromSelf: Entry | undefined;
  readonly toSelf: Entry | undefined;
}

/** Rules for all directories of a transfer. */
export interface DecisionRules {
  readonly policy: TransferPolicy;
  /** What the receiving file system keeps of times and modes; times are compared at the resolution of the coarser side. */
  readonly traits: FileSystemTraits;
  /** `recorded`: removes what was recorded and is deleted at the source; `all`: removes everything that the source lacks. */
  readonly removals: "recorded" | "all";
  /**
   * How to treat a name of the receiving side that is not recorded: `foreign`, where everything transferred is recorded;
   * `unknown`, where there is no record at all: a sync replaces older files, and other differences are conflicts.
   */
  readonly unrecorded: "foreign" | "unknown";
  /** A file that a killed transfer may have brought is racy if it was modified after this, in seconds since 1970. */
  readonly resumedSinceSeconds?: number;
  /** `private`: no program uses the receiving side yet, so differences there are left from a killed transfer. */
  readonly receivingSide: "private" | "live";
}

/** One name of a file that has several. */
export interface LinkedFile {
  readonly from: Entry;
  readonly to: Entry | undefined;
  /** `recorded`: both sides were the same at the last transfer, and `to` was not looked at now. */
  readonly state: "to transfer" | "same" | "recorded";
}

/** A database that is moved. */
export interface DatabasePlan {
  /** The main file. */
  readonly name: string;
  /** The files to move, as the walk saw them. */
  readonly transfers: readonly Entry[];
  /** The files of the database that the receiving side has now and that may be replaced or removed. */
  readonly there: readonly Entry[];
  /** Those of them that the sending side lacks. */
  readonly removals: readonly Entry[];
}

/** What to do in one directory. Names are relative to it. */
export interface DirectoryPlan {
  readonly directory: string;
  readonly fromSelf: Entry | undefined;
  readonly toSelf: Entry | undefined;
  readonly transfers: readonly Entry[];
  /** The entries that transfers replace. Each is replaced only if it is unchanged when the new file is published. */
  readonly replaces: readonly Entry[];
  /** Files with several names; what happens to one depends on all of them ({@linkcode planLinkGroups}). */
  readonly linked: readonly LinkedFile[];
  /** Files with the right content and other permissions. */
  readonly modes: readonly Entry[];
  /** Directories to make. */
  readonly makes: readonly Entry[];
  /** What to remove first, because its name is needed for an entry of another type. */
  readonly clears: readonly Entry[];
  /** What to remove at the end. Directories only if they are empty then. */
  readonly removals: readonly Entry[];
  /** `nothing`: the sending side lacks this directory, and all names found in it are removed. */
  readonly leaves: "nothing" | "something";
  /** What replaces a directory of `removals`, provided that the directory could be removed. */
  readonly successors: readonly Entry[];
  readonly kept: readonly Kept[];
  /** SQLite databases, each with its logs; their files are in no other list. Filled in by databases.ts. */
  readonly databases: readonly DatabasePlan[];
  /** Names with equal size and time on both sides and different contents, where contents were compared. */
  readonly otherContents: readonly string[];
  /** Names that only the receiving side has, where it is to be an exact copy (mirror). */
  readonly extras: readonly Entry[];
  /** Whether permissions and time of the directory itself have to be set at the end. */
  readonly finish: "as source" | "as it is";
  /** What both sides have after this plan, for the next record. */
  readonly records: readonly [name: string, state: EntryState][];
  /** Records of names that do not take part; they are kept. */
  readonly unselected?: readonly [name: string, state: EntryState][];
  /** Directories to visit next, with their entries on each side. */
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
      databases: [],
      otherContents: [...facts.differs ?? []],
      extras: [],
      records: [],
      descend: [],
    },
  };
  const received = new Map(facts.to.map((entry) => [entry.name, entry]));
  for (const from of facts.from) {
    const to = received.get(from.name);
    if (from.type === "directory" && to === undefined && facts.isEntered?.(from.name) === true) {
      // Made together with the first name that is written below it.
      draft.descend.push({ name: from.name, from });
      draft.records.push([from.name, from]);
    } else if (from.type === "directory") decideSourceDirectory(draft, from, to, facts, rules);
    else decideFile(draft, from, to, facts, rules);
    received.delete(from.name);
  }
  for (const to of received.values()) decideExtra(draft, to, facts, rules);
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
  facts: DirectoryFacts,
  rules: DecisionRules,
): void {
  if (to?.type === "directory") {
    draft.descend.push({ name: from.name, from, to });
    draft.records.push([from.name, from]);
    return;
  }
  const base = facts.recordOf(from.name);
  if (to !== undefined) {
    // A file or link has the name of the directory.
    const mayGo = isOurs(rules) ||
      (rules.policy === "stage" &&
        (base === undefined
          ? rules.unrecorded === "unknown" && !isNewer(to, from)
          : isAsRecorded(to, base, facts, rules)));
    if (!mayGo) return keep(draft, from.name, "in the way", base);
    draft.clears.push(to);
  } else if (rules.policy === "push" && base?.type === "directory") {
    // Deleted at the source: the directory is made again only for changed files in it.
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
  facts: DirectoryFacts,
  rules: DecisionRules,
): void {
  const { recordOf } = facts;
  const same = (one: EntryState, other: EntryState) => sameContent(one, other, rules.traits.timeStep);
  if (to !== undefined && same(from, to) && !isHalfMade(from, to, rules)) {
    if (facts.differs?.has(from.name)) return decideOtherContent(draft, from, to, recordOf(from.name), rules);
    if (from.linkGroup !== "") draft.linked.push({ from, to, state: "same" });
    if (rules.policy !== "push" && hasOtherMode(from, to, rules)) draft.modes.push(from);
    draft.records.push([from.name, recordOfSame(from, facts, rules)]);
    return;
  }
  const base = recordOf(from.name);
  if (rules.policy === "push" && base !== undefined && isDamaged(from, base)) {
    return keep(draft, from.name, "damaged", base);
  }
  const isUnchanged = base !== undefined && same(from, base) && facts.unproven?.has(from.name) !== true;
  if (to === undefined) {
    if (rules.policy !== "push" || !isUnchanged) return bring(draft, from);
    draft.kept.push({ name: from.name, reason: "deleted there", from });
    draft.records.push([from.name, base]);
    return;
  }
  const onlySourceChanged = rules.policy === "push" && isUnchanged;
  if (to.type === "directory" && !onlySourceChanged) return replaceDirectory(draft, from, to, base, rules);
  if (isOurs(rules)) return bring(draft, from, to);
  if (base === undefined) {
    if (rules.unrecorded === "foreign") return keep(draft, from.name, "changed on both sides", base);
    const isToNewer = isNewer(to, from, rules.traits.timeStep);
    if (rules.policy === "push" && isToNewer) return keep(draft, from.name, "newer at the source", base);
    // An older file of the target counts as an earlier copy. An older one at the source may be its only version.
    const mayGo = facts.equal?.has(from.name) === true || (rules.policy === "stage" && !isToNewer);
    return mayGo ? bring(draft, from, to) : keep(draft, from.name, "changed on both sides", base);
  }
  if (onlySourceChanged) {
    // The next sync stages the change of the source.
    draft.records.push([from.name, base]);
    return;
  }
  if (isAsRecorded(to, base, facts, rules)) return bring(draft, from, to);
  if (rules.policy === "stage" && isDamaged(to, base)) {
    return facts.cut?.has(from.name) ? bring(draft, from, to) : keep(draft, from.name, "damaged", base);
  }
  keep(draft, from.name, isUnchanged ? "changed there" : "changed on both sides", base);
}

/** Whether the receiving side surely has what was recorded, so that it may be replaced or removed. */
export function isAsRecorded(
  to: Entry,
  base: EntryState | undefined,
  { doubtful }: Pick<DirectoryFacts, "doubtful">,
  { traits }: DecisionRules,
): boolean {
  return base !== undefined && sameContent(to, base, traits.timeStep) && doubtful?.has(to.name) !== true;
}

/** Whether permissions differ and can be changed. */
function hasOtherMode(from: Entry, to: Entry, { traits }: DecisionRules): boolean {
  return traits.modes === "kept" && !sameMode(from, to);
}

/** The side that files come from. */
export function sendingSide({ policy }: Pick<DecisionRules, "policy">): RacySide {
  return policy === "push" ? "target" : "source";
}

/** The record of a file that is the same on both sides. If it was racy at the sending side, its content was compared. */
function recordOfSame(
  from: Entry,
  { recordOf, hasMarks, isResumed }: DirectoryFacts,
  rules: DecisionRules,
): EntryState {
  const side = sendingSide(rules);
  const base = hasMarks === true ? recordOf(from.name) : undefined;
  if (base?.racy !== undefined && base.racy !== side && sameContent(from, base, rules.traits.timeStep)) return base;
  const { resumedSinceSeconds } = rules;
  const mayBeResumed = (rules.receivingSide === "private" && rules.policy === "stage") || isResumed?.(from.name);
  if (resumedSinceSeconds === undefined || !mayBeResumed) return from;
  return markedIfRacy(from, side, resumedSinceSeconds);
}

/** Decides about a file with equal size and time and another content: one side was written without a new time. */
function decideOtherContent(
  draft: Draft,
  from: Entry,
  to: Entry,
  base: EntryState | undefined,
  rules: DecisionRules,
): void {
  if (isOurs(rules) || base === undefined) return bring(draft, from, to);
  // Both differ from the record: two edits of the same size within one clock tick.
  if (!sameContent(to, base, rules.traits.timeStep)) return keep(draft, from.name, "changed on both sides", base);
  const isChangedThere = base.racy !== undefined && base.racy !== sendingSide(rules);
  if (isChangedThere) keep(draft, from.name, "changed there", base);
  else bring(draft, from, to);
}

/** Whether a killed transfer made this link and was stopped before it set the link's time. */
function isHalfMade(from: Entry, to: Entry, { receivingSide, traits }: DecisionRules): boolean {
  return receivingSide === "private" && from.type === "link" && !sameTime(from, to, traits.timeStep);
}

/** Whether only transfers write to the receiving side, so that nothing there has to be kept. */
export function isOurs(rules: DecisionRules): boolean {
  return rules.policy === "mirror" || rules.receivingSide === "private";
}

function bring(draft: Draft, from: Entry, to?: Entry): void {
  if (from.linkGroup === "") {
    draft.transfers.push(from);
    if (to !== undefined) draft.replaces.push(to);
  } else draft.linked.push({ from, to, state: "to transfer" });
  draft.records.push([from.name, from]);
}

/** Replaces a recorded directory: its names are removed one by one, each only if unchanged. Any other directory is kept. */
function replaceDirectory(
  draft: Draft,
  from: Entry,
  to: Entry,
  base: EntryState | undefined,
  rules: DecisionRules,
): void {
  const mayGo = rules.policy === "stage" && (rules.removals === "all" || base?.type === "directory");
  if (!mayGo) return keep(draft, from.name, "in the way", base);
  removeExtra(draft, to);
  draft.successors.push(from);
  draft.records.push([from.name, from]);
}

function keep(draft: Draft, name: string, reason: Kept["reason"], base: EntryState | undefined): void {
  draft.kept.push({ name, reason });
  if (base !== undefined) draft.records.push([name, base]);
}

function decideExtra(draft: Draft, to: Entry, facts: DirectoryFacts, rules: DecisionRules): void {
  const base = facts.recordOf(to.name);
  if (rules.policy !== "stage") {
    // Missing on scratch means purged, not deleted: the record stays.
    if (rules.policy === "push" && base !== undefined) draft.records.push([to.name, base]);
    if (rules.policy === "mirror" && rules.removals === "all") removeExtra(draft, to);
    else if (rules.policy === "mirror") draft.extras.push(to);
    return;
  }
  const recorded = base !== undefined && base.type === to.type;
  if (!recorded && rules.removals === "recorded") {
    // The entry that we brought was changed or replaced on the receiving side.
    if (base !== undefined) keep(draft, to.name, "gone at the source, changed there", base);
    return;
  }
  if (to.type === "directory") {
    removeExtra(draft, to);
  } else if (rules.removals === "all" || isAsRecorded(to, base, facts, rules)) {
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
  if (fromSelf === undefined || rules.policy === "push") return false;
  if (
    toSelf === undefined || hasOtherMode(fromSelf, toSelf, rules) || !sameTime(fromSelf, toSelf, rules.traits.timeStep)
  ) return true;
  return draft.transfers.length + draft.linked.filter((file) => file.state === "to transfer").length +
      draft.makes.length + draft.clears.length + draft.removals.length > 0;
}
