// Changing the configuration: read, edit and write under a lock; the rest of the text stays as the person wrote it.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import { asObject, isSame } from "../text/json_value.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { acquireLock, type Lock } from "../system/file_lock.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { checkConfig, type Config } from "./config.ts";
import { fieldName } from "./field_names.ts";
import { parseConfig, parseJson, readConfigText, readSiteLayers } from "./config_file.ts";
import { editJson, type JsonPath, NoSuchParent } from "./json_edit.ts";
import type { AbsolutePath } from "./paths.ts";
import { type SiteLayers, withLayers } from "./site.ts";

/** One change. */
export interface ConfigEdit {
  /** The field, from the top; -1 as the last part appends to a list. Missing objects on the path are made. */
  readonly path: JsonPath;
  /** The new value; undefined removes the field. */
  readonly value: unknown;
}

/** Examines the configuration before it is saved, with the earlier value; throws to prevent saving. */
export type Review = (config: Config, before: unknown) => void;

/** Long enough for hundreds of jobs one after the other; each holds the lock for milliseconds. */
const LOCK_DEADLINE_SECONDS = 60;

/**
 * Makes all of the edits, or none: under the lock, on the current text, comments and layout kept. `edits` as a function
 * gets the configuration at that moment. A symbolic link stays one. Returns the new configuration. Throws a CliError if
 * the file doesn't exist, if the result would be invalid, and if it can't be written.
 */
export async function editConfig(
  path: AbsolutePath,
  edits: readonly ConfigEdit[] | ((config: Config) => readonly ConfigEdit[]),
  system: System,
  review: Review = () => {},
): Promise<Config> {
  await using lock = await lockConfig(path, system);
  const text = await readConfigText(path);
  if (text === undefined) {
    throw new CliError("not-found", `Cannot find the configuration "${path}"`, {
      hint: "make one with `euler-files init`",
    });
  }
  const layers = await readSiteLayers(system.env);
  const wanted = typeof edits === "function" ? edits(await parseConfig(text, path, layers)) : edits;
  const edited = await editText(text, wanted, path);
  const config = await checkResult(edited, path, layers);
  review(config, withLayers(await parseJson(text, path), layers));
  if (edited !== text) {
    // Another process that took over the lock may have edited the file since it was read.
    await lock.confirm();
    await writeFileAtomically({ path, link: "kept", content: edited, durability: "durable" });
  }
  return config;
}

/**
 * Replaces the whole configuration by a text, if the file still is the one the text was made from. Errors as those of
 * {@linkcode editConfig}, and a CliError `refused` if another process has changed the file since.
 */
export async function replaceConfig(
  path: AbsolutePath,
  texts: { readonly before: string; readonly after: string },
  system: System,
): Promise<void> {
  await using lock = await lockConfig(path, system);
  if (await readConfigText(path) !== texts.before) {
    throw new CliError("refused", `Cannot save "${path}": it was changed meanwhile by another process`);
  }
  await lock.confirm();
  await writeFileAtomically({ path, link: "kept", content: texts.after, durability: "durable" });
}

/** The largest number of faults that an error lists. */
const MOST_FAULTS = 50;

/** Checks a text before it is saved and returns its configuration. Throws a CliError that names the faulty field. */
export async function checkResult(text: string, path: AbsolutePath, layers: SiteLayers): Promise<Config> {
  const checked = checkConfig(withLayers(await parseJson(text, path), layers));
  if ("config" in checked) return checked.config;
  const faults = checked.faults.slice(0, MOST_FAULTS);
  const [first, ...others] = faults.map(({ path: field, what }) => printable(`${fieldName(field)} ${what}`));
  throw new CliError("config", `Cannot save "${path}": ${first}`, {
    location: { field: printable(fieldName(faults[0]!.path)) },
    hint: "`euler-files schema --kind config` describes every field",
    lines: others,
  });
}

/** The lock of a configuration; `await using` releases it. Temporary files of killed processes beside it are removed. */
export async function lockConfig(path: AbsolutePath, system: System): Promise<Lock> {
  // A link and the file it points to must have one lock, so the lock is beside the real file. It is not below $XDG_STATE_HOME,
  // which may differ between the processes that change one file.
  const real = await Deno.realPath(path).catch(() => path);
  const slash = real.lastIndexOf("/");
  const name = real.slice(slash + 1);
  const lockPath = `${real.slice(0, slash)}/${name.startsWith(".") ? "" : "."}${name}.lock`;
  try {
    const lock = await acquireLock({
      path: lockPath,
      afterwards: "removed",
      deadlineSeconds: LOCK_DEADLINE_SECONDS,
    }, system);
    await sweepDirectory(real.slice(0, slash) || "/");
    return lock;
  } catch (error) {
    if (!(error instanceof CliError) || !["file-system", "no-space"].includes(error.kind)) throw error;
    throw new CliError(error.kind, `Cannot change the configuration "${path}": ${error.message}`, {
      hint: `check that its directory is writable and has free space: ls -ld ${real.slice(0, slash) || "/"}`,
      cause: error,
    });
  }
}

/** The text with all edits made; throws if an edit has no effect. */
export async function editText(text: string, edits: readonly ConfigEdit[], path: AbsolutePath): Promise<string> {
  let edited = text;
  let value = await parseJson(text, path);
  for (const edit of edits) {
    const fault = (what: string, hint: string) =>
      new CliError("config", `Cannot change ${fieldName(edit.path)} in "${path}": ${what}`, { hint });
    try {
      edited = editJson(edited, edit.path, edit.value);
    } catch (error) {
      if (!(error instanceof NoSuchParent)) throw error;
      throw fault(error.message, "mend it with `euler-files config edit`");
    }
    const wanted = withEdit(value, edit);
    value = await parseJson(edited, path);
    // A field that occurs twice is edited at its first occurrence but read from its last.
    if (!isSame(value, wanted)) {
      throw fault("a field on the way is given twice", "`euler-files config validate` shows which; keep one of them");
    }
  }
  return edited;
}

/** The value with the edit made, as the text should say afterwards. */
function withEdit(value: unknown, { path, value: wanted }: ConfigEdit): unknown {
  const [first, ...rest] = path;
  if (first === undefined) return wanted;
  if (typeof first === "number") {
    const list = Array.isArray(value) ? [...value] : [];
    const index = first < 0 ? list.length : first;
    const inner = withEdit(list[index], { path: rest, value: wanted });
    if (inner === undefined) list.splice(index, 1);
    else list[index] = inner;
    return list;
  }
  // Nothing is made on the way to a field that is taken out.
  if (wanted === undefined && asObject(value)?.[first] === undefined) return value;
  const inner = withEdit(asObject(value)?.[first], { path: rest, value: wanted });
  const others = Object.entries(asObject(value) ?? {}).filter(([name]) => name !== first);
  return Object.fromEntries(inner === undefined ? others : [...others, [first, inner]]);
}
