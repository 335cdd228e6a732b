// What a site says below the user's own configuration: a file of the site, and below that a built-in profile. A field of the
// user's file counts before that of the site, and that before the profile's.
import * as v from "valibot";
import { CliError } from "../errors/errors.ts";
import { asObject } from "../text/json_value.ts";
import { CONFIG_SCHEMA } from "./config.ts";
import { jsonObject } from "./json_object.ts";
import { type AbsolutePath, toAbsolutePath } from "./paths.ts";

type Environment = Readonly<Record<string, string>>;

/** The file of a site, unless EULER_FILES_SITE_CONFIG names another. */
const SITE_PATH = "/etc/euler-files.json" as AbsolutePath;

/** What a site may say: where things are and how long they stay, never which of the user's variables are managed. */
const SITE_FIELDS = [
  "scratch_base",
  "cache_root",
  "node_base",
  "quota_program",
  "purge_by_mtime_days",
  "engine",
  "parallel_jobs",
  "lock_timeout_seconds",
  "skip_if_fresh_seconds",
] as const;

const ENTRIES = CONFIG_SCHEMA.entries;

/** A site's file; other fields of a configuration are errors, unknown ones are ignored. */
const SITE_SCHEMA = jsonObject(v.looseObject({
  ...Object.fromEntries(SITE_FIELDS.map((name) => {
    const entry: v.GenericSchema = ENTRIES[name];
    return [name, v.optional("wrapped" in entry ? entry.wrapped as v.GenericSchema : entry)];
  })),
  ...Object.fromEntries(
    ["vars", "apptainer", "migrations", "uv_cache_dir", "rsync_extra_args", "strict"].map((name) => [
      name,
      v.optional(v.never("is only for a user's own configuration")),
    ]),
  ),
  version: v.optional(ENTRIES.version),
}, "must be a JSON object"));

/** Fields that count where the user's file has none. */
export interface SiteLayer {
  readonly origin: string;
  readonly values: Readonly<Record<string, unknown>>;
}

/** The layers below the user's file, the nearest first. */
export type SiteLayers = readonly SiteLayer[];

/**
 * Where a site's file is looked for; undefined if EULER_FILES_SITE_CONFIG is empty, which switches sites off. Throws a CliError
 * for a relative path: it would name another file in each directory.
 */
export function sitePath(env: Environment): { readonly path: AbsolutePath; readonly named: boolean } | undefined {
  const written = env.EULER_FILES_SITE_CONFIG;
  if (written === undefined) return { path: SITE_PATH, named: false };
  if (written === "") return undefined;
  return { path: toAbsolutePath(written, env, { label: "EULER_FILES_SITE_CONFIG", kind: "config" }), named: true };
}

/** The values of a site's file. Throws a CliError that names the faulty field. */
export function checkSite(value: unknown, path: AbsolutePath): SiteLayer {
  const checked = v.safeParse(SITE_SCHEMA, value);
  if (!checked.success) {
    const [issue] = checked.issues;
    const field = (issue.path ?? []).map(({ key }) => String(key)).join(".") || "the file";
    throw new CliError("config", `Cannot use the site's configuration "${path}": ${field} ${issue.message}`, {
      location: { field },
      hint: "tell who maintains it; EULER_FILES_SITE_CONFIG= (empty) goes without it",
    });
  }
  const given = asObject(value) ?? {};
  const names = SITE_FIELDS.filter((name) => Object.hasOwn(given, name));
  return { origin: path, values: Object.fromEntries(names.map((name) => [name, given[name]])) };
}

/**
 * The profile of the site, chosen by the environment alone, so that it costs no look at the file system.
 * - ETH Euler: $SCRATCH is below /cluster/scratch; files there are deleted 15 days after their time stamp (Personal scratch usage
 *   rules, scicomp.ethz.ch), $TMPDIR is on the node, and `lquota` knows home and scratch (docs.hpc.ethz.ch, Storage).
 * - Slurm: $SCRATCH by convention, and the disk of the node where a site names it by $SLURM_TMPDIR.
 */
export function siteProfile(env: Environment): SiteLayer | undefined {
  const { SCRATCH: scratch = "" } = env;
  if (/^\/cluster\/scratch\//.test(scratch)) {
    const values = {
      scratch_base: "$SCRATCH",
      node_base: "$TMPDIR",
      quota_program: "lquota",
      purge_by_mtime_days: 15,
    };
    return { origin: "profile eth-euler", values: env.TMPDIR ? values : { ...values, node_base: "/tmp" } };
  }
  if (!env.SLURM_JOB_ID && !env.SLURM_CONF) return undefined;
  const values = {
    ...(scratch === "" ? {} : { scratch_base: "$SCRATCH" }),
    ...(env.SLURM_TMPDIR ? { node_base: "$SLURM_TMPDIR" } : {}),
  };
  return { origin: "profile slurm", values };
}

/** The user's value with what the layers add. */
export function withLayers(value: unknown, layers: SiteLayers): unknown {
  const own = asObject(value);
  if (own === undefined) return value;
  return Object.assign({}, ...layers.toReversed().map(({ values }) => values), own);
}

/** What the layers say that no nearer layer and not the user's own file says, for people: one line for each layer. */
export function describeLayers(own: unknown, layers: SiteLayers): string[] {
  const told = new Set(Object.keys(asObject(own) ?? {}));
  return layers.map(({ origin, values }) => {
    const fields = Object.entries(values).filter(([name]) => !told.has(name));
    for (const [name] of fields) told.add(name);
    const words = fields.map(([name, value]) => wordsFor(name, value)).join(", ");
    return `${origin}: ${words || "nothing that your own file does not say"}`;
  });
}

function wordsFor(name: string, value: unknown): string {
  switch (name) {
    case "scratch_base":
      return `scratch ${value}`;
    case "node_base":
      return `node disk ${value}`;
    case "quota_program":
      return value === "none" ? "no quota" : `quota by ${value}`;
    case "purge_by_mtime_days":
      return `purge ${value} days after the last change`;
    default:
      return `${name} ${value}`;
  }
}

/** Where the value of a field comes from: the origin of a layer, `file`, or `default`. */
export function originOf(field: string, own: unknown, layers: SiteLayers): string {
  if (Object.hasOwn(asObject(own) ?? {}, field)) return "file";
  return layers.find(({ values }) => Object.hasOwn(values, field))?.origin ?? "default";
}
