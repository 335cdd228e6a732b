// The unit of copying: so many files that starting a process for them is worth it. What didn't arrive as it should is tried
// once more and then named.
import { messageOf } from "../errors.ts";
import { sameContent } from "./entry.ts";
import { isReachable } from "../system/file_names.ts";
import {
  type Attempt,
  discard,
  entriesOf,
  isStill,
  type Item,
  moveOnce,
  pathOf,
  type ShardPlace,
  type Writer,
} from "./attempt.ts";

/** What became of a shard's items. */
export interface ShardOutcome {
  /** Moved and seen on the other side, as it was moved: a file may have changed since the walk. */
  readonly arrived: readonly Item[];
  readonly missing: readonly MissingItem[];
  /** Left out by the user's own rsync arguments. */
  readonly leftOut: readonly Item[];
  /** Somebody wrote there after the walk; that stays. */
  readonly overtaken: readonly Item[];
  readonly lastWords: readonly string[];
}

/** What didn't arrive. */
export interface MissingItem {
  readonly item: Item;
  readonly reason: string;
  readonly vanished: boolean;
  /** Whether what stands where it goes is still what the walk saw; `touched`: we left there what the item replaces now. */
  readonly receiver: "as it was" | "touched";
}

type Missing = Omit<MissingItem, "receiver">;

/** Above so many, what tar complained about isn't tried one by one. */
const MOST_SUSPECTS = 16;

/** Moves a shard. Throws a CliError `no-space` where the disk is full, `transfer` where rsync refuses to work at all. */
export async function moveShard(items: readonly Item[], writer: Writer, place: ShardPlace): Promise<ShardOutcome> {
  const first = await moveOnce(items, writer, place);
  if (first.failed.length === 0) return { ...first, missing: [], leftOut: [] };
  const now = await lookAgain(first.failed, place);
  // One name that can't be written makes tar's word about all others doubtful: they go again without it.
  const { suspects, others } = partSuspects(now.there, first);
  const attempts = [first, await moveOnce(others, writer, place)];
  const shares = suspects.length > MOST_SUSPECTS ? [suspects] : suspects.map((item) => [item]);
  for (const share of shares) attempts.push(await moveOnce(share, writer, place));

  const failed = attempts.slice(1).flatMap((attempt) => attempt.failed);
  if (writer.kind === "tar") await discard(failed, place);
  const lastWords = [...new Set(attempts.flatMap((attempt) => attempt.lastWords))];
  const before = new Map(items.map((item) => [pathOf(item), item.replaces]));
  const isUntouched = (item: Item) => isStill(before.get(pathOf(item)), item.replaces);
  // Where rsync did nothing and found nothing wrong, the user's arguments made it leave the file out.
  const mayLeaveOut = writer.kind === "rsync" && writer.options.extraArgs.length > 0 &&
    attempts.slice(1).every(({ code }) => code === 0);
  const isLeftOut = (item: Item) =>
    mayLeaveOut && isUntouched(item) && (item.replaces === undefined || !sameContent(item.entry, item.replaces));
  const missing = await Promise.all(
    failed.filter((item) => !isLeftOut(item)).map(async (item): Promise<Missing> => ({
      item,
      reason: await reasonFor(item, lastWords, place),
      vanished: false,
    })),
  );
  const gone = now.gone.map((item): Missing => ({ item, reason: "it vanished while it was copied", vanished: true }));
  const receiverOf = ({ item }: Missing) => isUntouched(item) ? "as it was" as const : "touched" as const;
  return {
    arrived: attempts.flatMap((attempt) => attempt.arrived),
    missing: [...gone, ...missing].map((one) => ({ ...one, receiver: receiverOf(one) })),
    leftOut: failed.filter(isLeftOut),
    overtaken: attempts.flatMap((attempt) => attempt.overtaken),
    lastWords,
  };
}

/** Names that tar complained about, and those it may have written in a way we don't recognize. */
function partSuspects(items: readonly Item[], { lastWords }: Attempt): { suspects: Item[]; others: Item[] } {
  const isSuspect = (item: Item) => {
    const path = pathOf(item);
    // What isn't plain ASCII is quoted in a message.
    return !/^[ -\[\]-~]*$/.test(path) || lastWords.some((line) => line.includes(`: ./${path}: Cannot`));
  };
  if (!lastWords.some((line) => line.includes(": Cannot "))) return { suspects: [], others: [...items] };
  return { suspects: items.filter(isSuspect), others: items.filter((item) => !isSuspect(item)) };
}

/** The items as the source has them now, and those it has no more. */
async function lookAgain(items: readonly Item[], place: ShardPlace): Promise<{
  readonly there: readonly Item[];
  readonly gone: readonly Item[];
}> {
  const found = await entriesOf(place.from, items, place);
  const there: Item[] = [];
  const gone: Item[] = [];
  for (const item of items) {
    const entry = found.get(pathOf(item));
    if (entry === undefined) gone.push(item);
    else if (entry.type !== "directory") there.push({ ...item, entry });
  }
  return { there, gone };
}

/** Why an item didn't arrive: what opening it says, else the program's last words, else that it would not stand still. */
async function reasonFor(item: Item, lastWords: readonly string[], place: ShardPlace): Promise<string> {
  const path = pathOf(item);
  if (item.entry.type === "file" && isReachable(path)) {
    try {
      (await Deno.open(`${place.from}/${path}`)).close();
    } catch (error) {
      return messageOf(error);
    }
  }
  const { name } = item.entry;
  const word = lastWords.findLast((line) => line.includes(`/${name}"`) || line.includes(`/${name}: `));
  // Without a word about this file: what stopped the whole shard, or it did not stand still.
  return word ?? lastWords.findLast((line) => /: Cannot /.test(line)) ?? "it changed while it was copied";
}
