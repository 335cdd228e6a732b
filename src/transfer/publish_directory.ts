// Gives a directory that is complete its name, with all that is in it: one rename, so that a reader sees all of it or nothing.
// Where another program made a directory of that name meanwhile, each name goes into that one, and what it has already stays.
import { EEXIST, EINVAL, ENOSYS, ENOTDIR, ENOTEMPTY, succeeded } from "../posix/errno.ts";
import { splitLast } from "../posix/file_names.ts";
import { RENAME_EXCHANGE, RENAME_NOREPLACE } from "../posix/libc.ts";
import { listKinds } from "../posix/list.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import type { EntryState } from "./entry.ts";
import { entryAt, isStill, publish } from "./publish.ts";

/** A directory that was built elsewhere on the same file system. */
export interface DirectoryPublication {
  /** Where it was built. */
  readonly temporary: Tree;
  readonly written: string;
  /** Which name it gets. */
  readonly to: Tree;
  readonly path: string;
  /** The file or link that the plan saw under that name. */
  readonly replaces: EntryState | undefined;
}

/** Publishes it; where there is one meanwhile, returns the paths at which that has something else. Throws a SystemCallError. */
export function* publishDirectory(publication: DirectoryPublication): Work<"published" | readonly string[]> {
  const { temporary, to, written, path, replaces } = publication;
  const [directory, name] = splitLast(path);
  const now = replaces === undefined ? undefined : yield* entryAt(to, directory, name);
  const isReplacing = replaces !== undefined && now !== undefined && isStill(replaces, now);
  const answer = yield* rename(publication, isReplacing ? "exchange" : "new");
  if (answer === 0) {
    temporary.forget(written);
    return "published";
  }
  if (![-EEXIST, -ENOTEMPTY, -ENOTDIR].includes(answer)) succeeded(answer, "rename", to.pathOf(path));
  return yield* merge(publication);
}

function* rename(
  { temporary, to, written, path }: DirectoryPublication,
  way: "new" | "exchange",
): Work<number> {
  const { calls } = to;
  const [[fromParent, fromName], [toParent, toName]] = [splitLast(written), splitLast(path)];
  const [from, target] = [yield* temporary.open(fromParent), yield* to.open(toParent)];
  const [oldName, newName] = [cString(fromName), cString(toName)];
  try {
    const flags = way === "exchange" ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    const answer = yield calls.renameat2(from, oldName, target, newName, flags);
    if (answer !== -EINVAL && answer !== -ENOSYS) return answer;
    // NFS knows no flags. Without them rename(2) replaces an empty directory and nothing else.
    if (way === "exchange") succeeded(yield calls.unlinkat(target, newName, 0), "unlink", to.pathOf(path));
    return yield calls.renameat2(from, oldName, target, newName, 0);
  } finally {
    temporary.release(fromParent);
    to.release(toParent);
  }
}

function* merge({ temporary, to, written, path }: DirectoryPublication): Work<readonly string[]> {
  const [directory, name] = splitLast(path);
  if ((yield* entryAt(to, directory, name))?.type !== "directory") return [path];
  const children: { readonly name: string; readonly isDirectory: boolean }[] = [];
  yield* listKinds(temporary, written, (name, kind) => children.push({ name, isDirectory: kind === "d" }));
  const overtaken: string[] = [];
  for (const { name, isDirectory } of children) {
    const [from, target] = [`${written}/${name}`, `${path}/${name}`];
    if (isDirectory) {
      const outcome = yield* publishDirectory({ temporary, to, written: from, path: target, replaces: undefined });
      if (outcome !== "published") overtaken.push(...outcome);
    } else if ((yield* mergeFile({ temporary, to, written, path, name })) === "overtaken") overtaken.push(target);
  }
  return overtaken;
}

function* mergeFile(
  { temporary, to, written, path, name }: Omit<DirectoryPublication, "replaces"> & { readonly name: string },
): Work<"published" | "overtaken"> {
  const entry = yield* entryAt(temporary, written, name);
  if (entry === undefined) return "published";
  const temporaryDirectory = yield* temporary.open(written);
  try {
    return yield* publish({
      ...{ temporaryDirectory, temporaryName: cString(name), tree: to, directory: path, name, entry },
      ...{ replaces: undefined, policy: "stage-out" },
    });
  } finally {
    temporary.release(written);
  }
}
