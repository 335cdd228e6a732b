// Saving a whole configuration, or changes to one, so that the rest of the file is kept.
import { CliError } from "../errors/errors.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { asObject, isSame } from "../text/json_value.ts";
import type { System } from "../system/system.ts";
import { type Config, CONFIG_VERSION } from "./config.ts";
import { fieldName } from "./field_names.ts";
import { checkResult, type ConfigEdit, editText, lockConfig, type Review } from "./config_edit.ts";
import { parseJson, readConfigText, readSiteLayers } from "./config_file.ts";
import { withoutTheirDetails } from "./image_record.ts";
import type { ConfigPatch } from "./config_patch.ts";
import type { AbsolutePath } from "./paths.ts";
import { type SiteLayers, withLayers } from "./site.ts";
import { nameExists } from "../system/existence.ts";

/** What {@linkcode createConfig} did. */
export interface CreatedConfig {
  readonly config: Config;
  /** The fields that were set or changed, and those that were taken out; none of either if the file is as it was. */
  readonly changed: readonly string[];
  readonly removed: readonly string[];
  /** The new path of a file of another format version. */
  readonly asidePath?: string;
}

/**
 * Writes a configuration, or merges into the existing one as a JSON merge patch does (RFC 7396): what isn't given stays,
 * `null` removes, objects are merged, anything else is replaced. A file of another format version is renamed first.
 * Throws a CliError if the result would be invalid or can't be written.
 */
export async function createConfig(
  path: AbsolutePath,
  patch: ConfigPatch,
  system: System,
  review: Review = () => {},
): Promise<CreatedConfig> {
  await using lock = await lockConfig(path, system);
  const [text, layers] = await Promise.all([readConfigText(path), readSiteLayers(system.env)]);
  const existing = text === undefined ? undefined : await parseJson(text, path);
  if (text === undefined || asObject(existing)?.version !== CONFIG_VERSION) {
    requireScratch(patch, path, layers);
    const fresh = `${JSON.stringify(newConfig(patch, layers), null, 2)}\n`;
    const config = await checkResult(fresh, path, layers);
    review(config, undefined);
    await lock.confirm();
    const asidePath = text === undefined ? undefined : await putAside(path, text, system);
    await writeFileAtomically({ path, link: "kept", content: fresh, durability: "durable" });
    const changed = Object.keys(withoutNulls(patch) as object).map((name) => fieldName([name]));
    return { config, changed, removed: [], ...(asidePath === undefined ? {} : { asidePath }) };
  }
  const edits = mergeEdits(existing, patch, []);
  const edited = await editText(text, withoutTheirDetails(edits), path);
  const config = await checkResult(edited, path, layers);
  review(config, withLayers(existing, layers));
  await lock.confirm();
  if (edited !== text) await writeFileAtomically({ path, link: "kept", content: edited, durability: "durable" });
  const fieldsOf = (wanted: readonly ConfigEdit[]) => wanted.map(({ path }) => fieldName(path));
  return {
    config,
    changed: fieldsOf(edits.filter(({ value }) => value !== undefined)),
    removed: fieldsOf(edits.filter(({ value }) => value === undefined)),
  };
}

/** A first configuration has to say where scratch is; `config set` can't add it to a file that doesn't exist. */
function requireScratch(patch: ConfigPatch, path: AbsolutePath, layers: SiteLayers): void {
  if (patch.scratch_base || layers.some(({ values }) => values.scratch_base !== undefined)) return;
  throw new CliError("config", `Cannot make "${path}": scratch_base is missing`, {
    hint: `add "scratch_base": "$SCRATCH" to the JSON, or give --scratch '$SCRATCH'`,
  });
}

/**
 * A whole new file: the fields most people change are written out, so that the file can be edited by hand. What the site says
 * is left to the site.
 */
function newConfig(patch: Readonly<Record<string, unknown>>, layers: SiteLayers): Record<string, unknown> {
  const { version: _version, ...given } = withoutNulls(patch) as Record<string, unknown>;
  const defaults = {
    ...(given.scratch_base === undefined ? {} : { scratch_base: "", cache_root: ".cache/euler-files" }),
    vars: {},
    rsync_extra_args: [],
    parallel_jobs: 4,
    lock_timeout_seconds: 300,
    skip_if_fresh_seconds: 3600,
  };
  const ofSite = withLayers({}, layers) as object;
  const own = Object.entries(defaults).filter(([name]) => Object.hasOwn(given, name) || !Object.hasOwn(ofSite, name));
  const file: Record<string, unknown> = {
    version: patch.version ?? CONFIG_VERSION,
    ...Object.fromEntries(own),
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

/** The edits that turn a value into what the patch asks for, only for fields that change. */
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
    if (await nameExists(aside)) continue;
    await writeFileAtomically({ path: aside, content: text, durability: "durable" });
    return aside;
  }
}
