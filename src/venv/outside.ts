// Finds what an environment uses outside itself: an image lacks it, and the environment breaks if it is removed.
import { joinName } from "../posix/file_names.ts";
import { waitingCalls } from "../posix/calls.ts";
import { listDirectory } from "../posix/list.ts";
import { readLinkText, readSmallFile } from "../posix/small_file.ts";
import { readStatusAt } from "../posix/status.ts";
import type { Tree } from "../posix/tree.ts";
import { run, type Work } from "../posix/work.ts";
import { linkDestination } from "../filter/selection.ts";
import type { System } from "../system/system.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { kindsOf } from "./data_files.ts";
import { listVenvs, sitePackages, type Venv } from "./venv.ts";

/** A link that leads out of an environment. */
export interface OutsideLink {
  /** Relative to the environment. */
  readonly path: string;
  readonly leadsTo: string;
  /** `file`: its content can be copied; `other`: a directory, or nothing. */
  readonly kind: "file" | "other";
}

/** The programs of the base Python, which an environment always links to. */
const PYTHON_REGEXP = /^bin\/(python|pypy)[0-9.]*t?$/;

/** The links that lead out of the environment, except those to its base Python. Reads every directory. */
export async function findOutsideLinks(
  root: string,
  system: Pick<System, "signal" | "calls">,
): Promise<readonly OutsideLink[]> {
  const real = await Deno.realPath(root);
  const links: string[] = [];
  await using runner = await prepareJobRunner({ roots: [real] }, system);
  for (let level = [""]; level.length > 0;) {
    const next: string[] = [];
    const tree = runner.here.readTree(real);
    await runner.here.runAll(level.map((directory) => listLinks(tree, directory, links, next)));
    system.signal.throwIfAborted();
    level = next;
  }
  const found = await Promise.all(
    links.filter((path) => !PYTHON_REGEXP.test(path)).map(async (path) => {
      const leadsTo = await run(readLinkText(waitingCalls(), `${real}/${path}`)) ?? "";
      if ([root, real].some((shown) => linkDestination(path, leadsTo, shown) !== undefined)) return undefined;
      const isFile = await Deno.stat(`${real}/${path}`).then((info) => info.isFile, () => false);
      return { path, leadsTo, kind: isFile ? "file" as const : "other" as const };
    }),
  );
  return found.filter((one) => one !== undefined).sort((a, b) => a.path < b.path ? -1 : 1);
}

function* listLinks(tree: Tree, directory: string, links: string[], next: string[]): Work<void> {
  yield* listDirectory(tree, directory, (name, view, start) => {
    const { kind } = readStatusAt(view, start);
    if (kind === "l") links.push(joinName(directory, name));
    else if (kind === "d") next.push(joinName(directory, name));
  });
}

/** The directories outside of the environment that its `.pth` files add to Python's path, by file. */
export async function findOutsidePaths(root: string): Promise<{ readonly file: string; readonly path: string }[]> {
  const found: { file: string; path: string }[] = [];
  for (const site of await sitePackages({ path: root })) {
    for (const name of (await kindsOf(site)).keys()) {
      if (!name.endsWith(".pth")) continue;
      const file = await run(readSmallFile(waitingCalls(), `${site}/${name}`, 1024 * 1024));
      for (const line of new TextDecoder().decode(file?.content ?? new Uint8Array()).split("\n")) {
        const path = line.trimEnd();
        if (path.startsWith("/") && !path.startsWith(`${root}/`)) found.push({ file: name, path });
      }
    }
  }
  return found;
}

/** How an environment uses a directory outside of it. */
export interface Dependent {
  readonly venv: Venv;
  readonly uses: "its Python" | "files of packages";
}

/**
 * The environments in `base` that stop working if one of the directories goes: the Python they were made from is there, or the
 * files of their packages are links into it (UV_LINK_MODE=symlink). Looks at one file of each package.
 */
export async function findDependents(base: string, directories: readonly string[]): Promise<Dependent[]> {
  const isInside = (path: string) => directories.some((directory) => path.startsWith(`${directory}/`));
  const found: Dependent[] = [];
  for (const venv of await listVenvs(base)) {
    if (isInside(`${venv.path}/`) || isInside(await Deno.realPath(venv.path).catch(() => ""))) continue;
    const python = await Deno.realPath(`${venv.path}/bin/python`).catch(() => "");
    if (isInside(`${venv.home}/`) || isInside(python)) found.push({ venv, uses: "its Python" });
    else if ((await linkedMetadata(venv)).some(isInside)) found.push({ venv, uses: "files of packages" });
  }
  return found;
}

/** The targets of METADATA files that are links into uv's cache. */
async function linkedMetadata(venv: Venv): Promise<string[]> {
  const found: string[] = [];
  for (const site of await sitePackages(venv)) {
    const names = [...(await kindsOf(site)).keys()].filter((name) => name.endsWith(".dist-info"));
    const links = await Promise.all(
      names.map((name) => run(readLinkText(waitingCalls(), `${site}/${name}/METADATA`))),
    );
    found.push(...links.filter((one) => one !== undefined));
  }
  return found;
}
