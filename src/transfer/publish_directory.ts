// Publishes a complete directory with its content by one rename, so that a reader sees all of it or nothing. If another program
// made a directory of that name meanwhile, each name is moved into that directory, which keeps the names it already has.
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
  /** The tree and the path that it gets. */
  readonly to: Tree;
  readonly path: string;
  /** The file or link that the plan saw under that name. */
  readonly replaces: EntryState | undefined;
}

/** Publishes a directory. If the path exists by then, returns the paths that were kept there. Throws a SystemCallError. */
export function* publishDirectory(publication: DirectoryPublication): Work<"published" | readonly string[]> {
  const { temporary, to, written, path, replaces } = publication;
  const [directory, name] = splitLast(path);
  const now = replaces === undefined ? undefined : yield* entryAt(to, directory, name);
  const isReplacing = replaces !== undefined && now !== undefined && isStill(replaces, now);
  const answer = isReplacing ? yield* replace(publication, replaces) : yield* rename(publication, RENAME_NOREPLACE);
  if (answer === "taken back") return yield* merge(publication);
  if (answer === 0) {
    temporary.forget(written);
    return "published";
  }
  if (![-EEXIST, -ENOTEMPTY, -ENOTDIR].includes(answer)) succeeded(answer, "rename", to.pathOf(path));
  return yield* merge(publication);
}

/** Suffix of a replaced name in the temporary directory, if the file system does not support RENAME_EXCHANGE. */
const REPLACED = ".replaced";

/**
 * Replaces a file or link by the directory, then checks the old entry in the temporary directory: if another program changed it
 * just before, moves it back.
 */
function* replace(publication: DirectoryPublication, replaces: EntryState): Work<number | "taken back"> {
  const { temporary, written } = publication;
  const [directory, name] = splitLast(written);
  const exchanged = yield* rename(publication, RENAME_EXCHANGE);
  if (exchanged === 0) {
    if (isStill(replaces, yield* entryAt(temporary, directory, name))) return 0;
    return (yield* rename(publication, RENAME_EXCHANGE)) || "taken back";
  }
  if (exchanged !== -EINVAL && exchanged !== -ENOSYS) return exchanged;
  const aside = { ...publication, written: written + REPLACED };
  const moved = yield* renameBetween(aside, "out of use", 0);
  if (moved !== 0) return moved;
  if (!isStill(replaces, yield* entryAt(temporary, directory, name + REPLACED))) {
    return (yield* rename(aside, RENAME_NOREPLACE)) || "taken back";
  }
  return yield* rename(publication, RENAME_NOREPLACE);
}

/** Renames the directory; without flags, as on NFS, rename(2) replaces only an empty directory. */
function* rename(publication: DirectoryPublication, flags: number): Work<number> {
  const answer = yield* renameBetween(publication, "into use", flags);
  const isUnknown = answer === -EINVAL || answer === -ENOSYS;
  return isUnknown && flags === RENAME_NOREPLACE ? yield* renameBetween(publication, "into use", 0) : answer;
}

function* renameBetween(
  { temporary, to, written, path }: DirectoryPublication,
  way: "into use" | "out of use",
  flags: number,
): Work<number> {
  const { calls } = to;
  const [[writtenParent, writtenName], [parent, name]] = [splitLast(written), splitLast(path)];
  const [from, target] = [yield* temporary.open(writtenParent), yield* to.open(parent)];
  const [oldName, newName] = [cString(writtenName), cString(name)];
  try {
    return way === "into use"
      ? yield calls.renameat2(from, oldName, target, newName, flags)
      : yield calls.renameat2(target, newName, from, oldName, flags);
  } finally {
    temporary.release(writtenParent);
    to.release(parent);
  }
}

function* merge({ temporary, to, written, path }: DirectoryPublication): Work<readonly string[]> {
  const [directory, name] = splitLast(path);
  if ((yield* entryAt(to, directory, name))?.type !== "directory") return [path];
  const children: { readonly name: string; readonly isDirectory: boolean }[] = [];
  yield* listKinds(temporary, written, (name, kind) => children.push({ name, isDirectory: kind === "d" }));
  const changedThere: string[] = [];
  for (const { name, isDirectory } of children) {
    const [from, target] = [`${written}/${name}`, `${path}/${name}`];
    if (isDirectory) {
      const outcome = yield* publishDirectory({ temporary, to, written: from, path: target, replaces: undefined });
      if (outcome !== "published") changedThere.push(...outcome);
    } else if ((yield* mergeFile({ temporary, to, written, path, name })) === "changed there") {
      changedThere.push(target);
    }
  }
  return changedThere;
}

function* mergeFile(
  { temporary, to, written, path, name }: Omit<DirectoryPublication, "replaces"> & { readonly name: string },
): Work<"published" | "changed there"> {
  const entry = yield* entryAt(temporary, written, name);
  if (entry === undefined) return "published";
  const temporaryDirectory = yield* temporary.open(written);
  try {
    return yield* publish({
      ...{ temporaryDirectory, temporaryName: cString(name), tree: to, directory: path, name, entry },
      ...{ replaces: undefined, policy: "push" },
    });
  } finally {
    temporary.release(written);
  }
}
