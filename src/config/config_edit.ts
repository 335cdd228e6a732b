// Changing the configuration: read, edit and write under a lock, everything else in the text left as the person wrote it.
import { CliError } from "../errors.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { acquireLock, type Lock } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { type Config, CONFIG_VERSION, fieldName } from "./config.ts";
import { parseConfig, parseJson, readConfigText } from "./config_file.ts";
import { editJson, type JsonPath, NoSuchPlace } from "./json_edit.ts";
import type { AbsolutePath } from "./paths.ts";

/** One change. */
export interface ConfigEdit {
  /** The field, from the top; -1 as the last part appends to a list. What is missing on the way is made. */
  readonly path: JsonPath;
  /** The new value; undefined removes the field. */
  readonly value: unknown;
}

/** Long enough for hundreds of jobs one after the other; a holder needs milliseconds. */
const LOCK_DEADLINE_SECONDS = 60;

/**
 * Makes all of the edits, or none: under the lock, on the file as it is then, comments and layout kept. `edits` as a function
 * sees the configuration at that moment. A symbolic link stays one. Returns the configuration after it. Throws a CliError
 * where there is no file, where the result would be no valid configuration, and where it can't be written.
 */
export async function editConfig(
  path: AbsolutePath,
  edits: readonly ConfigEdit[] | ((config: Config) => readonly ConfigEdit[]),
  system: System,
): Promise<Config> {
  await using _lock = await lockConfig(path, system);
  const text = await readConfigText(path);
  if (text === undefined) {
    throw new CliError("not-found", `Cannot find the configuration "${path}"`, {
      hint: "make one with `euler-files init`",
    });
  }
  const wanted = typeof edits === "function" ? edits(await parseConfig(text, path)) : edits;
  const edited = await editText(text, wanted, path);
  const config = await parseConfig(edited, path);
  if (edited !== text) await writeFileAtomically({ path, content: edited, durability: "durable" });
  return config;
}

/** What {@linkcode createConfig} did. */
export interface CreatedConfig {
  readonly config: Config;
  /** Where a file of another format version was put. */
  readonly asidePath?: string;
}

/**
 * Writes a configuration, or merges into the one that is there as a JSON merge patch does (RFC 7396): what isn't given stays,
 * `null` removes, objects are merged, anything else is replaced. A file of another format version is put aside first.
 * Throws a CliError where the result would be no valid configuration, and where it can't be written.
 */
export async function createConfig(path: AbsolutePath, given: unknown, system: System): Promise<CreatedConfig> {
  const patch = asObject(given);
  if (patch === undefined) throw new CliError("config", "Cannot save the configuration: it must be a JSON object");
  await using _lock = await lockConfig(path, system);
  const text = await readConfigText(path);
  const existing = text === undefined ? undefined : await parseJson(text, path);
  if (text === undefined || asObject(existing)?.version !== CONFIG_VERSION) {
    const fresh = `${JSON.stringify(newConfig(patch), null, 2)}\n`;
    const config = await parseConfig(fresh, path);
    const asidePath = text === undefined ? undefined : await putAside(path, text, system);
    await writeFileAtomically({ path, content: fresh, durability: "durable" });
    return { config, ...(asidePath === undefined ? {} : { asidePath }) };
  }
  const edited = await editText(text, mergeEdits(existing, patch, []), path);
  const config = await parseConfig(edited, path);
  if (edited !== text) await writeFileAtomically({ path, content: edited, durability: "durable" });
  return { config };
}

/** A whole new file: the fields most people change are spelt out, so that the file can be edited by hand. */
function newConfig(patch: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { version: _version, ...given } = withoutNulls(patch) as Record<string, unknown>;
  const file = {
    version: patch.version ?? CONFIG_VERSION,
    scratch_base: "",
    cache_root: ".cache/euler-files",
    vars: {},
    rsync_extra_args: [],
    parallel_jobs: 4,
    lock_timeout_seconds: 300,
    skip_if_fresh_seconds: 3600,
    ...given,
  };
  return { ...file, vars: spellOutEnabled(file.vars) };
}

function spellOutEnabled(vars: unknown): unknown {
  const entries = asObject(vars);
  if (entries === undefined) return vars;
  return Object.fromEntries(
    Object.entries(entries).map(([name, entry]) => {
      const object = asObject(entry);
      return [name, object === undefined || "enabled" in object ? entry : { ...object, enabled: true }];
    }),
  );
}

function withoutNulls(value: unknown): unknown {
  const object = asObject(value);
  if (object === undefined) return value;
  const kept = Object.entries(object).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}

/** The edits that bring a value to what the patch asks for, only where something changes. */
function mergeEdits(existing: unknown, patch: unknown, path: readonly string[]): ConfigEdit[] {
  const into = asObject(existing);
  const from = asObject(patch);
  if (into === undefined || from === undefined) {
    if (isSame(existing, patch)) return [];
    return [{ path, value: withoutNulls(patch) }];
  }
  return Object.entries(from).flatMap(([name, value]) => {
    const there = Object.hasOwn(into, name);
    if (value === null) return there ? [{ path: [...path, name], value: undefined }] : [];
    if (!there) return [{ path: [...path, name], value: withoutNulls(value) }];
    return mergeEdits(into[name], value, [...path, name]);
  });
}

async function putAside(path: AbsolutePath, text: string, system: System): Promise<string> {
  const day = new Date(system.now()).toISOString().slice(0, 10);
  for (let number = 0;; number++) {
    const aside = `${path}.${day}${number === 0 ? "" : `-${number}`}`;
    if (await Deno.lstat(aside).then(() => true, () => false)) continue;
    await writeFileAtomically({ path: aside, content: text, durability: "durable" });
    return aside;
  }
}

async function lockConfig(path: AbsolutePath, system: System): Promise<Lock> {
  // Through a link and without it, it is the same file: the lock goes where the file is.
  const real = await Deno.realPath(path).catch(() => path);
  const slash = real.lastIndexOf("/");
  const name = real.slice(slash + 1);
  const lockPath = `${real.slice(0, slash)}/${name.startsWith(".") ? "" : "."}${name}.lock`;
  try {
    return await acquireLock({ path: lockPath, deadlineSeconds: LOCK_DEADLINE_SECONDS }, system);
  } catch (error) {
    if (!(error instanceof CliError) || error.kind !== "file-system") throw error;
    throw new CliError("file-system", `Cannot change the configuration "${path}": ${error.message}`, {
      hint: `is its directory writable, and is there room? ls -ld ${real.slice(0, slash) || "/"}`,
      cause: error,
    });
  }
}

async function editText(text: string, edits: readonly ConfigEdit[], path: AbsolutePath): Promise<string> {
  let edited = text;
  let value = await parseJson(text, path);
  for (const edit of edits) {
    const fault = (what: string, hint: string) =>
      new CliError("config", `Cannot change ${fieldName(edit.path)} in "${path}": ${what}`, { hint });
    try {
      edited = editJson(edited, edit.path, edit.value);
    } catch (error) {
      if (!(error instanceof NoSuchPlace)) throw error;
      throw fault(error.message, "mend it with `euler-files config edit`");
    }
    const wanted = withEdit(value, edit);
    value = await parseJson(edited, path);
    // A field that is there twice is edited at its first place and read from its last.
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
  const inner = withEdit(asObject(value)?.[first], { path: rest, value: wanted });
  const others = Object.entries(asObject(value) ?? {}).filter(([name]) => name !== first);
  return Object.fromEntries(inner === undefined ? others : [...others, [first, inner]]);
}

function isSame(one: unknown, other: unknown): boolean {
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((item, index) => isSame(item, other[index]));
  }
  const [left, right] = [asObject(one), asObject(other)];
  if (left === undefined || right === undefined) return Object.is(one, other);
  const names = Object.keys(left);
  return names.length === Object.keys(right).length &&
    names.every((name) => Object.hasOwn(right, name) && isSame(left[name], right[name]));
}

function asObject(value: unknown): Record<string, unknown> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Record<string, unknown>
    : undefined;
}
