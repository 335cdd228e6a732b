// What `~/.euler-files.json` may hold: one schema that is the type, the check and the JSON Schema at once. Pure.
// Every object lets unknown fields through: a later version may have written them, and they must survive.
import * as v from "valibot";
import { faultOfPattern } from "../filter/rule_text.ts";
import { jsonObject } from "./json_object.ts";
import { APPTAINER_SCHEMA, IMAGE_DETAILS_SCHEMA, IMAGE_SCHEMA } from "./apptainer_schema.ts";
import { VARIABLE_NAME } from "./names.ts";
import { reasonAgainstVariable } from "./reserved_variables.ts";
import { presetExcludes } from "./preset_excludes.ts";
import { EMPTY_LOCKS } from "./presets.ts";
import { contradictingExports } from "./extra_exports.ts";
import { faultOfRsyncArgs } from "./rsync_extra_args.ts";
import { secretPatterns } from "./secrets.ts";
import { TIERS } from "./tier.ts";

/** The one format version this program reads and writes. */
export const CONFIG_VERSION = 1;

const text = v.string("must be text");
const path = v.pipe(text, v.nonEmpty("must not be empty"));
const flag = v.boolean("must be true or false");

/** Patterns as rsync reads them, without `+` or `-` before them; each is checked by itself. */
const PATTERNS = v.array(
  v.pipe(
    v.string("must be a pattern"),
    v.check((pattern) => faultOfPattern(pattern) === undefined, (issue) => faultOfPattern(issue.input) ?? ""),
  ),
  "must be a list of patterns",
);
const seconds = v.number("must be a number of seconds");

/** Each variable is compared with each other, which is slow for many; real configurations have far fewer. */
const MOST_VARIABLES = 1000;

/** The name of a managed variable. */
export const VARIABLE_NAME_SCHEMA = v.pipe(
  v.string(),
  v.regex(VARIABLE_NAME, "is not a name for a variable: letters, digits and _ only, and no digit first"),
  v.check(
    (name) => reasonAgainstVariable(name) === undefined,
    (issue) => `must not be managed: ${reasonAgainstVariable(String(issue.input)) ?? ""}`,
  ),
);

const EXPORTED_TEXT = v.pipe(
  v.string("must be text"),
  v.check((value) => value.isWellFormed() && !/[\0\n]/.test(value), "must be one line of text"),
);

const VARIABLE_FIELDS = v.looseObject({
  source: v.optional(v.pipe(
    path,
    v.description(
      "Persistent directory that is copied to scratch; $VAR and ~ are expanded at run time. Only a redirected variable " +
        "has none",
    ),
  )),
  tier: v.optional(
    v.pipe(
      v.picklist(TIERS, "must be scratch or node"),
      v.description("Where the copy is used: on scratch, or in node_base on the disk of each node"),
    ),
  ),
  mode: v.optional(
    v.pipe(
      v.picklist(["stage", "redirect"], "must be stage or redirect"),
      v.description("redirect: an empty directory instead of a copy; nothing is copied, pushed or needed"),
    ),
  ),
  enabled: v.optional(v.pipe(flag, v.description("false: only synced when named with --var")), true),
  include: v.optional(
    v.pipe(
      PATTERNS,
      v.description(
        "Patterns as those of rsync's --include, asked before those of exclude. Without exclude, only what they match " +
          "takes part, directories with all they hold",
      ),
    ),
  ),
  exclude: v.optional(
    v.pipe(PATTERNS, v.description("Patterns as those of rsync's --exclude: neither staged nor pushed nor deleted")),
  ),
  preset_exclude: v.optional(
    v.pipe(
      PATTERNS,
      v.description(
        "Asked after all others; by default locks, unfinished downloads and temporary files, as programs are known to " +
          "name them. An empty list switches this and preset_exclude_empty off",
      ),
    ),
  ),
  preset_exclude_empty: v.optional(
    v.pipe(
      PATTERNS,
      v.description("Asked after preset_exclude, for files without content alone; by default the names of lock files"),
    ),
  ),
  preset_exclude_secrets: v.optional(
    v.pipe(
      PATTERNS,
      v.description(
        "Asked last, for files, and for directories where / is behind; by default where tools keep tokens, passwords and " +
          "private keys. An empty list stages and pushes them",
      ),
    ),
  ),
  exports: v.optional(
    v.pipe(
      jsonObject(v.record(VARIABLE_NAME_SCHEMA, EXPORTED_TEXT, "must be an object of variables and texts")),
      v.description(
        'More variables that are set wherever this one is, such as {"HF_HUB_OFFLINE": "1"}; the text is taken as it is',
      ),
    ),
  ),
  links: v.optional(
    v.pipe(
      v.picklist(["keep", "follow-outside", "follow"], "must be keep, follow-outside or follow"),
      v.description(
        "What symbolic links in the source become on scratch. keep: links; follow-outside: those that lead out of the " +
          "source become what they lead to; follow: all of them. Without it, rsync_extra_args decide",
      ),
    ),
  ),
}, 'must be an object with a "source"');

/** One managed variable. */
export const VARIABLE_SCHEMA = jsonObject(v.pipe(
  VARIABLE_FIELDS,
  v.forward(v.check(({ source, mode }) => source !== undefined || mode === "redirect", "is missing"), ["source"]),
));

/** One entry of the migration history. */
const MIGRATION_SCHEMA = jsonObject(v.looseObject({
  old_path: text,
  new_path: text,
  migrated_at: v.pipe(v.number("must be a number"), v.description("Seconds since 1970")),
  field_name: v.pipe(text, v.description("The field that was changed: source, venv_base, sif_store …")),
  var_name: v.optional(v.pipe(text, v.description("The variable, where field_name is source")), ""),
}, "must be an object"));

const CONFIG_FIELDS = jsonObject(v.looseObject({
  version: v.pipe(v.literal(CONFIG_VERSION, `must be the number ${CONFIG_VERSION}`), v.description("Format version")),
  scratch_base: v.pipe(
    path,
    v.description("Root of the fast scratch file system, usually $SCRATCH; expanded at run time"),
  ),
  cache_root: v.optional(
    v.pipe(path, v.description("Directory of the staged caches, below scratch_base or absolute")),
    ".cache/euler-files",
  ),
  node_base: v.optional(
    v.pipe(path, v.description("A disk of the node itself, for variables of the tier node; expanded on each node")),
  ),
  uv_cache_dir: v.optional(v.pipe(text, v.description("Cache directory handed to uv"))),
  vars: v.optional(
    v.pipe(
      jsonObject(v.record(VARIABLE_NAME_SCHEMA, VARIABLE_SCHEMA, "must be an object of variables")),
      v.maxEntries(MOST_VARIABLES, `must be no more than ${MOST_VARIABLES} variables`),
      v.description("Managed environment variables"),
    ),
    {},
  ),
  rsync_extra_args: v.optional(
    v.pipe(
      v.array(text, "must be a list of texts"),
      v.check((args) => faultOfRsyncArgs(args) === undefined, (issue) => faultOfRsyncArgs(issue.input) ?? ""),
      v.description(
        "Further arguments of rsync. Rules (--exclude …), --bwlimit, --delete and -L hold for every engine, others make " +
          "rsync the engine; push deletes nothing",
      ),
    ),
    [],
  ),
  parallel_jobs: v.optional(
    v.pipe(
      v.number("must be a whole number of 1 or more"),
      v.integer("must be a whole number of 1 or more"),
      v.minValue(1, "must be a whole number of 1 or more"),
      v.description("How many variables are synced side by side"),
    ),
    4,
  ),
  lock_timeout_seconds: v.optional(
    v.pipe(
      seconds,
      v.minValue(0, "must be 0 or more"),
      v.description("How long to wait for another job's transfer, from its last sign of progress"),
    ),
    300,
  ),
  skip_if_fresh_seconds: v.optional(
    v.pipe(seconds, v.description("How long a sync is good for while the source is unchanged; 0: always compare")),
    3600,
  ),
  engine: v.optional(
    v.pipe(
      v.picklist(["auto", "rsync", "native"], "must be auto, rsync or native"),
      v.description("What copies. auto: native, or rsync if rsync_extra_args need it"),
    ),
    "auto",
  ),
  strict: v.optional(
    v.pipe(
      flag,
      v.description(
        "true: a variable with any missing file is not exported. Otherwise it is without a few that the source forbids to " +
          "read, that vanish or that are always written: no more than 5 % of the files and of the bytes",
      ),
    ),
    false,
  ),
  purge_by_mtime_days: v.optional(
    v.pipe(
      v.number("must be a number above 0"),
      v.gtValue(0, "must be a number above 0"),
      v.description(
        "For a site whose scratch removes files by modification time: after how many days. Copies keep the times of their " +
          "source, so sync then says what the next purge takes",
      ),
    ),
  ),
  quota_program: v.optional(
    v.pipe(
      v.string("must be text"),
      v.regex(/^(?:\/.+|[^\s\/]+)$/, "must be none, a program's name, or its absolute path"),
      v.description(
        "What tells the quota, before what fits the file system: lfs, lquota, quota, or a program that gets a directory and " +
          'prints {"bytes": {"used": 1, "limit": 2}, "files": {"used": 1, "limit": 2}}; none: no quota is asked for',
      ),
    ),
  ),
  apptainer: v.optional(v.pipe(APPTAINER_SCHEMA, v.description("Container images; omit if not used"))),
  migrations: v.optional(
    v.pipe(v.array(MIGRATION_SCHEMA, "must be a list"), v.description("History, written by `euler-files migrate`")),
  ),
}, "must be a JSON object"));

/** The whole file, with what concerns several variables. */
export const CONFIG_SCHEMA = v.pipe(
  CONFIG_FIELDS,
  v.rawCheck(({ dataset, addIssue }) => {
    if (!dataset.typed) return;
    for (const { path, message } of contradictingExports(dataset.value.vars)) {
      addIssue({ message, path: itemsOf(dataset.value, path) });
    }
  }),
);

/** A field as valibot names it in an issue. */
function itemsOf(value: Record<string, unknown>, path: readonly string[]): [v.ObjectPathItem, ...v.ObjectPathItem[]] {
  let inner = value;
  return path.map((key) => {
    const item = { type: "object", origin: "value", input: inner, key, value: inner[key] } as const;
    inner = inner[key] as Record<string, unknown>;
    return item;
  }) as [v.ObjectPathItem, ...v.ObjectPathItem[]];
}

/** A checked configuration: the file's own names, defaults filled in, `$VARS` unexpanded, unknown fields kept. */
export type Config = v.InferOutput<typeof CONFIG_SCHEMA>;

/** The `apptainer` section of a checked configuration. */
export type ApptainerConfig = v.InferOutput<typeof APPTAINER_SCHEMA>;

/** What is wrong with a value, and where in the configuration. */
export interface SchemaFault {
  readonly path: readonly (string | number)[];
  /** Continues the field's name: `must be a whole number of 1 or more, not "4"`. */
  readonly what: string;
}

/** Checks a parsed configuration. All faults are listed, in the order of the schema. */
export function checkConfig(value: unknown): { config: Config } | { faults: SchemaFault[] } {
  const result = v.safeParse(CONFIG_SCHEMA, value);
  if (result.success) return { config: withPresetExcludes(result.output) };
  return { faults: result.issues.map(toFault) };
}

/** The default of `preset_exclude` depends on the variable's name, so the schema can't have it. */
function withPresetExcludes(config: Config): Config {
  const vars = Object.entries(config.vars).map(([name, variable]) => {
    const preset_exclude = variable.preset_exclude ?? [...presetExcludes(name, config.vars)];
    const locks = preset_exclude.length === 0 ? [] : [...EMPTY_LOCKS];
    return [name, {
      ...variable,
      preset_exclude,
      preset_exclude_empty: variable.preset_exclude_empty ?? locks,
      preset_exclude_secrets: variable.preset_exclude_secrets ?? [...secretPatterns(name, config.vars)],
    }] as const;
  });
  return { ...config, vars: Object.fromEntries(vars) };
}

function toFault(issue: v.BaseIssue<unknown>): SchemaFault {
  const path = (issue.path ?? []).map((item) => item.key as string | number);
  // Valibot reports a missing field on the object around it, with a message that doesn't fit the field.
  if (issue.path?.at(-1)?.origin === "key" && issue.input === undefined) return { path, what: "is missing" };
  if (!issue.message.startsWith("must be") || ["check", "raw_check", "regex", "max_entries"].includes(issue.type)) {
    return { path, what: issue.message };
  }
  return { path, what: `${issue.message}, not ${showValue(issue.input)}` };
}

function showValue(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const shown = JSON.stringify(value) ?? String(value);
  return shown.length > 60 ? `${shown.slice(0, 57)}...` : shown;
}

const KNOWN_FIELDS = {
  file: ["$schema", ...Object.keys(CONFIG_SCHEMA.entries)],
  variable: Object.keys(VARIABLE_FIELDS.entries),
  apptainer: Object.keys(APPTAINER_SCHEMA.entries),
  image: Object.keys(IMAGE_SCHEMA.entries),
  details: Object.keys(IMAGE_DETAILS_SCHEMA.entries),
  migration: Object.keys(MIGRATION_SCHEMA.entries),
};

/** Every field that this version doesn't know, with the known names at that position. */
export function listUnknownFields(value: unknown): { path: (string | number)[]; known: readonly string[] }[] {
  const found: { path: (string | number)[]; known: readonly string[] }[] = [];
  const look = (object: unknown, known: readonly string[], path: (string | number)[]) => {
    for (const name of Object.keys(asObject(object))) {
      if (!known.includes(name)) found.push({ path: [...path, name], known });
    }
  };
  const config = asObject(value);
  look(config, KNOWN_FIELDS.file, []);
  for (const [name, entry] of Object.entries(asObject(config.vars))) look(entry, KNOWN_FIELDS.variable, ["vars", name]);
  const apptainer = asObject(config.apptainer);
  look(apptainer, KNOWN_FIELDS.apptainer, ["apptainer"]);
  for (const [name, entry] of Object.entries(asObject(apptainer.images))) {
    look(entry, KNOWN_FIELDS.image, ["apptainer", "images", name]);
  }
  for (const [name, entry] of Object.entries(asObject(apptainer.image_details))) {
    look(entry, KNOWN_FIELDS.details, ["apptainer", "image_details", name]);
  }
  if (Array.isArray(config.migrations)) {
    config.migrations.forEach((entry, index) => look(entry, KNOWN_FIELDS.migration, ["migrations", index]));
  }
  return found;
}

/** The fields that the object at a path can have; undefined if it is of another kind, or holds names that users choose. */
export function listFieldsAt(path: readonly (string | number)[]): readonly string[] | undefined {
  const kinds: Readonly<Record<string, readonly string[]>> = {
    "": KNOWN_FIELDS.file,
    "vars.*": KNOWN_FIELDS.variable,
    "apptainer": KNOWN_FIELDS.apptainer,
    "apptainer.images.*": KNOWN_FIELDS.image,
    "apptainer.image_details.*": KNOWN_FIELDS.details,
    "migrations.*": KNOWN_FIELDS.migration,
  };
  const last = path.length - 1;
  const general = path.map((part, index) => index > 0 && index === last ? "*" : part).join(".");
  return kinds[general];
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value as Record<string, unknown> : {};
}
