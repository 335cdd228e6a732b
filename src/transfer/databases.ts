// Plans the files of an SQLite database as one unit: all of them are moved or none, and the index never is. Where the receiving
// side has a log that the sending side lacks, or changed one of the files, the whole unit is in conflict, because a log
// destroys a main file to which it does not belong. Pure.
import { INDEX, mainNameOf, namesOfDatabase } from "./database_files.ts";
import { type DecisionRules, type DirectoryPlan, isAsRecorded, isOurs } from "./decide.ts";
import type { Kept } from "./kept_names.ts";
import type { Entry, EntryState } from "./entry.ts";

/** The entries of a directory on both sides, and its record. */
export interface DatabaseFacts {
  readonly from: readonly Entry[];
  readonly to: readonly Entry[];
  readonly recordOf: (name: string) => EntryState | undefined;
  /** As decide.ts takes them. */
  readonly doubtful?: ReadonlySet<string>;
}

const CONFLICT: Kept["reason"] = "part of a database that changed there";

/**
 * The main files of possible databases, told by names alone: a file with a log or an index beside it, on either side. A file
 * with several names, or behind a followed link, is excluded: SQLite keeps the log beside the name that was opened.
 */
export function findDatabaseNames({ from, to }: Pick<DatabaseFacts, "from" | "to">): string[] {
  const mains = new Set([...from, ...to].flatMap(({ name }) => mainNameOf(name) ?? []));
  if (mains.size === 0) return [];
  const sides = [from, to].map((entries) => new Map(entries.map((entry) => [entry.name, entry])));
  return [...mains].filter((main) => {
    const all = [...namesOfDatabase(main), main + INDEX].flatMap((name) =>
      sides.flatMap((side) => side.get(name) ?? [])
    );
    const isPlain = (entry: Entry) => entry.type === "file" && entry.linkGroup === "" && entry.isBehindLink !== true;
    return sides.some((side) => side.has(main)) && all.every(isPlain);
  });
}

/** The plan of a directory with the files of these databases as units. */
export function withDatabases(
  plan: DirectoryPlan,
  names: readonly string[],
  facts: DatabaseFacts,
  rules: DecisionRules,
): DirectoryPlan {
  return names.reduce((current, name) => withDatabase(current, name, facts, rules), plan);
}

function withDatabase(whole: DirectoryPlan, main: string, facts: DatabaseFacts, rules: DecisionRules): DirectoryPlan {
  const plan = without(whole, [main + INDEX]);
  const names = namesOfDatabase(main);
  const isMember = ({ name }: { readonly name: string }) => names.includes(name);
  const transfers = plan.transfers.filter(isMember);
  const isInConflict = plan.kept.some((one) => isMember(one) && one.reason === "changed on both sides");
  if (transfers.length + plan.removals.filter(isMember).length === 0 && !isInConflict) return plan;
  const there = facts.to.filter(isMember);
  const sent = new Map(facts.from.filter(isMember).map((entry) => [entry.name, entry]));
  // A log without its main file is no database: it is not sent, and the receiving side keeps none either.
  const isGone = !sent.has(main);
  const extras = there.filter(({ name, sizeBytes }) => name !== main && sizeBytes > 0 && (isGone || !sent.has(name)));
  // A log that is as recorded came from us. The sending side has moved its content into the main file since.
  const isForeign = (entry: Entry) => !isOurs(rules) && !isAsRecorded(entry, facts.recordOf(entry.name), facts, rules);
  const removals = [...plan.removals.filter(isMember), ...extras.filter((entry) => !plan.removals.includes(entry))];
  const rest = without(plan, [...transfers, ...removals].map(({ name }) => name), "keep records");
  const isLeftAlone = plan.kept.some(isMember) || extras.some(isForeign) ||
    (isGone && !removals.some(({ name }) => name === main));
  if (!isLeftAlone) {
    const gone = new Set([...removals, ...(isGone ? transfers : [])].map(({ name }) => name));
    return {
      ...rest,
      records: rest.records.filter(([name]) => !gone.has(name)),
      databases: [...plan.databases, { name: main, transfers: isGone ? [] : transfers, there, removals }],
    };
  }
  const left = new Set([...transfers, ...plan.removals.filter(isMember)].map(({ name }) => name));
  const recorded = [...left].flatMap((name): [string, EntryState][] => {
    const before = facts.recordOf(name);
    return before === undefined ? [] : [[name, before]];
  });
  const isUnchanged = names.every((name) => {
    const [entry, recorded] = [sent.get(name), facts.recordOf(name)];
    return entry === undefined ? recorded === undefined : isAsRecorded(entry, recorded, {}, rules);
  });
  return {
    ...rest,
    kept: isUnchanged
      ? [...rest.kept, ...[...left].map((name) => ({ name, reason: "changed there" }) as const)]
      : withConflict(rest.kept, names.filter((name) => [...there, ...sent.values()].some((one) => one.name === name))),
    records: [...rest.records.filter(([name]) => !left.has(name)), ...recorded],
  };
}

/** All files of a database in conflict are named, since the side that a person takes has to have all of them. */
function withConflict(kept: readonly Kept[], members: readonly string[]): readonly Kept[] {
  const others = kept.filter(({ name }) => !members.includes(name));
  const known = new Map(kept.map((one) => [one.name, one]));
  const found = members.map((name) => {
    const before = known.get(name);
    return before === undefined || before.reason === "changed there" ? { name, reason: CONFLICT } : before;
  });
  return [...others, ...found];
}

function without(plan: DirectoryPlan, names: readonly string[], records?: "keep records"): DirectoryPlan {
  const isOther = ({ name }: { readonly name: string }) => !names.includes(name);
  return {
    ...plan,
    transfers: plan.transfers.filter(isOther),
    replaces: plan.replaces.filter(isOther),
    removals: plan.removals.filter(isOther),
    extras: plan.extras.filter(isOther),
    modes: plan.modes.filter(isOther),
    kept: plan.kept.filter(isOther),
    records: records === undefined ? plan.records.filter(([name]) => isOther({ name })) : plan.records,
  };
}
