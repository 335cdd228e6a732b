// Where the files of a transfer stand while they are written, if readers or a killed transfer could take them for whole ones.
import { CliError, messageOf } from "../errors.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import type { TransferRequest } from "./request.ts";
import { UNFINISHED } from "./walk.ts";

/** After this long without a new shard, a tree beside the target was left by a killed transfer. */
const ABANDONED_MILLISECONDS = 3600 * 1000;

/** A directory on the file system of the target; `await using` removes it. */
export interface UnfinishedPlace extends AsyncDisposable {
  readonly path: string;
}

/**
 * Makes that directory and clears what killed transfers left. Undefined where nobody reads the tree yet, as that of a mirror,
 * and where rsync writes and there is no right to make one: then rsync's hidden names have to do.
 *
 * The cache root is ours, and beside the target on scratch our names can be nobody else's. On persistent storage every name
 * but one inside the root may be: there the place is inside, which is on the same file system as well where the root is a
 * mount, and writable where its parent isn't.
 */
export async function prepareUnfinished(
  { policy, publish }: Pick<TransferRequest, "policy" | "publish">,
  engine: "rsync" | "native",
  to: string,
): Promise<UnfinishedPlace | undefined> {
  if (policy === "mirror" || (policy === "stage-in" && publish === "unpublished")) return undefined;
  if (policy === "stage-in") return await prepareBeside(to);
  try {
    return await prepareInside(to);
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    if (engine === "rsync") return undefined;
    throw new CliError("file-system", `Cannot write in "${to}": ${messageOf(error)}`, { cause: error });
  }
}

async function prepareBeside(to: string): Promise<UnfinishedPlace> {
  await sweepBeside(to);
  const path = `${to}.incoming-${crypto.randomUUID().slice(0, 8)}`;
  await Deno.mkdir(path, { mode: 0o700 });
  return { path, [Symbol.asyncDispose]: () => removeInPlace(path).catch(() => {}) };
}

/** Removes the places beside a target that nobody has used for long: a living one gets a new directory with every shard. */
async function sweepBeside(to: string): Promise<void> {
  const cut = to.lastIndexOf("/") + 1;
  const [parent, prefix] = [to.slice(0, cut), `${to.slice(cut)}.incoming-`];
  for await (const { name } of Deno.readDir(parent)) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{8}$/.test(name.slice(prefix.length))) continue;
    const { mtime } = await Deno.lstat(parent + name);
    const idle = mtime === null ? 0 : performance.timeOrigin + performance.now() - mtime.getTime();
    if (idle > ABANDONED_MILLISECONDS) await removeInPlace(parent + name).catch(() => {});
  }
}

/** A root that its owner made read-only is opened for the moments in which a name appears in it or goes. */
async function prepareInside(to: string): Promise<UnfinishedPlace> {
  const path = `${to}/${UNFINISHED}`;
  await whileOpen(to, async () => {
    await removeInPlace(path);
    await Deno.mkdir(path, { mode: 0o700 });
  });
  return { path, [Symbol.asyncDispose]: () => whileOpen(to, () => removeInPlace(path)).catch(() => {}) };
}

async function whileOpen(root: string, work: () => Promise<void>): Promise<void> {
  const mode = ((await Deno.lstat(root)).mode ?? 0o700) & 0o7777;
  if ((mode & 0o300) === 0o300) return await work();
  await Deno.chmod(root, mode | 0o300);
  try {
    await work();
  } finally {
    await Deno.chmod(root, mode);
  }
}
