// The job that publishes files which another program carried to a temporary directory.
import { messageOf } from "../../errors.ts";
import { succeeded, SystemCallError } from "../../posix/errno.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_RDONLY } from "../../posix/libc.ts";
import { cString, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { type Entry, sameContent } from "../entry.ts";
import { ListedEntry, parseLabel } from "../entry_text.ts";
import { entryAt, publish } from "../publish.ts";
import type { CopyItem, CopyResult } from "./copy.ts";
import type { CopySettings } from "./copy_settings.ts";
import type { JobContext } from "./job.ts";

/** Files below `carried`, each under the path it has at the source. */
export interface PublishRequest {
  readonly settings: CopySettings;
  readonly carried: string;
  readonly items: readonly CopyItem[];
}

/** `absent`: the temporary directory has no such file; `torn`: it is another one; `changed`: the source changed meanwhile. */
export type PublishResult = CopyResult | { readonly kind: "absent" | "torn" | "changed" };

/** Publishes files; undefined stands for one that has its name now. The results are in the order of the request. */
export async function runPublish(
  { settings, carried, items }: PublishRequest,
  context: JobContext,
): Promise<(PublishResult | undefined)[]> {
  const [from, to, temporary] = [context.readTree(settings.from), context.tree(settings.to), context.tree(carried)];
  const results: (PublishResult | undefined)[] = new Array(items.length);
  await context.runAll(items.map(function* (item, index): Work<void> {
    try {
      results[index] = yield* publishOne(item, settings, { from, to, temporary });
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = { kind: "failed", reason: messageOf(error), cause: "failed", receiver: "as it was" };
    }
  }));
  return results;
}

interface Trees {
  readonly from: Tree;
  readonly to: Tree;
  readonly temporary: Tree;
}

function* publishOne(
  [directory, label, state, more, replacedLabel, replacedState]: CopyItem,
  settings: CopySettings,
  { from, to, temporary }: Trees,
): Work<PublishResult | undefined> {
  const entry = new ListedEntry({ ...parseLabel(label), state, more });
  const replaces = replacedState === ""
    ? undefined
    : new ListedEntry({ ...parseLabel(replacedLabel), state: replacedState, more: "" });
  // rsync does not say that a file changed while it was read: what it carried may be half of the old and half of the new one.
  const now = yield* entryAt(from, directory, entry.name);
  if (now === undefined || !sameContent(entry, now)) return { kind: "changed" };
  const carried = yield* entryAt(temporary, directory, entry.name);
  if (carried === undefined) return { kind: "absent" };
  if (!sameContent(entry, carried)) return { kind: "torn" };
  if (settings.keep === "content" && entry.type === "file") {
    yield* settle(temporary, {
      directory,
      name: entry.name,
      mode: replaces?.type === "file" ? replaces.mode : undefined,
    });
  }
  const temporaryDirectory = yield* temporary.open(directory);
  try {
    const outcome = yield* publish({
      ...{ temporaryDirectory, temporaryName: cString(entry.name) },
      ...{ tree: to, directory, name: entry.name, entry, replaces, policy: settings.policy },
    });
    return outcome === "published" ? undefined : { kind: "overtaken" };
  } finally {
    temporary.release(directory);
  }
}

/** Gives a file the mode of the one it replaces, and syncs it. */
function* settle(
  tree: Tree,
  { directory, name, mode }: {
    readonly directory: string;
    readonly name: string;
    readonly mode: Entry["mode"] | undefined;
  },
): Work<void> {
  const { calls } = tree;
  const path = tree.pathOf(directory, name);
  const handle = yield* tree.open(directory);
  try {
    if (mode !== undefined) succeeded(yield calls.fchmodat(handle, cString(name), mode), "chmod", path);
    const file = yield calls.openat(handle, cString(name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    succeeded(file, "open", path);
    const answer = yield calls.fsync(file);
    calls.closeHandle(file);
    succeeded(answer, "fsync", path);
  } finally {
    tree.release(directory);
  }
}
