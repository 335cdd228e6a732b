// For an environment that is, or will be, at another path than its files say: finds those files and rewrites them.
import { CliError, messageOf } from "../errors/errors.ts";
import { waitingCalls } from "../posix/calls.ts";
import { kindsIn, readLinkText, readSmallFile, replaceFile, replaceLink } from "../posix/small_file.ts";
import { splitAbsolute, splitLast } from "../posix/file_names.ts";
import type { FileKind } from "../posix/status.ts";
import { run } from "../posix/work.ts";
import { readTextFileIfThere } from "../system/atomic_file.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
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
  | { readonly kind: "link"; readonly path: string; readonly leadsTo: string };

/** What has to change in one environment for it to work at its new path. */
export interface Relocation {
  /** Where its files are now, absolute. */
  readonly root: string;
  readonly changes: readonly Change[];
}

/** Prefixes that are not environments: a launcher of `/usr/bin/python3` was never moved. */
const SYSTEM_ROOTS = ["", "/usr", "/usr/local", "/opt/conda"];

/** Scripts are small; a program of this size in `bin` is something else. */
const LARGEST_SCRIPT_BYTES = 4 * 1024 * 1024;

/**
 * Finds files that name the environment's former paths and must name `newRoot`: launchers, activate scripts, `pyvenv.cfg`,
 * `.pth` files, `direct_url.json`, Jupyter kernels. Nested environments are included. Only reads; follows no link.
 * Throws a CliError `usage` for a path that can't be written into scripts.
 */
export async function planRelocation(root: string, newRoot: string): Promise<Relocation> {
  if (/['"`$\\\n\r:]/.test(newRoot)) {
    throw new CliError("usage", `Cannot use "${newRoot}" for an environment: scripts can't hold such a path`, {
      hint: "choose a path without quotes, $, \\, : and line breaks",
    });
  }
  const scripts = await readScripts(root);
  const installed = await installedScripts(root);
  const former = await formerRoots(root, newRoot, scripts, installed);
  const changes: Change[] = [];
  for (const script of scripts) {
    const content = rewriteScript(script, installed, former, newRoot);
    if (content !== script.content) changes.push(fileChange(script, content));
  }
  for (const file of await readDataFiles(root)) {
    const content = rewriteData(file, former, newRoot);
    if (content !== file.content) changes.push(fileChange(file, content));
  }
  changes.push(...await movedLinks(root, former, newRoot));
  const own = await ownDirectories(root, changes.map(({ path }) => splitLast(path)[0]));
  const ownChanges = changes.filter(({ path }) => own.has(splitLast(path)[0]));
  for (const inner of await innerEnvironments(root)) {
    const relocation = await planRelocation(`${root}/${inner}`, `${newRoot}/${inner}`);
    ownChanges.push(...relocation.changes.map((change) => ({ ...change, path: `${inner}/${change.path}` })));
  }
  return { root, changes: ownChanges };
}

/** The directories that no link leads out of the environment; `bin` or a kernel's directory may be such a link. */
async function ownDirectories(root: string, directories: readonly string[]): Promise<Set<string>> {
  const realRoot = await Deno.realPath(root);
  const own = new Set<string>();
  for (const directory of new Set(directories)) {
    const real = await Deno.realPath(`${root}/${directory}`).catch(() => undefined);
    if (real === realRoot + (directory === "" ? "" : `/${directory}`)) own.add(directory);
  }
  return own;
}

/** Applies a relocation in place, each file in one step; modes and times stay. Returns the paths that failed. */
export async function applyRelocation(relocation: Relocation): Promise<{ path: string; error: string }[]> {
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
    const path = `${directory}/${change.path}`;
    await Deno.mkdir(splitAbsolute(path)[0], { recursive: true, mode: 0o700 });
    await applyChange(change, path);
  }
}

async function applyChange(change: Change, path: string): Promise<void> {
  const temporary = temporaryBeside(path, "write");
  const calls = waitingCalls();
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
      directories.map((name) => readTextFileIfThere(`${site}/${name}/RECORD`).catch(() => undefined)),
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
  newRoot: string,
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
  const place = /\s(\/\S+)$/.exec(created ?? "")?.[1];
  if (place !== undefined) found.add(place.replace(/\/+$/, ""));
  return [...found].filter((path) => path !== newRoot && !SYSTEM_ROOTS.includes(path));
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
  if (launched === undefined || launched === to) return script.content;
  const place = fromBytes(launched).replace(/\/+$/, "");
  const ours = former.includes(place) || (installed.has(script.path) && !SYSTEM_ROOTS.includes(place));
  return ours ? rewriteLauncher(script.content, to) : script.content;
}

function rewriteData(file: OwnFile, former: readonly string[], newRoot: string): string {
  const content = replacePaths(file.content, { from: former.map(asBytes), to: asBytes(newRoot) }, "data");
  if (!file.path.endsWith("direct_url.json")) return content;
  // A blank in a file: URL is %20.
  return replacePaths(content, { from: former.map(encodeURI), to: encodeURI(newRoot) }, "data");
}

/** Files outside `bin` into which installers write the environment's path. */
async function readDataFiles(root: string): Promise<OwnFile[]> {
  const paths = ["pyvenv.cfg"];
  for (const site of await sitePackages({ path: root })) {
    const below = site.slice(root.length + 1);
    for (const name of (await kindsOf(site)).keys()) {
      if (/\.(pth|egg-link)$/.test(name) || /^__editable__.*\.py$/.test(name)) paths.push(`${below}/${name}`);
      else if (name.endsWith(".dist-info")) paths.push(`${below}/${name}/direct_url.json`);
    }
  }
  for (const kernel of (await kindsOf(`${root}/share/jupyter/kernels`)).keys()) {
    paths.push(`share/jupyter/kernels/${kernel}/kernel.json`);
  }
  return await readOwnFiles(root, paths);
}

async function movedLinks(root: string, former: readonly string[], newRoot: string): Promise<Change[]> {
  const changes: Change[] = [];
  for (const path of ["lib64", ...[...(await kindsOf(`${root}/bin`)).keys()].map((name) => `bin/${name}`)]) {
    const leadsTo = await run(readLinkText(waitingCalls(), `${root}/${path}`));
    if (leadsTo === undefined || !leadsTo.startsWith("/")) continue;
    const old = former.find((one) => leadsTo.startsWith(`${one}/`));
    if (old !== undefined) changes.push({ kind: "link", path, leadsTo: newRoot + leadsTo.slice(old.length) });
  }
  return changes;
}

async function innerEnvironments(root: string): Promise<string[]> {
  const inner: string[] = [];
  for (const [name, kind] of await kindsOf(root)) {
    if (["bin", "lib", "lib64", "include", "share"].includes(name)) continue;
    if (kind === "d" && await Deno.stat(`${root}/${name}/pyvenv.cfg`).then(() => true, () => false)) {
      inner.push(name);
    }
  }
  return inner.sort();
}

/** The names in a directory with their kinds; empty if it can't be read. */
function kindsOf(directory: string): Promise<Map<string, FileKind>> {
  return run(kindsIn(waitingCalls(), directory));
}
