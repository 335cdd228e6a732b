// Where the files of a transfer stand while they are written, if readers or a killed transfer could take them for whole ones.
import { access, constants } from "node:fs/promises";
import { CliError } from "../errors.ts";
import { isDeadHere } from "../system/lease.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { UNFINISHED } from "./own_names.ts";
import type { TransferRequest } from "./request.ts";

/** At home another job may push to the same source from another node: its place is abandoned only after so long. */
const ABANDONED_MILLISECONDS = 3600 * 1000;

/** A directory on the file system of the target; `await using` removes it. */
export interface UnfinishedPlace extends AsyncDisposable {
  readonly path: string;
  /** Makes it, the first time it is called: a transfer that brings nothing changes nothing. */
  make(): Promise<void>;
}

/**
 * Says where that directory is. Undefined where nobody reads the tree yet, as that of a mirror, and where rsync writes and there
 * is no right to make one: then rsync's hidden names have to do.
 *
 * The cache root is ours, and beside the target on scratch our names can be nobody else's. On persistent storage every name
 * but one inside the root may be: there the place is inside, which is on the same file system as well where the root is a
 * mount, and writable where its parent isn't.
 */
export async function prepareUnfinished(
  { policy, publish, to }: Pick<TransferRequest, "policy" | "publish" | "to">,
  engine: "rsync" | "native",
  system: Pick<System, "userId" | "now" | "hostName" | "processId">,
): Promise<UnfinishedPlace | undefined> {
  if (policy === "mirror" || (policy === "stage-in" && publish === "unpublished")) return undefined;
  const own = crypto.randomUUID().slice(0, 8);
  if (policy === "stage-in") {
    const path = `${to}.incoming-${own}`;
    await sweepBeside(to);
    return place(path, () => Deno.mkdir(path, { mode: 0o700 }), () => removeInPlace(path));
  }
  if (engine === "rsync" && !await mayWrite(to, system)) return undefined;
  await sweepInside(to, system);
  const path = `${to}/${UNFINISHED}/${system.hostName}.${system.processId}.${own}`;
  return place(
    path,
    () => whileOpen(to, () => Deno.mkdir(path, { mode: 0o700, recursive: true })),
    () =>
      whileOpen(to, async () => {
        await removeInPlace(path);
        // Another push may have its own place there.
        await Deno.remove(`${to}/${UNFINISHED}`).catch(() => {});
      }),
  );
}

function place(path: string, make: () => Promise<void>, remove: () => Promise<void>): UnfinishedPlace {
  let made: Promise<void> | undefined;
  return {
    path,
    make: () =>
      made ??= make().catch((error) => {
        throw new CliError("file-system", `Cannot make "${path}"`, { cause: error, lines: [String(error.message)] });
      }),
    async [Symbol.asyncDispose]() {
      if (made !== undefined) await remove().catch(() => {});
    },
  };
}

/** Whether a name can be made in it: its owner can open it for that. */
async function mayWrite(root: string, { userId }: Pick<System, "userId">): Promise<boolean> {
  const { uid } = await Deno.lstat(root);
  return uid === userId || userId === 0 || await access(root, constants.W_OK).then(() => true, () => false);
}

/** Removes what killed transfers left beside a target. Who stages into it holds its lock, so there is no living one. */
async function sweepBeside(to: string): Promise<void> {
  const cut = to.lastIndexOf("/") + 1;
  const [parent, prefix] = [to.slice(0, cut), `${to.slice(cut)}.incoming-`];
  for await (const { name } of Deno.readDir(parent)) {
    if (!name.startsWith(prefix) || !/^[0-9a-f]{8}$/.test(name.slice(prefix.length))) continue;
    await removeInPlace(parent + name).catch(() => {});
  }
}

/** Removes the places in a root whose process has ended, where that can be known, or that nobody has used for long. */
async function sweepInside(to: string, system: Pick<System, "now" | "hostName">): Promise<void> {
  const parent = `${to}/${UNFINISHED}`;
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(parent)) names.push(name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  await whileOpen(to, async () => {
    for (const name of names) {
      if (await isAbandoned(parent, name, system)) await removeInPlace(`${parent}/${name}`).catch(() => {});
    }
    await Deno.remove(parent).catch(() => {});
  });
}

async function isAbandoned(
  parent: string,
  name: string,
  system: Pick<System, "now" | "hostName">,
): Promise<boolean> {
  const parts = /^(.*)\.(\d+)\.[0-9a-f]{8}$/.exec(name);
  if (parts !== null && await isDeadHere({ host: parts[1]!, pid: Number(parts[2]) }, system)) return true;
  const { mtime } = await Deno.lstat(`${parent}/${name}`);
  return system.now() - (mtime?.getTime() ?? 0) > ABANDONED_MILLISECONDS;
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
