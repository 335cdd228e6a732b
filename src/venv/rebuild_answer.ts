// The answer about a reinstalled environment: one shape for `venv migrate` and each environment of `migrate-store`.
import * as v from "valibot";
import { withoutCredentials } from "../text/format.ts";
import { type Parity, type RebuildPlan, type RebuildRequest } from "./rebuild.ts";

/** One environment's part of an answer. */
export const REBUILD_ENTRIES = {
  status: v.picklist(["migrated", "dry-run", "verification-failed"]),
  source: v.string(),
  target: v.string(),
  python_version_detected: v.string(),
  python_version_candidates: v.pipe(v.array(v.string()), v.description("Tried one after the other")),
  python_version_used: v.nullable(v.string()),
  requirements_count: v.number(),
  commands: v.pipe(v.array(v.string()), v.description("The uv commands, quoted for a shell")),
  index_url: v.nullable(v.string()),
  extra_index_urls: v.array(v.string()),
  uv_cache_dir: v.nullable(v.string()),
  verification: v.object({
    enabled: v.boolean(),
    status: v.picklist(["matched", "mismatch", "planned", "skipped"]),
    missing: v.array(v.string()),
    extra: v.array(v.string()),
  }),
  deleted_source: v.boolean(),
  errors: v.array(v.string()),
  warnings: v.array(v.string()),
};

const SCHEMA = v.object(REBUILD_ENTRIES);

/** See {@linkcode REBUILD_ENTRIES}. */
export type RebuildAnswer = v.InferOutput<typeof SCHEMA>;

/** Describes a plan, and its outcome if it was executed. Pure. */
export function describeRebuild(
  plan: RebuildPlan,
  request: RebuildRequest,
  outcome: { readonly python: string; readonly parity: Parity } | undefined,
  more: { readonly commands: readonly string[]; readonly deletedSource: boolean },
): RebuildAnswer {
  const planned = { status: request.verify ? "planned" as const : "skipped" as const, missing: [], extra: [] };
  const parity = outcome?.parity ?? planned;
  return {
    status: outcome === undefined ? "dry-run" : parity.status === "mismatch" ? "verification-failed" : "migrated",
    source: request.source,
    target: request.target,
    python_version_detected: plan.source.pythonVersion,
    python_version_candidates: [...plan.pythons],
    python_version_used: outcome?.python ?? null,
    requirements_count: plan.requirements.length,
    commands: more.commands.map(withoutCredentials),
    index_url: request.indexUrl === undefined ? null : withoutCredentials(request.indexUrl),
    extra_index_urls: request.extraIndexUrls.map(withoutCredentials),
    uv_cache_dir: request.uvCacheDir ?? null,
    verification: {
      enabled: request.verify,
      status: parity.status,
      missing: parity.missing.map(withoutCredentials),
      extra: parity.extra.map(withoutCredentials),
    },
    deleted_source: more.deletedSource,
    errors: [
      ...parity.missing.map((line) => `${withoutCredentials(line)} is missing in the target`),
      ...parity.extra.map((line) => `${withoutCredentials(line)} is in the target only`),
    ],
    warnings: plan.editable.map((line) =>
      `${withoutCredentials(line)} is installed as a link to its source, and will be again`
    ),
  };
}
