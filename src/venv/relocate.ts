// For an environment that is, or will be, at another path than its files say: finds those files and rewrites them.
import { CliError, messageOf } from "../errors/errors.ts";
import { waitingCalls } from "../posix/calls.ts";
import { readLinkText, readSmallFile, replaceFile, replaceLink } from "../posix/small_file.ts";
import { splitAbsolute, splitLast } from "../posix/file_names.ts";
import { run } from "../posix/work.ts";
import { readTextFileIfThere } from "../system/atomic_file.ts";
import { isMissingOrForbidden, realPathIfPresent } from "../system/existence.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import { findMovedBases, type MovedDirectory, movedTarget, rewriteBase } from "./base_python.ts";
import { compiledFiles, dataFiles, kindsOf } from "./data_files.ts";
import { activatedPaths, asBytes, fromBytes, launcherRoot, replacePaths, rewriteLauncher } from "./relocation_text.ts";
import { parsePyvenvCfg, sitePackages } from "./venv.ts";

/** One file or link of an environment with its new content. */
export type Change =
  | {
    readonly kind: "file";
    /** Relative to the environment. */
    readonly path: string;
    readonly content: Uint8Array<ArrayBuffer>;
    readonly mode: number;
    readonly mtimeSeconds: number;
    readonly mtimeNanoseconds: number;
  }
  | { readonly kind: "link"; readonly path: string; readonly leadsTo: string }
  /** Compiled code of a rewritten module, which would still run. */
  | { readonly kind: "removal"; readonly path: string };

/** What has to change in one environment for it to work at its new path. */
export interface Relocation {
  /** Where its files are now, absolute. */
  readonly root: string;
  readonly changes: readonly Change[];
  /** The paths that the environment had. */
  readonly former: readonly string[];
}

/** Prefixes that are not environments: a launcher of `/usr/bin/python3` was never moved. */
const SYSTEM_ROOTS = ["", "/usr", "/usr/local", "/opt/conda"];

/** What the files of an environment can't tell about where it was. */
export interface FormerPaths {
  /** Paths that it had. */
  readonly formerPaths?: readonly string[];
  /** Directories that move with it, which may hold the Python it was made from. */
  readonly movedDirectories?: readonly MovedDirectory[];
}

/** Scripts are small; a program of this size in `bin` is something else. */
const LARGEST_SCRIPT_BYTES = 4 * 1024 * 1024;

/**
 * Finds files that name the environment's former paths and must name `newRoot`: launchers, activate scripts, `pyvenv.cfg`,
 * `.pth` files, `direct_url.json`, Jupyter kernels, build files. Nested environments are included. Only reads; follows no link.
 * Throws a CliError `usage` for a path that can't be written into scripts.
 */
export async function planRelocation(
  root: string,
  newRoot: string,
  { formerPaths = [], movedDirectories = [] }: FormerPaths = {},
): Promise<Relocation> {
  if (/['"`$\\\n\r:]/.test(newRoot)) {
    throw new CliError("usage", `Cannot use "${newRoot}" for an environment: scripts cannot hold such a path`, {
      hint: "choose a path without quotes, $, \\, : and line breaks",
    });
  }
  const scripts = await readScripts(root);
  const installed = await installedScripts(root);
  const told = await formerRoots(root, scripts, installed);
  // An environment that is reached through a link may name its real path.
  const real = root === newRoot ? [] : [await Deno.realPath(root)];
  const former = [...new Set([...formerPaths, ...told, ...real])].filter((path) =>
    path !== newRoot && !SYSTEM_ROOTS.includes(path)
  );
  const changes: Change[] = [];
  for (const script of scripts) {
    const content = rewriteScript(script, installed, former, newRoot);
    if (content !== script.content) changes.push(fileChange(script, content));
  }
  const files = await readOwnFiles(root, await dataFiles(root));
  const cfg = files.find(({ path }) => path === "pyvenv.cfg")?.content ?? "";
  const moved = [...movedDirectories, ...await findMovedBases(cfg, former, newRoot)];
  for (const file of files) {
    const content = rewriteData(file, former, newRoot, moved);
    if (content === file.content) continue;
    changes.push(fileChange(file, content));
    if (!file.path.endsWith(".py")) continue;
    changes.push(...(await compiledFiles(root, file.path)).map((path) => ({ kind: "removal" as const, path })));
  }
  changes.push(...await movedLinks(root, former, newRoot, moved));
  const own = await ownDirectories(root, changes.map(({ path }) => splitLast(path)[0]));
  const ownChanges = changes.filter(({ path }) => own.has(splitLast(path)[0]));
  for (const inner of await innerEnvironments(root)) {
    const relocation = await planRelocation(
      `${root}/${inner}`,
      `${newRoot}/${inner}`,
      { formerPaths: former.map((path) => `${path}/${inner}`), movedDirectories },
    );
    ownChanges.push(...relocation.changes.map((change) => ({ ...change, path: `${inner}/${change.path}` })));
  }
  return { root, changes: ownChanges, former };
}

/**
 * Keeps the directories whose real path is inside the environment: a `bin` that is a link belongs to another one and must not be
 * rewritten.
 */
async function ownDirectories(root: string, directories: readonly string[]): Promise<Set<string>> {
  const realRoot = await Deno.realPath(root);
  const own = new Set<string>();
  for (const directory of new Set(directories)) {
    const real = await realPathIfPresent(`${root}/${directory}`);
    if (real === realRoot + (directory === "" ? "" : `/${directory}`)) own.add(directory);
  }
  return own;
}

/** Applies a relocation in place, each file in one step; modes and times stay. Returns the paths that failed. */
export async function applyRelocation(
  relocation: Pick<Relocation, "root" | "changes">,
): Promise<{ path: string; error: string }[]> {
  const failed: { path: string; error: string }[] = [];
  const paths = relocation.changes.map(({ path }) => splitAbsolute(`${relocation.root}/${path}`)[0]);
  for (const directory of new Set([relocation.root, `${relocation.root}/bin`, ...paths])) {
    await sweepDirectory(directory);
  }
  for (const change of relocation.changes) {
    const path = `${relocation.root}/${change.path}`;
    try {
      await applyChange(change, path);
    } catch (error) {
      failed.push({ path, error: messageOf(error) });
    }
  }
  return failed;
}

/** Writes the changed files below another directory, which need not have any of them yet. */
export async function writeChanges(changes: readonly Change[], directory: string): Promise<void> {
  for (const change of changes) {
    if (change.kind === "removal") continue;
    const path = `${directory}/${change.path}`;
    await Deno.mkdir(splitAbsolute(path)[0], { recursive: true, mode: 0o700 });
    await applyChange(change, path);
  }
}

async function applyChange(change: Change, path: string): Promise<void> {
  const temporary = temporaryBeside(path, "write");
  const calls = waitingCalls();
  if (change.kind === "removal") return await removeInPlace(path);
  await run(
    change.kind === "file"
      ? replaceFile(calls, path, temporary, change)
      : replaceLink(calls, path, temporary, change.leadsTo),
  );
}

interface OwnFile {
  readonly path: string;
  readonly content: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
}

function fileChange(file: OwnFile, content: string): Change {
  const bytes = Uint8Array.from(content, (character) => character.charCodeAt(0));
  return { ...file, kind: "file", content: bytes };
}

/** The text of a regular file inside the environment; undefined for links, programs and files too large for a script. */
async function readOwnFile(root: string, path: string): Promise<OwnFile | undefined> {
  const file = await run(readSmallFile(waitingCalls(), `${root}/${path}`, LARGEST_SCRIPT_BYTES));
  if (file === undefined) return undefined;
  const { content: bytes, status } = file;
  if (bytes[0] === 0x7f && bytes[1] === 0x45) return undefined; // ELF
  let content = "";
  for (let i = 0; i < bytes.length; i += 8192) content += String.fromCharCode(...bytes.subarray(i, i + 8192));
  const { mode, mtimeSeconds, mtimeNanoseconds } = status;
  return { path, content, mode, mtimeSeconds, mtimeNanoseconds };
}

async function readOwnFiles(root: string, paths: readonly string[]): Promise<OwnFile[]> {
  const files: OwnFile[] = [];
  for (let i = 0; i < paths.length; i += 32) {
    const some = await Promise.all(paths.slice(i, i + 32).map((path) => readOwnFile(root, path)));
    files.push(...some.filter((file) => file !== undefined));
  }
  return files;
}

async function readScripts(root: string): Promise<OwnFile[]> {
  // A `bin` that is a link belongs to another environment.
  if ((await kindsOf(root)).get("bin") !== "d") return [];
  const names = [...await kindsOf(`${root}/bin`)].filter(([, kind]) => kind === "f").map(([name]) => name);
  return await readOwnFiles(root, names.map((name) => `bin/${name}`).sort());
}

/** The files that installers put into `bin`, from every RECORD: as launchers they must start this environment's Python. */
async function installedScripts(root: string): Promise<Set<string>> {
  const names = new Set<string>();
  for (const site of await sitePackages({ path: root })) {
    const directories = [...(await kindsOf(site)).keys()].filter((name) => name.endsWith(".dist-info"));
    const records = await Promise.all(
      directories.map((name) =>
        readTextFileIfThere(`${site}/${name}/RECORD`).catch((error) => {
          if (isMissingOrForbidden(error)) return undefined;
          throw error;
        })
      ),
    );
    for (const record of records) {
      for (const match of (record ?? "").matchAll(/^"?(?:\.\.\/)+(bin\/[^\n,"/]+)/gm)) names.add(match[1]!);
    }
  }
  return names;
}

function isActivateScript(path: string): boolean {
  return /^bin\/(de)?activate/i.test(path);
}

async function formerRoots(
  root: string,
  scripts: readonly OwnFile[],
  installed: ReadonlySet<string>,
): Promise<string[]> {
  const found = new Set<string>([root]);
  for (const script of scripts) {
    if (isActivateScript(script.path)) activatedPaths(script.content).forEach((path) => found.add(fromBytes(path)));
    const launched = installed.has(script.path) ? launcherRoot(script.content) : undefined;
    if (launched !== undefined) found.add(fromBytes(launched).replace(/\/+$/, ""));
  }
  const created = parsePyvenvCfg(await readTextFileIfThere(`${root}/pyvenv.cfg`) ?? "").get("command");
  // `command = /usr/bin/python3 -m venv /venvs/a`: the last word is its original path; paths with blanks have another form.
  const path = /\s(\/\S+)$/.exec(created ?? "")?.[1];
  if (path !== undefined) found.add(path.replace(/\/+$/, ""));
  return [...found];
}

function rewriteScript(
  script: OwnFile,
  installed: ReadonlySet<string>,
  former: readonly string[],
  newRoot: string,
): string {
  const to = asBytes(newRoot);
  if (isActivateScript(script.path)) return replacePaths(script.content, { from: former.map(asBytes), to }, "shell");
  const launched = launcherRoot(script.content);
  if (launched === to) return script.content;
  if (launched === undefined) {
    // `nc-config` and the like: scripts of a shell that print where headers and libraries are.
    const isScript = script.content.startsWith("#!");
    return isScript ? replacePaths(script.content, { from: former.map(asBytes), to }, "data") : script.content;
  }
  const path = fromBytes(launched).replace(/\/+$/, "");
  const ours = former.includes(path) || (installed.has(script.path) && !SYSTEM_ROOTS.includes(path));
  return ours ? rewriteLauncher(script.content, to) : script.content;
}

function rewriteData(
  file: OwnFile,
  former: readonly string[],
  newRoot: string,
  moved: readonly MovedDirectory[],
): string {
  if (file.path === "pyvenv.cfg") {
    const based = rewriteBase(file.content, moved);
    return replacePaths(based, { from: former.map(asBytes), to: asBytes(newRoot) }, "data");
  }
  const content = replacePaths(file.content, { from: former.map(asBytes), to: asBytes(newRoot) }, "data");
  if (!file.path.endsWith("direct_url.json")) return content;
  // A blank in a file: URL is %20.
  return replacePaths(content, { from: former.map(encodeURI), to: encodeURI(newRoot) }, "data");
}

async function movedLinks(
  root: string,
  former: readonly string[],
  newRoot: string,
  moved: readonly MovedDirectory[],
): Promise<Change[]> {
  const changes: Change[] = [];
  for (const path of ["lib64", ...[...(await kindsOf(`${root}/bin`)).keys()].map((name) => `bin/${name}`)]) {
    const leadsTo = await run(readLinkText(waitingCalls(), `${root}/${path}`));
    if (leadsTo === undefined || !leadsTo.startsWith("/")) continue;
    const target = movedTarget(leadsTo, [...former.map((from) => ({ from, to: newRoot })), ...moved]);
    if (target !== undefined) changes.push({ kind: "link", path, leadsTo: target });
  }
  return changes;
}

async function innerEnvironments(root: string): Promise<string[]> {
  const inner: string[] = [];
  for (const [name, kind] of await kindsOf(root)) {
    if (["bin", "lib", "lib64", "include", "share"].includes(name)) continue;
    if (kind === "d" && await realPathIfPresent(`${root}/${name}/pyvenv.cfg`) !== undefined) inner.push(name);
  }
  return inner.sort();
}
